// One image that is drawn on: the canvas, the tools and their keys, and what the network answers.
import { Asking } from "./asking.js";
import { Drawing } from "./drawing.js";
import { grayOf } from "./gray.js";
import { Input } from "./input.js";
import { View } from "./view.js";

const PHOTO_SIDE = 4096, MASK_SIDE = 512; // pixels that are kept of a photo on the screen, and of a mask
const TOOLS = { k: "keep", r: "remove", e: "erase", b: "box", m: "move" };
const $ = id => document.getElementById(id);

export class Editor {
  // say(words, wrong = false) tells the person.
  constructor(say) {
    Object.assign(this, { say, view: new View($("canvas")), image: null });
    this.refining = new Asking(question => this.#picture(question), () => {}, error => this.say(error.message, true));
    this.input = new Input($("canvas"), this);
    this.#connectButtons();
    this.#connectKeys();
    this.#showTool();
    this.showGround();
  }

  get tool() { return document.querySelector("[name=tool]:checked").value; }
  get width() { return Number($("width").value); }

  // -- an image comes. It is {file, network}, gets {drawing, asking, changes} here, and {size, map} from its network

  prepare(image) {
    const drawing = new Drawing();
    const asking = new Asking(({ prompt }) => image.network.ask(prompt),
      (map, milliseconds, { state }) => this.#answered(image, map, milliseconds, state),
      (error, { state }) => this.#failed(image, error, state));
    return Object.assign(image, { drawing, asking, accepted: drawing.state, changes: 0 });
  }

  // Shows the photo, and the cut-out where there is a map already. Returns once all is seen.
  async show(image) {
    const known = image.map;
    this.input.drop();
    this.image = image;
    this.view.show(null, this.view.size);
    this.#compare(0);
    this.#refresh();
    this.loading = picture(image.file, PHOTO_SIDE).then(photo => {
      if (image === this.image) this.view.show(photo.bitmap, image.size ?? photo.size);
      else photo.bitmap.close();
    });
    await this.loading;
    if (known) await this.opened(image);
  }

  // An image has its map.
  async opened(image) {
    if (image !== this.image) return;
    await this.loading;
    if (image !== this.image) return;
    this.view.resize(image.size);
    this.view.setMap(image.map);
    this.#refresh();
    await this.#refine();
  }

  async openMask(file) {
    const { image } = this; // until the mask is read, another may be shown
    try {
      image.drawing.change({ mask: grayOf((await picture(file, MASK_SIDE)).bitmap) });
      await this.#ask(image);
    } catch (error) {
      this.say(error.message, true);
    }
  }

  // -- something is drawn (called by Input)

  drawn(item) {
    if (!this.image.map) return;
    this.#show(item);
    if (item?.kind === "stroke") this.#put(this.image, item);
  }

  erase(point, radius) {
    if (this.image.drawing.erase(point, radius)) this.drawn(null);
  }

  // Something begins that may be canceled, and then nothing of it stays.
  begun() {
    this.before = this.image.drawing.state;
  }

  canceled() {
    if (!this.image.map) return;
    this.image.drawing.restore(this.before);
    this.#ask();
  }

  finished(item) {
    if (!this.image.map) return;
    if (item) this.image.drawing.add(item);
    this.#ask();
  }

  async #ask(image = this.image) {
    this.#refresh();
    const answer = this.#put(image), isNew = this.#sinceNow(image);
    await answer;
    if (isNew()) await this.#refine();
  }

  #put(image, item) {
    image.changes++;
    return image.asking.put({ prompt: image.drawing.prompt(item), state: item ? null : image.drawing.state });
  }

