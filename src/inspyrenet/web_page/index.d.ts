/** A file, an address (of the same origin, or one that allows it), or whatever createImageBitmap takes. */
export type Image = Blob | string | URL | ImageBitmapSource;

/** Transparent, the map alone, on white, or on a color such as "#ff8800". */
export type OutputType = "rgba" | "map" | "white" | `#${string}`;

export type Format = "png" | "webp";

/** Bytes row by row, 255 the object. */
export interface SaliencyMap {
  width: number;
  height: number;
  gray: Uint8ClampedArray;
}

/** What a person says about the object, in pixels of the image. */
export interface Prompt {
  /** x, y, width, height: nothing outside of all boxes belongs to the object. */
  boxes?: [number, number, number, number][];
  /** Lines that a pen went along, later ones on top; one point is a click. width: of the pen, a fortieth of the longer side. */
  strokes?: { points: [number, number][]; keep?: boolean; width?: number }[];
  /** Of any size, stretched over the image: it takes the place of the network's map. Gray levels, or labels 0 and 1. */
  mask?: SaliencyMap | null;
}

/** Cut the object out of an image. Rejects with an Error that says what is wrong. */
export function removeBackground(image: Image, options?: { type?: OutputType; format?: Format }): Promise<Blob>;

/** Load the network before the first image comes; tells how many threads it computes with. */
export function ready(): Promise<{ threads: number }>;

/** One image whose map is kept, so that several results of it take no second look. */
export class BrowserNetwork {
  open(image: Image): Promise<{ width: number; height: number; map: SaliencyMap }>;
  /** The map with a prompt, which results show from then on; rejects with an Error, `refused` being true, for a prompt that cannot be. */
  ask(prompt: Prompt): Promise<SaliencyMap>;
  /** The cut-out for a canvas, no side longer than that many pixels. */
  picture(side: number): Promise<ImageBitmap>;
  result(type?: OutputType, format?: Format): Promise<Blob>;
  close(): void;
}
