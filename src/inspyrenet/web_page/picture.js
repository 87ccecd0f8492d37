// Images in and results out. Pixels are {width, height, data}: RGBA bytes in sRGB.
const GROUND = [124, 116, 104]; // where an image is transparent, as in remover/compositing.py
const WHITE = [255, 255, 255];
const MOST = 100e6; // pixels

export async function read(source) {
  const bitmap = await createImageBitmap(source).catch(error => {
    throw new Error(`not an image that this browser can read (${error.message})`);
  });
  const { width, height } = bitmap;
  try {
    if (width * height > MOST) throw new Error(`${width}×${height} pixels are more than the ${MOST / 1e6} million allowed`);
    const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    context.drawImage(bitmap, 0, 0);
    return context.getImageData(0, 0, width, height);
  } finally {
    bitmap.close();
  }
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
  const result = new Uint8ClampedArray(data.length);
  for (let at = 0; at < data.length; at += 4) {
    const alpha = data[at + 3];
    for (let k = 0; k < 3; k++)
      result[at + k] = Math.floor((data[at + k] * alpha + color[k] * (255 - alpha) + 127) / 255);
    result[at + 3] = 255;
  }
  return new ImageData(result, width, height);
}

// type: "rgba", "map", "white" or a color #rrggbb. unmix: see foreground.js. What is transparent in the image stays so.
export function styled(pixels, alpha, type, unmix) {
  const { width, height, data } = pixels;
  const solid = isOpaque(pixels);
  const shown = solid ? alpha : alpha.map((value, at) => Math.min(value, data[4 * at + 3]));
  if (type === "map") return gray(width, height, shown);
  const color = colorOf(type);
  const colors = solid ? data.slice() : onColor(pixels, GROUND).data;
  unmix({ width, height, data: colors }, shown);
  for (let at = 0; at < shown.length; at++) {
    if (!solid && data[4 * at + 3] < 255) colors.set(data.subarray(4 * at, 4 * at + 3), 4 * at); // unmixed already
    colors[4 * at + 3] = shown[at];
  }
  const result = new ImageData(colors, width, height);
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
  const result = new Uint8ClampedArray(4 * values.length).fill(255);
  for (let at = 0; at < values.length; at++)
    for (let k = 0; k < 3; k++) result[4 * at + k] = values[at];
  return new ImageData(result, width, height);
}

export async function encoded(pixels, format) {
  if (format !== "png" && format !== "webp") throw new Error(`a format is png or webp, not ${format}`);
  const canvas = new OffscreenCanvas(pixels.width, pixels.height);
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  const blob = await canvas.convertToBlob({ type: `image/${format}`, quality: 0.95 });
  if (blob.type !== `image/${format}`) throw new Error(`this browser does not write ${format}: take png`);
  return blob;
}
