// What a person says about an object, checked as in interactive/prompt.py, with the same messages.
import { crosses } from "./line.js";

// A prompt that cannot be; the message says why.
export class PromptError extends Error {}

const MOST = 10_000; // strokes, boxes, and points of a stroke
const FARTHEST = 1_000_000; // pixels from the image's corner: no image is as large
const DEFAULT_WIDTH = 1 / 40; // of a stroke, in longer sides of the image

// A prompt as in index.d.ts → the same with nothing left open. image: {width, height}. Throws PromptError.
export function checked({ boxes = [], strokes = [], mask = null }, image) {
  checkCount(boxes, "boxes");
  checkCount(strokes, "strokes");
  boxes.forEach(checkBox);
  strokes.forEach(checkStroke);
  const standard = DEFAULT_WIDTH * Math.max(image.width, image.height);
  const whole = strokes.map(one => ({ ...one, keep: one.keep ?? true, width: one.width ?? standard }));
  const prompt = { boxes, strokes: whole, mask: mask && levelsOf(mask) };
  checkPlaces(prompt, image);
  if (mask) checkMarks(prompt, image);
  return prompt;
}

function checkStroke({ points, width }) {
  if (!points.length) throw new PromptError("a stroke has at least one point");
  checkCount(points, "points of a stroke");
  for (const point of points) checkNumbers(point, 2, "a point is x, y");
  if (width != null && !(isNumber(width) && width > 0))
    throw new PromptError(`a stroke's width is a number of pixels above 0, not ${width}`);
}

function checkBox(box) {
  checkNumbers(box, 4, "a box is x, y, width, height");
  if (Math.min(box[2], box[3]) <= 0) throw new PromptError(`a box has a width and a height above 0, not ${inWords(box)}`);
}

// Of labels 0 and 1, or of gray levels → of gray levels.
function levelsOf({ width, height, gray }) {
  if (!(width >= 1 && height >= 1)) throw new PromptError(`a mask has a width and a height above 0, not ${width}×${height}`);
  if (gray.length !== width * height)
    throw new PromptError(`a mask of ${width}×${height} has ${grouped(width * height)} bytes, not ${grouped(gray.length)}`);
  const labels = gray.includes(1) && gray.every(value => value <= 1);
  return { width, height, gray: labels ? gray.map(value => 255 * value) : gray };
}

function checkPlaces({ boxes, strokes }, { width, height }) {
  const size = `the image, which has ${width}×${height} pixels`;
  for (const { points, keep } of strokes) {
    const name = `${keep ? "keep" : "remove"} at ${inWords(points[0])}`;
    if (!crosses(points, [[0, 0, width, height]])) throw new PromptError(`${name} lies outside ${size}`);
    if (keep && boxes.length && !crosses(points, boxes))
      throw new PromptError(`${name} lies outside the boxes: nothing outside them is kept`);
  }
  for (const [x, y, across, down] of boxes) {
    const least = Math.min(Math.min(x + across, width) - Math.max(x, 0), Math.min(y + down, height) - Math.max(y, 0));
    const problem = least <= 0 ? "lies outside" : "has less than a pixel of";
    if (least < 1) throw new PromptError(`the box ${inWords([x, y, across, down])} ${problem} ${size}`);
  }
}

function checkMarks({ boxes, strokes, mask }, image) {
  if (boxes.length && !boxes.some(box => marksIn(mask, box, image)))
    throw new PromptError("the mask marks nothing within the boxes, and nothing outside them is kept");
  if (!boxes.length && !strokes.some(one => one.keep) && !mask.gray.some(value => value > 127))
    throw new PromptError("the mask marks nothing: no value of it is a half or more");
}

// A value of a half or more lies in a box, at least in part.
function marksIn({ width, height, gray }, [x, y, boxWidth, boxHeight], image) {
  const across = width / image.width, down = height / image.height;
  const [left, right] = [Math.max(0, Math.trunc(x * across)), Math.ceil((x + boxWidth) * across)];
  const [top, bottom] = [Math.max(0, Math.trunc(y * down)), Math.ceil((y + boxHeight) * down)];
  for (let row = top; row < Math.min(bottom, height); row++)
    if (gray.subarray(row * width + left, row * width + Math.min(right, width)).some(value => value > 127)) return true;
  return false;
}

const isNumber = value => typeof value === "number" && Math.abs(value) <= FARTHEST;
const grouped = number => number.toLocaleString("en");
const inWords = values => values.map(value => typeof value === "number" ? Number(value.toPrecision(6)) : value).join();

function checkNumbers(values, count, what) {
  if (values.length !== count || !values.every(isNumber))
    throw new PromptError(`${what} in pixels, none beyond ${grouped(FARTHEST)}, not ${inWords(values)}`);
}

function checkCount(items, what) {
  if (items.length > MOST) throw new PromptError(`${grouped(items.length)} ${what} are too many: ${grouped(MOST)} at most`);
}
