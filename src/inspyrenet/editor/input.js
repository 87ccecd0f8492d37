// Mouse, pen, fingers and keys on the canvas, as strokes, boxes, zoom and pan.
// `page` has: tool, width (of the brush on the screen), view, begun(), drawn(item or null), finished(item or null), canceled(),
// erase(point, radius).
import { boxOf, strokeOf } from "./drawing.js";

const STEP = 10; // pixels on the screen, of the keyboard's cross
const WHEEL = 0.0015;
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Input {
  constructor(canvas, page) {
    Object.assign(this, { canvas, page, view: page.view, fingers: new Map(), points: null, pinch: null, corner: null, pen: null });
    const listen = (name, listener) => canvas.addEventListener(name, listener.bind(this));
    listen("pointerdown", this.#down);
    listen("pointermove", this.#move);
    listen("pointerup", this.#up);
    listen("pointercancel", this.#cancel);
    listen("pointerleave", () => this.#mark(null));
    canvas.addEventListener("wheel", event => this.#wheel(event), { passive: false });
    listen("keydown", this.#key);
    listen("blur", this.#leave);
    listen("contextmenu", event => event.preventDefault());
  }

  // -- pointers

  #down(event) {
    if (this.pen !== null && event.pointerType === "touch") return; // a palm that rests beside it
    this.canvas.setPointerCapture(event.pointerId);
    if (event.pointerType !== "touch") this.#takePen(event);
    this.fingers.set(event.pointerId, position(event));
    if (this.fingers.size === 2) {
      this.#drop(); // the first of two fingers drew nothing
      this.pinch = this.#pinched();
    } else if (this.fingers.size === 1) {
      this.panning = this.page.tool === "move" || event.button === 1;
      if (this.panning || event.button > 1) return;
      this.page.begun();
      this.points = [this.view.toImage(position(event))];
      if (event.pointerType !== "touch") this.#draw(); // a finger may be the first of two
    }
  }

  // A pen or the mouse: fingers that lie there already do not count.
  #takePen(event) {
    this.#drop();
    this.fingers.clear();
    this.pinch = null;
    this.pen = event.pointerId;
  }

  #move(event) {
    const before = this.fingers.get(event.pointerId);
    if (event.pointerType !== "touch") this.#mark(position(event));
    if (!before) return;
    this.fingers.set(event.pointerId, position(event));
    if (this.pinch) this.#pinchMoved();
    else if (this.panning) this.view.move(...difference(position(event), before));
    else if (this.points) {
      for (const one of event.getCoalescedEvents?.() ?? []) this.points.push(this.view.toImage(position(one)));
      this.points.push(this.view.toImage(position(event)));
      this.#draw();
    }
  }

  #up(event) {
    if (!this.fingers.delete(event.pointerId)) return;
    if (this.pen === event.pointerId) this.pen = null;
    if (this.pinch && this.fingers.size < 2) this.pinch = null;
    if (!this.fingers.size) {
      this.panning = false;
      if (this.points && this.page.tool === "erase") this.#draw(); // a finger that did not move
      this.#give(this.#item());
    }
  }

  #cancel(event) {
    if (this.fingers.has(event.pointerId)) this.#drop(); // nothing was drawn, also where its answer is there already
    this.#up(event);
  }

  #pinched() {
    const [a, b] = [...this.fingers.values()];
    return { middle: [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2], distance: Math.hypot(...difference(a, b)) || 1 };
  }

  #pinchMoved() {
    const now = this.#pinched();
    this.view.move(...difference(now.middle, this.pinch.middle));
    this.view.zoom(now.distance / this.pinch.distance, now.middle);
    this.pinch = now;
  }

  #wheel(event) {
    event.preventDefault();
    const pixels = event.deltaMode ? 30 : 1;
    if (event.shiftKey) this.view.move(-pixels * (event.deltaX || event.deltaY), 0);
    else this.view.zoom(Math.exp(-pixels * event.deltaY * (event.ctrlKey ? 6 : 1) * WHEEL), position(event));
  }

  // -- what they draw

  get #width() { return this.page.width / this.view.scale; }

  #draw() {
    if (this.page.tool === "erase") this.page.erase(this.points.at(-1), this.#width / 2);
    else this.page.drawn(this.#item());
  }

  #item() {
    const { tool } = this.page;
    if (!this.points || tool === "erase") return null;
    if (tool === "box") return boxOf(this.points[0], this.points.at(-1), this.view.size);
    return strokeOf(this.points, tool === "keep", this.#width, this.view.size);
  }

  #give(item) {
    if (!this.points) return;
    this.points = null;
    this.page.finished(item);
  }

  #drop() {
    if (!this.points) return;
    this.points = null;
    this.page.canceled();
  }

  #mark(place) {
    const brush = place && ["keep", "remove", "erase"].includes(this.page.tool);
    this.view.marks.brush = brush ? { at: this.view.toImage(place), width: this.#width } : null;
    this.view.paint();
  }

  // -- keys

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const direction = KEYS[event.key];
    if (direction) this.#moveCross(direction, event.shiftKey ? 1 : STEP);
    else if (event.key === "Enter" || event.key === " ") this.#useCross();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  // Another image comes: what is half drawn belongs to this one, and nothing comes of it.
  drop() {
    this.#drop();
    this.#leave();
  }

  #leave() {
    this.corner = this.view.marks.cross = this.view.current = null;
    this.view.paint();
  }

  #moveCross([dx, dy], step) {
    const { view } = this;
    const [x, y] = view.marks.cross ?? view.toImage(view.middle);
    const held = (value, length) => Math.min(Math.max(value, 0), length - 1);
    view.marks.cross = [held(x + dx * step / view.scale, view.size.width), held(y + dy * step / view.scale, view.size.height)];
    view.reveal(view.marks.cross);
    if (this.corner) this.page.drawn(boxOf(this.corner, view.marks.cross, view.size));
  }

  #useCross() {
    const cross = this.view.marks.cross ??= this.view.toImage(this.view.middle);
    const { tool } = this.page;
    if (tool === "box" && !this.corner) { this.corner = cross; return; }
    if (tool === "erase") this.page.erase(cross, this.#width / 2);
    this.points = tool === "box" ? [this.corner, cross] : [cross];
    this.corner = null;
    this.#give(this.#item());
  }
}

const position = event => [event.offsetX, event.offsetY];
const difference = (a, b) => [a[0] - b[0], a[1] - b[1]];
