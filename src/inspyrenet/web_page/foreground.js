// The object's own colors in its soft edges, coarse to fine, as remover/multilevel.py finds them (Germer et al., "Fast Multi-Level
// Foreground Estimation", ICPR 2020). On fine levels only soft pixels are solved, so that the time follows the edge's length.
const REGULARIZATION = 1e-5;
const STEPS = [[32, 10], [640, 6], [Infinity, 2]]; // up to this longer side of a level that many steps
const FEW = 2; // after so few steps bytes are exact enough, and a large photograph fits into memory
const WHOLE = 128; // up to this longer side every pixel is solved
const NEARLY = 2; // gray levels
const SAMPLES = 64; // of each side, for the mean color

// RGBA bytes and the alpha, bytes → the object's colors where alpha is neither 0 nor 255, in place.
export function unmix({ width, height, data }, alpha) {
  if (!alpha.some(value => value > 0 && value < 255)) return;
  const levels = Math.ceil(Math.log2(Math.max(width, height)));
  let below = meanColor(width, height, data);
  for (let level = levels; level > 0; level--) below = solved(sampled(width, height, data, alpha, 1 << level), below);
  const own = solved({ width, height, pixels: data, step: 4, share: alpha }, below, 1).colors;
  for (let at = 0; at < alpha.length; at++)
    if (alpha[at] > 0 && alpha[at] < 255)
      for (let channel = 0; channel < 3; channel++) data[4 * at + channel] = own[6 * at + channel];
}

// Both colors as one pixel: six numbers, of the object and of the background.
function meanColor(width, height, data) {
  const down = Math.max(1, Math.floor(height / SAMPLES)), across = Math.max(1, Math.floor(width / SAMPLES));
  const sums = [0, 0, 0];
  let count = 0;
  for (let y = 0; y < height; y += down)
    for (let x = 0; x < width; x += across, count++)
      for (let channel = 0; channel < 3; channel++) sums[channel] += data[4 * (y * width + x) + channel];
  const mean = sums.map(sum => Math.round(sum / count));
  return { width: 1, height: 1, colors: Uint8ClampedArray.from([...mean, ...mean]) };
}

// Every so-manieth row and column.
function sampled(width, height, data, alpha, every) {
  const level = { width: Math.ceil(width / every), height: Math.ceil(height / every), step: 3 };
  level.pixels = new Uint8ClampedArray(3 * level.width * level.height);
  level.share = new Uint8ClampedArray(level.width * level.height);
  for (let y = 0, at = 0; y < level.height; y++)
    for (let x = 0; x < level.width; x++, at++) {
      const from = every * (y * width + x);
      level.share[at] = alpha[from];
      for (let channel = 0; channel < 3; channel++) level.pixels[3 * at + channel] = data[4 * from + channel];
    }
  return level;
}

function solved(level, below, steps) {
  const { width, height, share } = level;
  const longer = Math.max(width, height);
  steps ??= STEPS.find(([side]) => longer <= side)[1];
  const places = [];
  for (let at = 0; at < share.length; at++)
    if (longer <= WHOLE || (share[at] > NEARLY && share[at] < 255 - NEARLY)) places.push(at);
  const colors = begun(level, below, steps > FEW ? Float32Array : Uint8ClampedArray);
  const equations = equationsOf(level, places);
  const found = new Float32Array(6 * places.length);
  for (let step = 0; step < steps; step++) {
    places.forEach((at, index) => relaxed(level, colors, at, equations, index, found));
    places.forEach((at, index) => { for (let k = 0; k < 6; k++) colors[6 * at + k] = found[6 * index + k]; });
  }
  return { width, height, colors };
}

// Colors of the level below, doubled; where a pixel is plainly one of both, its own.
function begun({ width, height, pixels, step, share }, below, Numbers) {
  const colors = new Numbers(6 * width * height);
  for (let y = 0, at = 0; y < height; y++)
    for (let x = 0; x < width; x++, at++) {
      const from = 6 * ((y >> 1) * below.width + (x >> 1));
      for (let k = 0; k < 6; k++) colors[6 * at + k] = below.colors[from + k];
      const plain = share[at] >= 255 - NEARLY ? 0 : share[at] <= NEARLY ? 3 : -1;
      for (let k = 0; plain >= 0 && k < 3; k++) colors[6 * at + plain + k] = pixels[step * at + k];
    }
  return colors;
}

// For each place its four neighbors, their weights, and how far a step goes towards the equation.
function equationsOf({ width, height, share }, places) {
  const others = new Int32Array(4 * places.length), weights = new Float32Array(4 * places.length);
  const gains = new Float32Array(places.length);
  places.forEach((at, index) => {
    const first = 4 * index, x = at % width, own = share[at] / 255;
    others[first] = at >= width ? at - width : at;
    others[first + 1] = at < width * (height - 1) ? at + width : at;
    others[first + 2] = x > 0 ? at - 1 : at;
    others[first + 3] = x < width - 1 ? at + 1 : at;
    let total = 0;
    for (let k = first; k < first + 4; k++) total += weights[k] = Math.abs(share[others[k]] / 255 - own) + REGULARIZATION;
    for (let k = first; k < first + 4; k++) weights[k] /= total;
    gains[index] = 1 / (own * own + (1 - own) * (1 - own) + total);
  });
  return { others, weights, gains };
}

// One pixel's colors, drawn towards the mean of its neighbors and towards I = αF + (1 − α)B.
function relaxed({ pixels, step, share }, colors, at, { others, weights, gains }, index, found) {
  const object = share[at] / 255, ground = 1 - object;
  for (let channel = 0; channel < 3; channel++) {
    let front = 0, behind = 0;
    for (let k = 4 * index; k < 4 * index + 4; k++) {
      front += weights[k] * colors[6 * others[k] + channel];
      behind += weights[k] * colors[6 * others[k] + 3 + channel];
    }
    const residual = gains[index] * (pixels[step * at + channel] - object * front - ground * behind);
    found[6 * index + channel] = Math.min(Math.max(front + object * residual, 0), 255);
    found[6 * index + 3 + channel] = Math.min(Math.max(behind + ground * residual, 0), 255);
  }
}
