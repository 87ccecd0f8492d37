// One image that the network has seen, and what a prompt makes of its map: interactive/session.py in the browser.
// A prompt is {boxes: [[x, y, width, height]], strokes: [{points: [[x, y]], keep, width}], mask: {width, height, gray}}, each of
// them optional, in pixels of the image.
import { bytes } from "./bilinear.js";
import { edited } from "./coarse.js";
import { boxCover, brush, meanInCells, spreadOut } from "./raster.js";
import { resized } from "./resize.js";

const DEFAULT_WIDTH = 1 / 40; // of a stroke, in longer sides of the image

export class PromptedImage {
  // pixels: opaque; seen: as of network.see.
  constructor(network, pixels, seen) {
    const { data } = resized(pixels, network.grid);
    const cells = network.grid.width * network.grid.height;
    const colors = Float32Array.from({ length: 3 * cells }, (_, at) => data[4 * (at % cells) + Math.floor(at / cells)] / 255);
    const { width, height } = network;
    Object.assign(this, { network, seen, size: { width, height }, image: { width: pixels.width, height: pixels.height } });
    this.scene = {
      image: this.image, grid: network.grid, s3: seen.features.S3.data,
      found: meanInCells({ width, height, gray: bytes(seen.own) }, network.grid),
      spread: (current, keep, remove) => network.spread(seen.features, { colors, current, keep, remove }),
    };
  }

  // Probabilities, float32 (height, width) of the network.
  async answer(words) {
    const prompt = this.#checked(words);
    const { start, s3, changed, strokes } = await edited(this.scene, prompt);
    const { network, seen, scene, image, size } = this;
    const values = start === scene.s3 ? seen.own.slice() : await network.finest(seen.features, start);
    if (changed.some(Boolean)) {
      const other = await network.finest(seen.features, s3);
      const share = spreadOut(changed, scene.grid, size);
      for (let at = 0; at < values.length; at++) values[at] += share[at] * (other[at] - values[at]);
    }
    brush(values, strokes, image, size);
    if (!prompt.boxes.length) return values;
    const cover = boxCover(prompt.boxes, image, size);
    return values.map((value, at) => value * cover[at]);
  }

  #checked({ boxes = [], strokes = [], mask = null }) {
    const { width, height } = this.image;
    const inside = ([x, y], [left, top, across, down]) => x >= left && y >= top && x < left + across && y < top + down;
    const whole = [0, 0, width, height];
    for (const { points, keep = true } of strokes) {
      const name = `${keep ? "keep" : "remove"} at ${points[0]}`;
      if (!points.some(point => inside(point, whole)))
        throw new Error(`${name} lies outside the image, which has ${width}×${height} pixels`);
      if (keep && boxes.length && !points.some(point => boxes.some(box => inside(point, box))))
        throw new Error(`${name} lies outside the boxes: nothing outside them is kept`);
    }
    if (mask && !boxes.length && !strokes.some(({ keep = true }) => keep) && !mask.gray.some(value => value > 127))
      throw new Error("the mask marks nothing: no value of it is a half or more");
    const standard = DEFAULT_WIDTH * Math.max(width, height);
    return { boxes, mask, strokes: strokes.map(one => ({ ...one, keep: one.keep ?? true, width: one.width ?? standard })) };
  }
}
