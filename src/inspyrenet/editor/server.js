// The network behind inspyrenet's HTTP server. The page knows a network by these four functions alone, so that the one of
// inspyrenet/web_page, which computes in the browser, can stand in its place:
//   open(file) → {width, height, map}   the image's size and the network's own map
//   ask(prompt) → map                   the map with a prompt; for one that cannot be, an Error with `refused`
//   result(type, format) → Blob         the picture for the prompt that was asked last
//   close()                             the image is not needed any more
// One in the browser has a fifth, picture(side) → ImageBitmap: the cut-out for the screen with the object's own colors.
// A map, and a prompt's mask, is {width, height, gray}, gray being bytes row by row, 255 the object; it is stretched over the
// image. A prompt is {boxes: [[x, y, width, height]], strokes: [{points: [[x, y]], keep, width}], mask or null}, in pixels of
// the image.
import { grayOf } from "./gray.js";

const GONE = 410;

export class ServerNetwork {
  constructor(address) {
    this.address = address;
    this.id = this.file = null;
    this.words = "{}";
  }

  async open(file) {
    this.close();
    this.file = file;
    this.words = "{}";
    return this.#open();
  }

  async ask(prompt) {
    const words = JSON.stringify({ ...prompt, mask: prompt.mask && inWords(prompt.mask) });
    const map = await mapOf(await this.#post("map", words));
    this.words = words;
    return map;
  }

  result(type, format) {
    return this.#post(`result?${new URLSearchParams({ type, format })}`, this.words);
  }

  close() {
    if (this.id) this.#forget(this.id);
    this.id = this.file = null;
  }

  #forget(id) {
    fetch(`${this.address}images/${id}`, { method: "DELETE", keepalive: true }).catch(() => {});
  }

  async #open() {
    const { file } = this;
    const body = new FormData();
    body.append("file", file);
    const opened = await (await answered(fetch(`${this.address}images`, { method: "POST", body }))).json();
    if (this.file !== file) { // it was closed or replaced meanwhile
      this.#forget(opened.id);
      throw new Error("the image was closed before it was open");
    }
    this.id = opened.id;
    const png = Uint8Array.from(atob(opened.map), letter => letter.charCodeAt(0));
    return { width: opened.width, height: opened.height, map: await mapOf(new Blob([png], { type: "image/png" })) };
  }

  // The server forgets images that nobody draws on for a while; then it gets them again.
  async #post(what, words) {
    const send = () => answered(fetch(`${this.address}images/${this.id}/${what}`, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: words,
    }));
    try {
      return await (await send()).blob();
    } catch (error) {
      if (error.status !== GONE || !this.file) throw error; // without a file, it was closed here
      await this.#open();
      return (await send()).blob();
    }
  }
}

async function answered(request) {
  const answer = await request.catch(error => { throw new Error(`the server does not answer: ${error.message}`); });
  if (answer.ok) return answer;
  const said = await answer.json().catch(() => null); // a proxy may say anything
  const { status } = answer;
  throw Object.assign(new Error(said?.error ?? `the server answered ${status}`), { status, refused: status === 422 });
}

async function mapOf(blob) {
  return grayOf(await createImageBitmap(blob));
}

function inWords(mask) {
  let letters = "";
  for (let at = 0; at < mask.gray.length; at += 8192)
    letters += String.fromCharCode(...mask.gray.subarray(at, at + 8192));
  return { width: mask.width, height: mask.height, gray: btoa(letters) };
}
