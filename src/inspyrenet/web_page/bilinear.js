// A map at the image's size: bilinear with aligned corners, in float32 and in the order of data/images/bilinear.py.
const { fround } = Math;

function placesOf(old, size) {
  const step = fround((old - 1) / Math.max(size - 1, 1));
  const low = new Int32Array(size), high = new Int32Array(size);
  const lowWeight = new Float32Array(size), highWeight = new Float32Array(size);
  for (let at = 0; at < size; at++) {
    const place = fround(at * step);
    low[at] = Math.min(Math.trunc(place), old - 1);
    high[at] = Math.min(low[at] + 1, old - 1);
    highWeight[at] = Math.min(Math.max(fround(place - low[at]), 0), 1);
    lowWeight[at] = fround(1 - highWeight[at]);
  }
  return { low, high, lowWeight, highWeight };
}

// Probabilities, float32 (old.height, old.width) → bytes (height, width), rounded.
export function enlarged(values, old, { width, height }) {
  if (old.width === width && old.height === height) return bytes(values);
  const across = placesOf(old.width, width), down = placesOf(old.height, height);
  const rows = new Float32Array(old.height * width);
  for (let y = 0; y < old.height; y++)
    for (let x = 0; x < width; x++)
      rows[y * width + x] = fround(values[y * old.width + across.low[x]] * across.lowWeight[x])
        + fround(values[y * old.width + across.high[x]] * across.highWeight[x]);
  const result = new Uint8ClampedArray(width * height);
  for (let y = 0; y < height; y++) {
    const [low, high] = [down.low[y] * width, down.high[y] * width];
    const lowWeight = down.lowWeight[y], highWeight = down.highWeight[y];
    for (let x = 0; x < width; x++)
      result[y * width + x] = fround(255 * fround(fround(rows[low + x] * lowWeight) + fround(rows[high + x] * highWeight)));
  }
  return result;
}

// Such an array rounds to nearest, halves to even, and clips.
export function bytes(values) {
  return Uint8ClampedArray.from(values, value => fround(255 * value));
}
