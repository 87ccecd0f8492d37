// What index.js asks for, computed beside the page, so that the page goes on answering.
import { bytes, enlarged } from "./bilinear.js";
import { unmix } from "./foreground.js";
import { openNetwork } from "./network.js";
import { encoded, opaque, read, styled } from "./picture.js";
import { PromptError } from "./prompt.js";
import { PromptedImage } from "./prompted.js";

const opening = openNetwork();
opening.catch(() => {}); // told to whoever asks
const images = new Map(); // number → {source, values: probabilities with the prompt that was asked last}
let last = {}; // pixels and features are kept of the newest image only: a photograph takes many megabytes

function imageOf(number) {
  if (!images.has(number)) throw new Error("no image is open: call open first");
  return images.get(number);
}

async function pixelsOf(number) {
  if (last.number !== number) last = { number, pixels: read(imageOf(number).source) };
  return last.pixels;
}

async function promptedOf(number) {
  const [network, pixels] = [await opening, opaque(await pixelsOf(number))];
  const seen = last.number === number && last.seen ? last.seen : await network.see(pixels);
  const prompted = new PromptedImage(network, pixels, seen);
  if (last.number === number) Object.assign(last, { seen, prompted });
  return prompted;
}

function mapOf({ width, height }, values) {
  return { width, height, gray: bytes(values) };
}

async function resultOf(number, type) {
  const { values } = imageOf(number);
  const [network, pixels] = [await opening, await pixelsOf(number)];
  return styled(pixels, enlarged(values, network, pixels), type, unmix);
}

const answers = {
  async ready() {
    return { threads: (await opening).threads };
  },

  async open(number, source) {
    const image = { source };
    images.set(number, image);
    const [network, pixels] = [await opening, await pixelsOf(number)];
    const seen = await network.see(opaque(pixels));
    if (last.number === number) last.seen = seen;
    image.values = seen.own;
    return { width: pixels.width, height: pixels.height, map: mapOf(network, seen.own) };
  },

  async ask(number, prompt) {
    const image = imageOf(number);
    const prompted = last.number === number && last.prompted ? last.prompted : await promptedOf(number);
    image.values = await prompted.answer(prompt);
    return mapOf(await opening, image.values);
  },

  // The cut-out as it is shown: no side longer than `side` pixels.
  async picture(number, side) {
    const pixels = await resultOf(number, "rgba");
    const scale = Math.min(1, side / Math.max(pixels.width, pixels.height));
    const [resizeWidth, resizeHeight] = [pixels.width, pixels.height].map(length => Math.max(1, Math.round(length * scale)));
    return createImageBitmap(pixels, scale < 1 ? { resizeWidth, resizeHeight, resizeQuality: "high" } : {});
  },

  async result(number, type, format) {
    return encoded(await resultOf(number, type), format);
  },

  close(number) {
    images.get(number)?.source.close?.(); // of a bitmap
    images.delete(number);
    if (last.number === number) last = {};
  },
};

addEventListener("message", async ({ data: { id, name, values } }) => {
  try {
    const value = await answers[name](...values);
    postMessage({ id, value }, value instanceof ImageBitmap ? [value] : []);
  } catch (error) {
    const refused = error instanceof PromptError;
    postMessage({ id, error: error?.message || `the network failed with ${error}`, refused });
  }
});
