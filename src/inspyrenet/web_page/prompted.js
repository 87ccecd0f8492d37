// One image that the network has seen, and what a prompt makes of its map: interactive/session.py in the browser.
import { bytes } from "./bilinear.js";
import { edited } from "./coarse.js";
import { checked } from "./prompt.js";
import { boxCover, brush, meanInCells, spreadOut } from "./raster.js";
import { resized } from "./resize.js";

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

  // Probabilities, float32 (height, width) of the network. words: a prompt, see prompt.js.
  async answer(words) {
    const prompt = checked(words, this.image);
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
}
