// What is drawn, as a map: its brightest channel, on black where it is transparent.
export function grayOf(picture, width = picture.width, height = picture.height) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0, width, height);
  const { data } = context.getImageData(0, 0, width, height);
  const gray = new Uint8Array(width * height);
  for (let at = 0, from = 0; at < gray.length; at++, from += 4)
    gray[at] = Math.min(Math.max(data[from], data[from + 1], data[from + 2]), data[from + 3]);
  return { width, height, gray };
}
