// The image on the screen: the cut-out over a background, and what was drawn on it. Positions on the screen are in CSS pixels
// from the canvas's corner, others in pixels of the image.
const CHECK = 12; // pixels of a square
const COLORS = { keep: "#22c55e", remove: "#ef4444" };
const MOST_ZOOM = 32;
const FADED = 0.3;
const DRAWING = 0.6, DRAWN = 0.45; // opacity of a stroke

export class View {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.photo = this.alpha = this.picture = null; // the picture is the cut-out, where it is more than the photo and its alpha
    this.size = { width: 1, height: 1 };
    this.scale = 1;
    this.corner = [0, 0]; // of the image, on the screen
    this.ground = "checks"; // or "photo", or a color
    this.before = 0; // share of the width that shows the photo as it was
    this.items = [];
    this.current = null; // what is being drawn
    this.marks = {}; // brush: {at, width, tool}, cross: point, corner: a box's first one
    this.fitted = true;
    new ResizeObserver(() => this.fitted ? this.fit() : this.paint()).observe(canvas);
  }

  // A photo, or null for none.
  show(photo, size) {
    for (const old of [this.photo, this.picture]) old?.close();
    Object.assign(this, { photo, size, alpha: null, picture: null, items: [], current: null });
    this.fit();
  }

  // The photo's size becomes known, which the browser may not have told.
  resize(size) {
    const factor = this.size.width / size.width;
    this.size = size;
    if (this.fitted) this.fit();
    else this.scale *= factor;
  }

  setMap({ width, height, gray }) {
    const pixels = new ImageData(width, height);
    for (let at = 0; at < gray.length; at++) pixels.data[4 * at + 3] = gray[at];
    this.alpha = Object.assign(document.createElement("canvas"), { width, height });
    this.alpha.getContext("2d").putImageData(pixels, 0, 0);
    this.setPicture(null);
  }

  // Until the next map.
  setPicture(picture) {
    this.picture?.close();
    this.picture = picture;
    this.paint();
  }

  // -- where the image is

  get smallest() {
    const { clientWidth, clientHeight } = this.canvas;
    const { width, height } = this.size;
    return Math.max(Math.min((clientWidth - 24) / width, (clientHeight - 24) / height), 1 / Math.max(width, height));
  }

  fit() {
    const { clientWidth, clientHeight } = this.canvas;
    if (!clientWidth) return;
    this.scale = this.smallest;
    this.corner = [(clientWidth - this.scale * this.size.width) / 2, (clientHeight - this.scale * this.size.height) / 2];
    this.fitted = true;
    this.paint();
  }

  toImage([x, y]) { return [(x - this.corner[0]) / this.scale, (y - this.corner[1]) / this.scale]; }
  toScreen([x, y]) { return [x * this.scale + this.corner[0], y * this.scale + this.corner[1]]; }
  get middle() { return [this.canvas.clientWidth / 2, this.canvas.clientHeight / 2]; }

  zoom(factor, at = this.middle) {
    const fixed = this.toImage(at);
    this.scale = Math.min(Math.max(this.scale * factor, this.smallest / 2), Math.max(MOST_ZOOM, this.smallest));
    this.corner = [at[0] - fixed[0] * this.scale, at[1] - fixed[1] * this.scale];
    this.#keepInSight();
  }

  move(dx, dy) {
    this.corner = [this.corner[0] + dx, this.corner[1] + dy];
    this.#keepInSight();
  }

  // A point of the image comes into sight.
  reveal(point) {
    const [x, y] = this.toScreen(point);
    const inside = (value, length) => Math.min(Math.max(value, 20), length - 20);
    const { clientWidth, clientHeight } = this.canvas;
    this.move(inside(x, clientWidth) - x, inside(y, clientHeight) - y);
  }

  #keepInSight() {
    const { clientWidth, clientHeight } = this.canvas;
    const held = (corner, length, side) => Math.min(Math.max(corner, 60 - length * this.scale), side - 60);
    this.corner = [held(this.corner[0], this.size.width, clientWidth), held(this.corner[1], this.size.height, clientHeight)];
    this.fitted = false;
    this.paint();
  }

  // -- painting

  paint() {
    this.frame ??= requestAnimationFrame(() => { this.frame = null; this.#paint(); });
  }

  #paint() {
    const { canvas, context, photo } = this;
    const ratio = devicePixelRatio;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight].map(side => Math.round(side * ratio));
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    if (!photo) return;
    const scale = ratio * this.scale;
    context.setTransform(scale, 0, 0, scale, ratio * this.corner[0], ratio * this.corner[1]);
    context.imageSmoothingEnabled = this.scale < 4;
    context.imageSmoothingQuality = "high";
    this.#cutOut();
    if (this.alpha) this.#background(1 / scale * ratio);
    for (const item of this.items) this.#item(item, DRAWN);
    if (this.current) this.#item(this.current, DRAWING);
    if (this.before) this.#before();
    this.#marks();
  }

  #cutOut() {
    this.#whole(this.picture ?? this.photo);
    if (this.picture || !this.alpha) return;
    this.context.imageSmoothingEnabled = true;
    this.#with("destination-in", 1, () => this.#whole(this.alpha));
  }

  #before() {
    const { context, size } = this;
    const edge = this.before * size.width;
    context.save();
    context.beginPath();
    context.rect(0, 0, edge, size.height);
    context.clip();
    context.clearRect(0, 0, edge, size.height);
    this.#whole(this.photo);
    context.restore();
    if (this.before < 1) this.#outlined(() => {
      context.moveTo(edge, 0);
      context.lineTo(edge, size.height);
    });
  }

  #whole(picture) {
    this.context.drawImage(picture, 0, 0, this.size.width, this.size.height);
  }

  #with(operation, alpha, draw) {
    Object.assign(this.context, { globalCompositeOperation: operation, globalAlpha: alpha });
    draw();
    Object.assign(this.context, { globalCompositeOperation: "source-over", globalAlpha: 1 });
  }

  #background(pixel) {
    if (this.ground === "photo") this.#with("destination-over", FADED, () => this.#whole(this.photo));
    let fill = this.ground === "photo" ? "#fff" : this.ground;
    if (this.ground === "checks") {
      fill = this.context.createPattern(checks(), "repeat");
      fill.setTransform(new DOMMatrix().scale(pixel));
    }
    this.context.fillStyle = fill;
    this.#with("destination-over", 1, () => this.context.fillRect(0, 0, this.size.width, this.size.height));
  }

  #item(item, opacity) {
    if (item.kind === "box") this.#box(item.box);
    else this.#stroke(item, opacity);
  }

  #stroke({ points, keep, width }, opacity) {
    const { context } = this;
    const color = keep ? COLORS.keep : COLORS.remove;
    Object.assign(context, { strokeStyle: color, fillStyle: color, lineWidth: width, lineCap: "round", lineJoin: "round" });
    context.beginPath();
    if (points.length === 1) context.arc(...points[0], width / 2, 0, 2 * Math.PI);
    else points.forEach(point => context.lineTo(...point));
    this.#with("source-over", opacity, () => points.length === 1 ? context.fill() : context.stroke());
  }

  #box([x, y, width, height]) {
    this.#outlined(() => this.context.rect(x, y, width, height), [8, 6]);
  }

  // Black and white, so that it is seen on anything.
  #outlined(path, dashes = []) {
    const { context, scale } = this;
    for (const [color, width, dash] of [["#000a", 3, []], ["#fff", 1.5, dashes]]) {
      context.beginPath();
      path();
      context.setLineDash(dash.map(length => length / scale));
      Object.assign(context, { strokeStyle: color, lineWidth: width / scale });
      context.stroke();
    }
    context.setLineDash([]);
  }

  #marks() {
    const { context, scale, marks } = this;
    if (marks.brush) this.#outlined(() => context.arc(...marks.brush.at, marks.brush.width / 2, 0, 2 * Math.PI));
    if (marks.cross) {
      const [x, y] = marks.cross;
      const arm = 10 / scale;
      this.#outlined(() => {
        context.moveTo(x - arm, y);
        context.lineTo(x + arm, y);
        context.moveTo(x, y - arm);
        context.lineTo(x, y + arm);
      });
    }
  }
}

let pattern;
function checks() {
  if (pattern) return pattern;
  pattern = Object.assign(document.createElement("canvas"), { width: 2 * CHECK, height: 2 * CHECK });
  const context = pattern.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, 2 * CHECK, 2 * CHECK);
  context.fillStyle = "#d4d8d8";
  context.fillRect(0, 0, CHECK, CHECK);
  context.fillRect(CHECK, CHECK, CHECK, CHECK);
  return pattern;
}
