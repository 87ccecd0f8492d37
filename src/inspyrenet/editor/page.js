// The page: what is opened, drawn and downloaded.
import { Asking } from "./asking.js";
import { Drawing } from "./drawing.js";
import { grayOf } from "./gray.js";
import { Input } from "./input.js";
import { View } from "./view.js";

const PHOTO_SIDE = 4096, MASK_SIDE = 512; // pixels that are kept of a photo on the screen, and of a mask
const TOOLS = { k: "keep", r: "remove", e: "erase", b: "box", m: "move" };
const $ = id => document.getElementById(id);

class Page {
  constructor(network) {
    this.network = network;
    this.view = new View($("canvas"));
    this.drawing = new Drawing();
    this.asking = new Asking(prompt => network.ask(prompt), (map, ms) => this.answered(map, ms), error => this.fail(error));
    this.file = null;
    this.input = new Input($("canvas"), this);
  }

  get tool() { return document.querySelector("[name=tool]:checked").value; }
  get width() { return Number($("width").value); }

  // -- an image comes

  async open(file) {
    this.asking.forget();
    document.body.classList.add("busy");
    say("Opening the image…");
    try {
      await this.asking.settled();
      const [photo, opened] = await Promise.all([picture(file, PHOTO_SIDE), this.network.open(file)]);
      this.file = file;
      this.drawing = new Drawing();
      document.body.classList.remove("empty");
      this.view.show(photo, opened);
      this.view.setMap(opened.map);
      this.refresh();
      say("Draw on what should stay, or go.");
    } catch (error) {
      this.fail(error);
    } finally {
      document.body.classList.remove("busy");
    }
  }

  async openMask(file) {
    try {
      const bitmap = await picture(file, MASK_SIDE);
      this.drawing.change({ mask: grayOf(bitmap) });
      this.ask();
    } catch (error) {
      this.fail(error);
    }
  }

  // -- something is drawn (called by Input)

  drawn(item) {
    this.show(item);
    if (item?.kind === "stroke") this.asking.put(this.drawing.prompt(item));
  }

  erase(point, radius) {
    if (this.drawing.erase(point, radius)) this.drawn(null);
  }

  finished(item) {
    if (item) this.drawing.add(item);
    this.ask();
  }

  ask() {
    this.refresh();
    return this.asking.put(this.drawing.prompt());
  }

  answered(map, milliseconds) {
    this.view.setMap(map);
    say(`Answered in ${Math.round(milliseconds)} ms.`);
  }

  fail(error) { say(error.message, true); }

  show(current = null) {
    Object.assign(this.view, { items: this.drawing.state.items, current });
    this.view.paint();
  }

  refresh() {
    this.show();
    $("undo").disabled = !this.drawing.canUndo;
    $("redo").disabled = !this.drawing.canRedo;
    $("clear").disabled = this.drawing.isEmpty;
  }

  // -- buttons

  step(name) {
    this.drawing[name]();
    this.ask();
  }

  chooseTool(name) {
    document.querySelector(`[name=tool][value=${name}]`).checked = true;
    this.showTool();
  }

  showTool() {
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

  compare(on) {
    this.view.before = on;
    $("compare").classList.toggle("main", on);
    this.view.paint();
  }

  async download() {
    const [type, format] = [$("type").value, $("format").value];
    say("Making the picture…");
    try {
      await this.asking.settled();
      const blob = await this.network.result(type === "color" ? $("color").value : type, format);
      save(blob, `${this.file.name.replace(/\.[^.]*$/, "") || "image"}.out.${format}`);
      say(`Downloaded, ${Math.round(blob.size / 1024)} kB.`);
    } catch (error) {
      this.fail(error);
    }
  }
}

function say(text, wrong = false) {
  $("status").textContent = text;
  $("status").classList.toggle("wrong", wrong);
}

// A file as the browser shows it, upright, no side longer than `most` pixels.
async function picture(file, most) {
  const whole = await createImageBitmap(file).catch(() => {
    throw new Error("this browser cannot show this file: choose an image, such as a JPEG, PNG or WebP");
  });
  const scale = most / Math.max(whole.width, whole.height);
  if (scale >= 1) return whole;
  const [resizeWidth, resizeHeight] = [whole.width, whole.height].map(side => Math.max(1, Math.round(side * scale)));
  return createImageBitmap(whole, { resizeWidth, resizeHeight, resizeQuality: "high" });
}

function save(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

function connectFiles(page) {
  for (const id of ["file", "choose", "photo", "mask"]) $(id).addEventListener("change", () => {
    const [file] = $(id).files;
    $(id).value = "";
    if (file) id === "mask" ? page.openMask(file) : page.open(file);
  });
  const dropping = on => document.body.classList.toggle("dropping", on);
  addEventListener("dragover", event => { event.preventDefault(); dropping(true); });
  addEventListener("dragleave", event => { if (!event.relatedTarget) dropping(false); });
  addEventListener("drop", event => {
    event.preventDefault();
    dropping(false);
    if (event.dataTransfer.files[0]) page.open(event.dataTransfer.files[0]);
  });
  addEventListener("paste", event => {
    if (event.clipboardData.files[0]) page.open(event.clipboardData.files[0]);
  });
}

function connectButtons(page) {
  for (const id of ["undo", "redo", "clear"]) $(id).addEventListener("click", () => page.step(id));
  $("in").addEventListener("click", () => page.view.zoom(1.5));
  $("out").addEventListener("click", () => page.view.zoom(1 / 1.5));
  $("fit").addEventListener("click", () => page.view.fit());
  $("download").addEventListener("click", () => page.download());
  $("tools").addEventListener("change", () => page.showTool());
  for (const id of ["ground", "color", "type"]) $(id).addEventListener("input", () => page.showGround());
  const compare = $("compare");
  for (const [name, on] of [["pointerdown", true], ["pointerup", false], ["pointerleave", false], ["blur", false]])
    compare.addEventListener(name, () => page.compare(on));
  for (const [name, on] of [["keydown", true], ["keyup", false]])
    compare.addEventListener(name, event => { if (event.key === " " || event.key === "Enter") page.compare(on); });
}

function connectKeys(page) {
  const keys = {
    "[": () => { $("width").value = page.width - 4; }, "]": () => { $("width").value = page.width + 4; },
    "+": () => page.view.zoom(1.25), "-": () => page.view.zoom(0.8), "0": () => page.view.fit(),
  };
  addEventListener("keydown", event => {
    if (!page.file || event.target.matches("select, input:not([type=radio], [type=range])")) return;
    const key = event.key.toLowerCase();
    if (event.ctrlKey || event.metaKey) {
      if (key !== "z" && key !== "y") return;
      page.step(key === "y" || event.shiftKey ? "redo" : "undo");
    } else if (TOOLS[key]) page.chooseTool(TOOLS[key]);
    else if (key === "c") page.compare(true);
    else if (keys[key]) keys[key]();
    else return;
    event.preventDefault();
  });
  addEventListener("keyup", event => { if (event.key.toLowerCase() === "c") page.compare(false); });
}

// The page, which is shown. network: what answers, see server.js.
export function start(network) {
  const page = new Page(network);
  connectFiles(page);
  connectButtons(page);
  connectKeys(page);
  page.showTool();
  page.showGround();
  addEventListener("pagehide", () => network.close());
  return page;
}
