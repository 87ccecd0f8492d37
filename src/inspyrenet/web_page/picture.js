// Images in and results out. Pixels are {width, height, data}: RGBA bytes in sRGB.
const GROUND = [124, 116, 104]; // where an image is transparent, as in remover/compositing.py
const WHITE = [255, 255, 255];
const MOST = 100e6; // pixels

export async function read(source) {
  const bitmap = await createImageBitmap(source).catch(error => {
    throw new Error(`not an image that this browser can read (${error.message})`);
  });
  const { width, height } = bitmap;
  if (width * height > MOST) throw new Error(`${width}×${height} pixels are more than the ${MOST / 1e6} million allowed`);
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  if (source !== bitmap) bitmap.close();
  return context.getImageData(0, 0, width, height);
}

// As the network sees it: on a plain ground where it is transparent.
export function opaque(pixels) {
  return isOpaque(pixels) ? pixels : onColor(pixels, GROUND);
}

function isOpaque({ data }) {
  for (let at = 3; at < data.length; at += 4) if (data[at] < 255) return false;
  return true;
}

function onColor({ width, height, data }, color) {
  const result = new ImageData(width, height);
  for (let at = 0; at < data.length; at += 4) {
    const alpha = data[at + 3];
    for (let k = 0; k < 3; k++)
      result.data[at + k] = Math.floor((data[at + k] * alpha + color[k] * (255 - alpha) + 127) / 255);
    result.data[at + 3] = 255;
  }
  return result;
}

// type: "rgba", "map", "white" or a color #rrggbb. unmix: see foreground.js. What is transparent in the image stays so.
export function styled(pixels, alpha, type, unmix) {
  const { width, height, data } = pixels;
  const shown = alpha.map((value, at) => Math.min(value, data[4 * at + 3]));
  if (type === "map") return gray(width, height, shown);
  const color = colorOf(type);
  const result = new ImageData(opaque(pixels).data.slice(), width, height);
  unmix(result, shown);
  for (let at = 0; at < shown.length; at++) {
    if (data[4 * at + 3] < 255) result.data.set(data.subarray(4 * at, 4 * at + 3), 4 * at); // unmixed already
    result.data[4 * at + 3] = shown[at];
  }
  return color ? onColor(result, color) : result;
}

function colorOf(type) {
  if (type === "rgba") return null;
  if (type === "white") return WHITE;
  const digits = /^#([\da-f]{2})([\da-f]{2})([\da-f]{2})$/i.exec(type);
  if (!digits) throw new Error(`a type is rgba, map, white or a color such as #ff8800, not ${type}`);
  return digits.slice(1).map(pair => parseInt(pair, 16));
}

function gray(width, height, values) {
  const result = new ImageData(width, height);
  for (let at = 0; at < values.length; at++) {
    result.data.fill(values[at], 4 * at, 4 * at + 3);
    result.data[4 * at + 3] = 255;
  }
  return result;
}

export async function encoded(pixels, format) {
  if (format !== "png" && format !== "webp") throw new Error(`a format is png or webp, not ${format}`);
  const canvas = new OffscreenCanvas(pixels.width, pixels.height);
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  const blob = await canvas.convertToBlob({ type: `image/${format}`, quality: 0.95 });
  if (blob.type !== `image/${format}`) throw new Error(`this browser does not write ${format}: take png`);
  return blob;
}
