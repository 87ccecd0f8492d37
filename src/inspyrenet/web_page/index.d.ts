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

/** Cut the object out of an image. Rejects with an Error that says what is wrong. */
export function removeBackground(image: Image, options?: { type?: OutputType; format?: Format }): Promise<Blob>;

/** Load the network before the first image comes; tells how many threads it computes with. */
export function ready(): Promise<{ threads: number }>;

/** One image whose map is kept, so that several results of it take no second look. */
export class BrowserNetwork {
  open(image: Image): Promise<{ width: number; height: number; map: SaliencyMap }>;
  result(type?: OutputType, format?: Format): Promise<Blob>;
  close(): void;
}
