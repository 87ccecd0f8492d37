// What a prompt makes of the coarse map S3, as interactive/coarse.py does it with a trained head.
// A scene is {image, grid, s3, found, spread}: sizes, logits of the network's own map, its finest map in the cells, and
// spread(current, keep, remove), which runs the head: maps of cells → logits, async.
import { boxCover, connected, meanInCells, strokeLabels } from "./raster.js";

const SURE = 6, PINNED = 4; // logits of what is said, and those that cells under a stroke have at least
const SHARPER = 3; // times the logits of what was said: where in a cell a border runs is for the finer stages to find
const NOTICED = 0.25; // of probability: a cell that differs by less from the map that is there stays as it is
const ROUNDS = 6; // strokes one after the other, as the head was trained; of more the first ones go together
const REACH = 6, MOST_BESIDE = 0.5; // cells in which closeness falls by 1/e, and what it is at most where no stroke went

export const sigmoid = logit => 0.5 * Math.tanh(0.5 * logit) + 0.5;

// {start, s3, changed, strokes}: logits that the prompt began from, and what became of them; the cells that differ, 0 or 1;
// and the prompt's strokes with clicks in the middle of boxes in which no object was found.
export async function edited(scene, { boxes, strokes, mask }) {
  const { image, grid } = scene;
  const start = mask ? meanInCells(mask, grid).map(value => SHARPER * logitOf(value)) : scene.s3;
  const there = mask ? start.map(sigmoid) : scene.found;
  const inside = boxes.length ? boxCover(boxes, image, grid) : null;
  const limited = logits => inside ? logits.map((logit, at) => inside[at] > 0 ? logit : Math.min(logit, -SURE)) : logits;
  let s3 = limited(start);
  let changed = Uint8Array.from(there, (value, at) => inside?.[at] === 0 && value > NOTICED ? 1 : 0);
  const all = [...sought(scene, boxes, strokes, s3), ...strokes];
  if (all.length) {
    s3 = limited(await spread(scene, s3, all));
    const differs = Uint8Array.from(s3, (logit, at) => Math.abs(sigmoid(logit) - there[at]) > NOTICED ? 1 : 0);
    const reached = connected(differs, strokeLabels(all, image, grid).map(label => label !== 0), grid);
    changed = changed.map((one, at) => one | reached[at]);
  }
  return { start, s3: start.map((logit, at) => changed[at] ? SHARPER * s3[at] : logit), changed, strokes: all };
}

// A box in which no object is found yet holds one: a click in its middle, unless a stroke keeps something there.
function sought({ image, grid }, boxes, strokes, s3) {
  const labels = strokeLabels(strokes, image, grid);
  return boxes.flatMap(box => {
    const [x, y, width, height] = box;
    const cover = boxCover([box], image, grid);
    if (cover.some((share, at) => share > 0 && (s3[at] >= 0 || labels[at] > 0))) return [];
    return [{ points: [[x + width / 2, y + height / 2]], keep: true, width: Math.min(width, height) / 4 }];
  });
}

// The map with strokes spread over what they mean.
async function spread({ image, grid, spread: head }, s3, strokes) {
  let found = s3;
  for (let count = Math.max(1, strokes.length - ROUNDS + 1); count <= strokes.length; count++) {
    const labels = strokeLabels(strokes.slice(0, count), image, grid);
    found = await head(found, closeness(labels, 1, grid), closeness(labels, -1, grid));
  }
  const labels = strokeLabels(strokes, image, grid);
  return found.map((logit, at) =>
    labels[at] > 0 ? Math.max(logit, PINNED) : labels[at] < 0 ? Math.min(logit, -PINNED) : logit);
}

// How close each cell is to those with this label: 1 on them, a half at most beside them; 0 without any.
function closeness(labels, value, { width }) {
  const said = [...labels.keys()].filter(at => labels[at] === value);
  const places = said.map(at => [at % width, Math.floor(at / width)]);
  return Float32Array.from(labels, (label, at) => {
    if (label === value) return 1;
    let nearest = Infinity;
    for (const [x, y] of places) nearest = Math.min(nearest, (at % width - x) ** 2 + (Math.floor(at / width) - y) ** 2);
    return MOST_BESIDE * Math.exp(-Math.sqrt(nearest) / REACH);
  });
}

function logitOf(probability) {
  const inside = Math.min(Math.max(probability, sigmoid(-SURE)), 1 - sigmoid(-SURE));
  return Math.log(inside / (1 - inside));
}
