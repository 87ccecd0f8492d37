// Pillow's antialiased bilinear filter, in its own integer arithmetic: a network should see what it was trained with.
const BITS = 22; // after the binary point of a weight

// For each new place: the first old one that it sees, and the weights of that and those that follow.
function weightsOf(old, size) {
  const scale = old / size;
  const reach = Math.max(scale, 1);
  return Array.from({ length: size }, (_, place) => {
    const center = (place + 0.5) * scale;
    const first = Math.max(Math.trunc(center - reach + 0.5), 0);
    const stop = Math.min(Math.trunc(center + reach + 0.5), old);
    const weights = Array.from({ length: stop - first }, (_, at) =>
      Math.max(1 - Math.abs((at + first - center + 0.5) / reach), 0));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return { first, weights: Int32Array.from(weights, weight => Math.trunc(weight / total * (1 << BITS) + 0.5)) };
  });
}

// Lines of one direction: `count` of them, `step` apart; values of a line are `old.step` and `new.step` apart.
function filtered(values, result, length, size, count, from, to) {
  const places = weightsOf(length, size);
  for (let line = 0; line < count; line++)
    for (let place = 0; place < size; place++) {
      const { first, weights } = places[place];
      let at = line * from.line + first * from.step;
      let red = 1 << (BITS - 1), green = red, blue = red;
      for (let k = 0; k < weights.length; k++, at += from.step) {
        red += values[at] * weights[k];
        green += values[at + 1] * weights[k];
        blue += values[at + 2] * weights[k];
      }
      const out = line * to.line + place * to.step;
      result[out] = red >> BITS;
      result[out + 1] = green >> BITS;
      result[out + 2] = blue >> BITS;
    }
  return result;
}

// RGBA bytes of width × height → RGBA bytes of size.width × size.height, whose alpha is left at 0.
export function resized({ width, height, data }, size) {
  if (width !== size.width) {
    const lines = new Uint8ClampedArray(4 * size.width * height);
    data = filtered(data, lines, width, size.width, height, { line: 4 * width, step: 4 }, { line: 4 * size.width, step: 4 });
  }
  if (height !== size.height) {
    const across = { line: 4, step: 4 * size.width };
    data = filtered(data, new Uint8ClampedArray(4 * size.width * size.height), height, size.height, size.width, across, across);
  }
  return { ...size, data };
}

// RGBA bytes → float32 (3, height, width): (value / 255 − mean) / std.
export function normalized({ width, height, data }, { mean, std }) {
  const pixels = width * height;
  const planes = new Float32Array(3 * pixels);
  const { fround } = Math;
  for (let channel = 0; channel < 3; channel++) {
    const [middle, spread] = [fround(mean[channel]), fround(std[channel])];
    for (let at = 0; at < pixels; at++)
      planes[channel * pixels + at] = fround(fround(fround(data[4 * at + channel] / 255) - middle) / spread);
  }
  return planes;
}
