// What index.js asks for, computed beside the page, so that the page goes on answering.
import { bytes, enlarged } from "./bilinear.js";
import { unmix } from "./foreground.js";
import { openNetwork } from "./network.js";
import { encoded, opaque, read, styled } from "./picture.js";

const opening = openNetwork();
opening.catch(() => {}); // told to whoever asks
const images = new Map(); // number → {source, values}
let last = {}; // pixels are kept of the newest image only: they take 4 bytes each

function imageOf(number) {
  if (!images.has(number)) throw new Error("no image is open: call open first");
  return images.get(number);
}

async function pixelsOf(number) {
  if (last.number !== number) last = { number, pixels: await read(imageOf(number).source) };
  return last.pixels;
}

const answers = {
  async ready() {
    return { threads: (await opening).threads };
  },

  async open(number, source) {
    const network = await opening;
    images.set(number, { source });
    const pixels = await pixelsOf(number);
    const values = await network.saliency(opaque(pixels));
    images.set(number, { source, values });
    return {
      width: pixels.width, height: pixels.height,
      map: { width: network.width, height: network.height, gray: bytes(values) },
    };
  },

  async result(number, type, format) {
    const { values } = imageOf(number);
    const [network, pixels] = [await opening, await pixelsOf(number)];
    const alpha = enlarged(values, network, pixels);
    return encoded(styled(pixels, alpha, type, unmix), format);
  },

  close(number) {
    images.delete(number);
    if (last.number === number) last = {};
  },
};

addEventListener("message", async ({ data: { id, name, values } }) => {
  try {
    postMessage({ id, value: await answers[name](...values) });
  } catch (error) {
    postMessage({ id, error: error.message });
  }
});
