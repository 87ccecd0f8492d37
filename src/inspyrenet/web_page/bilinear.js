// A map at another size: bilinear, in float32 and in the order of data/images/bilinear.py.
const { fround } = Math;

// corners: the centers of the corner pixels stay where they are; else the picture's outline does.
function placesOf(old, size, corners) {
  const step = fround(corners ? (old - 1) / Math.max(size - 1, 1) : old / size);
  const low = new Int32Array(size), high = new Int32Array(size);
  const lowWeight = new Float32Array(size), highWeight = new Float32Array(size);
  for (let at = 0; at < size; at++) {
    const place = corners ? fround(at * step) : Math.max(fround(fround((at + 0.5) * step) - 0.5), 0);
    low[at] = Math.min(Math.trunc(place), old - 1);
    high[at] = Math.min(low[at] + 1, old - 1);
    highWeight[at] = Math.min(Math.max(fround(place - low[at]), 0), 1);
    lowWeight[at] = fround(1 - highWeight[at]);
  }
  return { low, high, lowWeight, highWeight };
}

// Values of 0 to 1, float32 (old.height, old.width) → (height, width): bytes, rounded, or `Values` of 0 to 1.
export function enlarged(values, old, { width, height }, { corners = true, Values = Uint8ClampedArray } = {}) {
  const most = Values === Uint8ClampedArray ? 255 : 1;
  if (old.width === width && old.height === height) return Values.from(values, value => fround(most * value));
  const across = placesOf(old.width, width, corners), down = placesOf(old.height, height, corners);
  const rows = new Float32Array(old.height * width);
  for (let y = 0; y < old.height; y++)
    for (let x = 0; x < width; x++)
      rows[y * width + x] = fround(values[y * old.width + across.low[x]] * across.lowWeight[x])
        + fround(values[y * old.width + across.high[x]] * across.highWeight[x]);
  const result = new Values(width * height);
  for (let y = 0; y < height; y++) {
    const [low, high] = [down.low[y] * width, down.high[y] * width];
    const lowWeight = down.lowWeight[y], highWeight = down.highWeight[y];
    for (let x = 0; x < width; x++)
      result[y * width + x] = fround(most * fround(fround(rows[low + x] * lowWeight) + fround(rows[high + x] * highWeight)));
  }
  return result;
}

// Such an array rounds to nearest, halves to even, and clips.
export function bytes(values) {
  return Uint8ClampedArray.from(values, value => fround(255 * value));
}
