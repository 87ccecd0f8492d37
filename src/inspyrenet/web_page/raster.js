// Strokes and boxes on a grid of cells that lies over the image, as interactive/raster.py has them. A grid and an image are
// {width, height}; values of cells lie row by row.
import { enlarged } from "./bilinear.js";
import { distanceToLine } from "./line.js";
import { resized } from "./resize.js";

// A pen's strokes {points, keep, width} → which cells they go over: 1 keep, −1 remove, 0 neither; later strokes lie on top.
export function strokeLabels(strokes, image, grid) {
  const labels = new Int8Array(grid.width * grid.height);
  for (const { points, keep, width } of strokes) {
    const distance = distancesTo(points, image, grid);
    const nearest = distance.reduce((best, value, at) => value < distance[best] ? at : best, 0);
    const value = keep ? 1 : -1;
    for (let at = 0; at < labels.length; at++) if (distance[at] <= width / 2) labels[at] = value;
    labels[nearest] = value;
  }
  return labels;
}

// From the centers of cells to the line through points, in pixels of the image; of all cells, or of a window of the grid.
function distancesTo(points, image, grid, window = { left: 0, top: 0, right: grid.width, bottom: grid.height }) {
  const across = image.width / grid.width, down = image.height / grid.height;
  const distance = new Float32Array(Math.max(0, (window.right - window.left) * (window.bottom - window.top)));
  for (let y = window.top, at = 0; y < window.bottom; y++)
    for (let x = window.left; x < window.right; x++, at++)
      distance[at] = distanceToLine((x + 0.5) * across, (y + 0.5) * down, points);
  return distance;
}

// Boxes [x, y, width, height] → how much of each cell lies in one of them, 0 to 1.
export function boxCover(boxes, image, grid) {
  const cover = new Float32Array(grid.width * grid.height);
  for (const [left, top, width, height] of boxes) {
    const columns = overlap(left, left + width, image.width, grid.width);
    const rows = overlap(top, top + height, image.height, grid.height);
    for (let y = 0, at = 0; y < grid.height; y++)
      for (let x = 0; x < grid.width; x++, at++) cover[at] = Math.max(cover[at], rows[y] * columns[x]);
  }
  return cover;
}

// How much of each of the cells of a line lies between start and end.
function overlap(start, end, length, cells) {
  const cell = length / cells;
  return Float32Array.from({ length: cells }, (_, at) =>
    Math.min(Math.max((Math.min(end, (at + 1) * cell) - Math.max(start, at * cell)) / cell, 0), 1));
}

// A map {width, height, gray} in bytes → its means in the cells, 0 to 1.
export function meanInCells({ width, height, gray }, grid) {
  const data = new Uint8ClampedArray(4 * gray.length);
  for (let at = 0; at < gray.length; at++) data[4 * at] = gray[at];
  const small = resized({ width, height, data }, grid).data;
  return Float32Array.from({ length: grid.width * grid.height }, (_, at) => small[4 * at] / 255);
}

// Cells and those around them on a finer grid: 1 there, falling to 0 within one more cell.
export function spreadOut(cells, grid, finer) {
  return enlarged(Float32Array.from(grown(cells, grid)), grid, finer, { corners: false, Values: Float32Array });
}

// The seeds, and of the cells those that a way through cells and seeds leads to.
export function connected(cells, seeds, grid) {
  let found = Uint8Array.from(seeds);
  for (let before = -1, count = 0; count > before;) {
    before = found.reduce((sum, one) => sum + one, 0);
    found = grown(found, grid).map((one, at) => one & (cells[at] | seeds[at]));
    count = found.reduce((sum, one) => sum + one, 0);
  }
  return found;
}

// With the eight neighbors.
function grown(cells, { width, height }) {
  const result = new Uint8Array(cells.length);
  for (let y = 0, at = 0; y < height; y++)
    for (let x = 0; x < width; x++, at++)
      for (let row = Math.max(y - 1, 0); row <= Math.min(y + 1, height - 1); row++)
        for (let column = Math.max(x - 1, 0); column <= Math.min(x + 1, width - 1); column++)
          result[at] |= cells[row * width + column];
  return result;
}

// A map with what strokes say right under their middle, fading to the map itself at their borders; in place.
export function brush(values, strokes, image, grid) {
  for (const { points, keep, width } of strokes) {
    const window = windowOf(points, width / 2, image, grid);
    const distance = distancesTo(points, image, grid, window);
    for (let y = window.top, from = 0; y < window.bottom; y++)
      for (let x = window.left; x < window.right; x++, from++) {
        const share = Math.min(Math.max(2 - 4 * distance[from] / width, 0), 1), at = y * grid.width + x;
        values[at] += share * ((keep ? 1 : 0) - values[at]);
      }
  }
}

// The part of the grid outside of which nothing lies under a stroke.
function windowOf(points, half, image, grid) {
  const across = image.width / grid.width, down = image.height / grid.height;
  const held = (value, most) => Math.min(Math.max(value, 0), most);
  const range = axis => [Math.min(...points.map(one => one[axis])) - half, Math.max(...points.map(one => one[axis])) + half];
  const [[x0, x1], [y0, y1]] = [range(0), range(1)];
  return {
    left: held(Math.floor(x0 / across), grid.width), right: held(Math.ceil(x1 / across), grid.width),
    top: held(Math.floor(y0 / down), grid.height), bottom: held(Math.ceil(y1 / down), grid.height),
  };
}