  // state: of the drawing, or null where something was still being drawn.
  #answered(image, map, milliseconds, state) {
    image.map = map;
    image.accepted = state ?? image.accepted;
    if (image !== this.image) return;
    this.view.setMap(map);
    this.say(`Answered in ${Math.round(milliseconds)} ms.`);
  }

  // What cannot be said is taken back: otherwise everything that is drawn after it would be refused, too.
  #failed(image, error, state) {
    if (error.refused && state === image.drawing.state) {
      image.drawing.restore(image.accepted);
      if (image === this.image) this.#refresh();
    }
    this.say(image === this.image ? error.message : `${image.file.name}: ${error.message}`, true);
  }

  // With the object's own colors in its edges, where the network finds them in the browser: that takes longer than a stroke may.
  async #refine() {
    const { network } = this.image;
    if (network.picture) await this.refining.put({ network, isNew: this.#sinceNow(this.image) });
  }

  async #picture({ network, isNew }) {
    if (!isNew()) return;
    const refined = await network.picture(PHOTO_SIDE);
    if (isNew()) this.view.setPicture(refined);
    else refined.close();
  }

  // What says whether this image is shown, and nothing was drawn on it since now.
  #sinceNow(image) {
    const { changes } = image;
    return () => image === this.image && changes === image.changes;
  }

  #show(current = null) {
    Object.assign(this.view, { items: this.image.drawing.state.items, current });
    this.view.paint();
  }

  #refresh() {
    const { drawing } = this.image;
    this.#show();
    $("undo").disabled = !drawing.canUndo;
    $("redo").disabled = !drawing.canRedo;
    $("clear").disabled = drawing.isEmpty;
  }

  // -- buttons and keys

  #step(name) {
    if (!this.image?.map) return;
    this.image.drawing[name]();
    this.#ask();
  }

  #chooseTool(name) {
    document.querySelector(`[name=tool][value=${name}]`).checked = true;
    this.#showTool();
  }

  #showTool() {
    const { tool } = this;
    $("canvas").className = tool === "move" ? "move" : tool === "box" ? "" : "brush";
    this.view.marks.brush = null;
    this.view.paint();
  }

  showGround() {
    const ground = $("ground").value;
    $("color").hidden = ground !== "color" && $("type").value !== "color";
    this.view.ground = ground === "color" ? $("color").value : ground;
    this.view.paint();
  }

  #compare(percent) {
    $("compare").value = percent;
    this.view.before = percent / 100;
    this.view.paint();
  }

  #connectButtons() {
    for (const id of ["undo", "redo", "clear"]) $(id).addEventListener("click", () => this.#step(id));
    $("in").addEventListener("click", () => this.view.zoom(1.5));
    $("out").addEventListener("click", () => this.view.zoom(1 / 1.5));
    $("fit").addEventListener("click", () => this.view.fit());
    $("tools").addEventListener("change", () => this.#showTool());
    for (const id of ["ground", "color", "type"]) $(id).addEventListener("input", () => this.showGround());
    $("compare").addEventListener("input", () => this.#compare($("compare").value));
  }

  #connectKeys() {
    let compared = null; // percent, until the key is released
    const keys = {
      "[": () => { $("width").value = this.width - 4; }, "]": () => { $("width").value = this.width + 4; },
      "+": () => this.view.zoom(1.25), "-": () => this.view.zoom(0.8), "0": () => this.view.fit(),
      c: () => { compared ??= $("compare").value; this.#compare(100); },
    };
    addEventListener("keydown", event => {
      if (!this.image?.map || event.target.matches("select, input:not([type=radio], [type=range], [type=file])")) return;
      const key = event.key.toLowerCase();
      if (event.altKey && key !== "[" && key !== "]") return; // many keyboards make brackets with it
      if (!event.altKey && (event.ctrlKey || event.metaKey)) {
        if (key !== "z" && key !== "y") return;
        this.#step(key === "y" || event.shiftKey ? "redo" : "undo");
      } else if (TOOLS[key]) this.#chooseTool(TOOLS[key]);
      else if (keys[key]) keys[key]();
      else return;
      event.preventDefault();
    });
    addEventListener("keyup", event => {
      if (event.key.toLowerCase() !== "c" || compared === null) return;
      this.#compare(compared);
      compared = null;
    });
  }
}

// {bitmap, size}: a file as the browser shows it, upright, no side longer than `most` pixels, and how large it is itself.
async function picture(file, most) {
  const whole = await createImageBitmap(file).catch(() => {
    throw new Error("this browser cannot show this file: choose an image, such as a JPEG, PNG or WebP");
  });
  const size = { width: whole.width, height: whole.height }, scale = most / Math.max(whole.width, whole.height);
  if (scale >= 1) return { bitmap: whole, size };
  const [resizeWidth, resizeHeight] = [whole.width, whole.height].map(side => Math.max(1, Math.round(side * scale)));
  try {
    return { bitmap: await createImageBitmap(whole, { resizeWidth, resizeHeight, resizeQuality: "high" }), size };
  } finally {
    whole.close();
  }
}
