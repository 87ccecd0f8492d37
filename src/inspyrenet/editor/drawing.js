// What was drawn on an image, in its pixels, and what was drawn before: {kind: "stroke", points, keep, width} and
// {kind: "box", box: [x, y, width, height]}, and a mask. Each state is a new object; none is ever changed.
import { crosses, distanceToLine } from "./line.js";

const NOTHING = Object.freeze({ items: [], mask: null });
const FINENESS = 0.08; // of a stroke's width: how far its simplified line may lie beside it

export class Drawing {
  constructor() {
    this.states = [NOTHING];
    this.at = 0;
  }

  get state() { return this.states[this.at]; }
  get canUndo() { return this.at > 0; }
  get canRedo() { return this.at < this.states.length - 1; }
  get isEmpty() { return !this.state.items.length && !this.state.mask; }

  change(part) {
    this.states = [...this.states.slice(0, this.at + 1), { ...this.state, ...part }];
    this.at++;
  }

  add(item) { this.change({ items: [...this.state.items, item] }); }
  undo() { if (this.canUndo) this.at--; }
  redo() { if (this.canRedo) this.at++; }
  // An earlier state, as if nothing had been drawn since; the one before where that is not there any more.
  restore(state) {
    if (state === this.state) return;
    const found = this.states.lastIndexOf(state, this.at);
    this.at = found < 0 ? Math.max(this.at - 1, 0) : found;
    this.states = this.states.slice(0, this.at + 1);
  }

  clear() { if (!this.isEmpty) this.change(NOTHING); }

  // Takes away what lies within `radius` of a point; whether there was something.
  erase(point, radius) {
    const items = this.state.items.filter(item => distanceTo(item, point) > radius);
    if (items.length === this.state.items.length) return false;
    this.change({ items });
    return true;
  }

  // With what is being drawn at this moment, if there is something.
  prompt(current) {
    const items = current ? [...this.state.items, current] : this.state.items;
    return {
      boxes: items.filter(item => item.kind === "box").map(item => item.box),
      strokes: items.filter(item => item.kind === "stroke").map(({ points, keep, width }) => ({ points, keep, width })),
      mask: this.state.mask,
    };
  }
}

// A stroke with no more points than its line needs; null where it lies beside the image.
export function strokeOf(points, keep, width, size) {
  const image = [[0, 0, size.width, size.height]];
  const lines = [simplified(points, FINENESS * width), points].map(line => line.map(floored));
  const line = crosses(points, image) && lines.find(one => crosses(one, image));
  return line ? { kind: "stroke", points: line, keep, width } : null;
}

// The box between two corners, within the image; null where nothing is left of it.
export function boxOf([x0, y0], [x1, y1], size) {
  const [left, right] = [x0, x1].map(x => Math.min(Math.max(x, 0), size.width)).sort((a, b) => a - b);
  const [top, bottom] = [y0, y1].map(y => Math.min(Math.max(y, 0), size.height)).sort((a, b) => a - b);
  if (right - left < 2 || bottom - top < 2) return null;
  return { kind: "box", box: rounded([left, top, right - left, bottom - top]) };
}

const floored = numbers => numbers.map(number => Math.floor(number * 10) / 10); // what is inside stays inside
const rounded = numbers => numbers.map(number => Math.round(number * 10) / 10);

// Ramer, Douglas and Peucker: the points that are farther than that from the line between their neighbors.
function simplified(points, tolerance) {
  if (points.length < 3) return points;
  const [first, last] = [points[0], points.at(-1)];
  let [farthest, most] = [0, tolerance];
  for (let at = 1; at < points.length - 1; at++) {
    const distance = distanceToLine(...points[at], [first, last]);
    if (distance > most) [farthest, most] = [at, distance];
  }
  if (!farthest) return [first, last];
  return [...simplified(points.slice(0, farthest + 1), tolerance).slice(0, -1), ...simplified(points.slice(farthest), tolerance)];
}

function distanceTo(item, point) {
  const [line, half] = item.kind === "box" ? [outline(item.box), 0] : [item.points, item.width / 2];
  return distanceToLine(...point, line) - half;
}

function outline([x, y, width, height]) {
  return [[x, y], [x + width, y], [x + width, y + height], [x, y + height], [x, y]];
}
