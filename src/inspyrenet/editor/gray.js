const COLORED = 16; // levels between the channels of a pixel

const SHADED = 0.2; // of what is seen: with more pixels between black and white, it is a picture and no drawn mask

// What is drawn, as a map: its brightest channel, on black where it is transparent; of a picture with transparency that is in
// color, of many grays, or nowhere bright, as a cut-out is, how opaque it is. As the server's interactive.mask_image.gray_of has it.
// Closes the bitmap.
export function grayOf(bitmap) {
  const { width, height, data } = pixelsOf(bitmap);
  const alphaAlone = isCutOut(data);
  const gray = new Uint8Array(width * height);
  for (let at = 0, from = 0; at < gray.length; at++, from += 4)
    gray[at] = alphaAlone ? data[from + 3] : Math.min(Math.max(data[from], data[from + 1], data[from + 2]), data[from + 3]);
  return { width, height, gray };
}

function pixelsOf(bitmap) {
  const { width, height } = bitmap;
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  try {
    context.drawImage(bitmap, 0, 0);
    return context.getImageData(0, 0, width, height);
  } finally {
    bitmap.close();
  }
}

function isCutOut(data) {
  let transparent = false, colored = false, brightest = 0, seen = 0, shaded = 0;
  for (let from = 0; from < data.length; from += 4) {
    const [red, green, blue, alpha] = [data[from], data[from + 1], data[from + 2], data[from + 3]];
    transparent ||= alpha < 255;
    if (alpha === 0) continue;
    const most = Math.max(red, green, blue);
    colored ||= most - Math.min(red, green, blue) > COLORED;
    brightest = Math.max(brightest, most);
    seen++;
    if (most > COLORED && most < 255 - COLORED) shaded++;
  }
  const bright = brightest >= 128 || brightest === 1; // or labels of 0 and 1
  return transparent && (colored || !bright || shaded > SHADED * seen);
}
