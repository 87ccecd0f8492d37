// The page: images come, are cut out one after another, shown, drawn on, and downloaded.
import { Editor } from "./editor.js";

const $ = id => document.getElementById(id);

class Page {
  // network() makes what answers for one image, see server.js. many: several images may be there at once. ready: a promise that
  // the first image waits for.
  constructor({ network, many = false, ready }) {
    Object.assign(this, { network, many, ready, images: [], shown: null, queue: Promise.resolve(), editor: new Editor(say) });
    for (const id of ["file", "choose"]) $(id).multiple = many;
    this.#connect();
  }

  // -- images come

  add(files) {
    const images = [...files].filter(file => file.type.startsWith("image/") || !file.type);
    if (!images.length) return files.length ? say("That is no image.", true) : undefined;
    document.body.classList.remove("empty");
    const added = images.slice(0, this.many ? images.length : 1).map(file => this.#imageOf(file));
    this.show(added[0]);
    for (const image of added) this.queue = this.queue.then(() => this.#cutOut(image));
  }

  #imageOf(file) {
    const image = this.editor.prepare({ file, network: this.network(), button: document.createElement("button") });
    image.url = URL.createObjectURL(file);
    image.button.className = "waiting";
    image.button.append(Object.assign(new Image(), { src: image.url, alt: file.name }));
    image.button.addEventListener("click", () => this.show(image));
    $("list").append(image.button);
    this.images.push(image);
    return image;
  }

  async #cutOut(image) {
    const begun = performance.now();
    try {
      await this.ready;
      const { map, ...size } = await image.network.open(image.file);
      Object.assign(image, { map, size });
      this.#tell(image);
      if (!this.many) this.#replaceOthers(image);
      await this.editor.opened(image);
      image.words = `${size.width}×${size.height}, cut out in ${((performance.now() - begun) / 1000).toFixed(1)} s`;
    } catch (error) {
      image.failed = `${image.file.name}: ${error.message}`;
      image.button.classList.add("wrong");
    }
    image.button.classList.remove("waiting");
    this.#tell(image);
    $("all").hidden = this.images.filter(one => one.words).length < 2;
  }

  // Those that came after it are still to be opened.
  #replaceOthers(image) {
    for (const one of this.images.slice(0, this.images.indexOf(image))) this.#forget(one);
    if (!this.images.includes(this.shown)) this.show(image);
  }

  #forget(image) {
    image.asking.forget();
    image.network.close();
    image.button.remove();
    URL.revokeObjectURL(image.url);
    this.images.splice(this.images.indexOf(image), 1);
  }

  // -- one is shown

  async show(image) {
    this.shown = image;
    for (const one of this.images) one.button.setAttribute("aria-current", one === image);
    this.#tell(image);
    try {
      await this.editor.show(image);
    } catch (error) {
      image.failed ??= `${image.file.name}: ${error.message}`;
      this.#tell(image);
    }
  }

  #tell(image) {
    if (image !== this.shown) return;
    document.body.classList.toggle("busy", !image.map && !image.failed);
    for (const id of ["download", "compare", "mask"]) $(id).disabled = !image.map;
    if (image.failed) say(image.failed, true);
    else if (image.words) say(`Draw to mend it. ${image.words}.`);
    else say(this.images.length > 1 ? `Cutting out ${this.images.length} images…` : "Cutting out…");
  }

  async download(images) {
    const [type, format] = [$("type").value, $("format").value];
    say("Making the picture…");
    const failed = [];
    for (const { file, network, asking } of images) {
      try {
        await asking.settled();
        const blob = await network.result(type === "color" ? $("color").value : type, format);
        save(blob, `${file.name.replace(/\.[^.]*$/, "") || "image"}.out.${format}`);
        say(`Downloaded, ${Math.round(blob.size / 1024)} kB.`);
      } catch (error) {
        failed.push(`${file.name}: ${error.message}`);
      }
    }
    if (failed.length) say(failed.join("; "), true);
  }

  #connect() {
    for (const id of ["file", "choose", "photo"]) $(id).addEventListener("change", () => {
      this.add($(id).files);
      $(id).value = "";
    });
    $("mask").addEventListener("change", () => {
      if ($("mask").files[0]) this.editor.openMask($("mask").files[0]);
      $("mask").value = "";
    });
    $("download").addEventListener("click", () => this.download([this.shown]));
    $("all").addEventListener("click", () => this.download(this.images.filter(one => one.words)));
    const dropping = on => document.body.classList.toggle("dropping", on);
    addEventListener("dragover", event => { event.preventDefault(); dropping(true); });
    addEventListener("dragleave", event => { if (!event.relatedTarget) dropping(false); });
    addEventListener("drop", event => {
      event.preventDefault();
      dropping(false);
      this.add(event.dataTransfer.files);
    });
    addEventListener("paste", event => this.add(event.clipboardData.files));
    addEventListener("pagehide", event => { // for good: from the back/forward cache it comes again as it is
      if (!event.persisted) this.images.forEach(one => one.network.close());
    });
  }
}

export function say(text, wrong = false) {
  $("status").textContent = text;
  $("status").classList.toggle("wrong", wrong);
}

function save(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

// The page, which is shown. options: see Page.
export const start = options => new Page(options);
