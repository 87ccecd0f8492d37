// The page: images come, are cut out one after another, shown and downloaded.
import { BrowserNetwork, ready } from "./index.js";
import { isolate } from "./isolation.js";

const $ = id => document.getElementById(id);
const entries = []; // {file, network, url, button, results: background → address}; then {words}, or {failed}
let shown = null, queue = Promise.resolve();

function say(words, wrong = false) {
  $("status").textContent = words;
  $("status").classList.toggle("wrong", wrong);
}

// -- images come

function add(files) {
  const images = [...files].filter(file => file.type.startsWith("image/") || !file.type);
  if (!images.length) return files.length ? say("That is no image.", true) : undefined;
  document.body.classList.remove("empty");
  const added = images.map(entryOf);
  show(added[0]);
  for (const entry of added) queue = queue.then(() => cutOut(entry));
}

function entryOf(file) {
  const entry = { file, network: new BrowserNetwork(), url: URL.createObjectURL(file), results: new Map() };
  entry.button = document.createElement("button");
  entry.button.className = "waiting";
  entry.button.append(Object.assign(new Image(), { src: entry.url, alt: file.name }));
  entry.button.addEventListener("click", () => show(entry));
  $("list").append(entry.button);
  entries.push(entry);
  return entry;
}

async function cutOut(entry) {
  const begun = performance.now();
  try {
    await starting;
    const { width, height } = await entry.network.open(entry.file);
    await resultOf(entry, typeNow());
    const seconds = ((performance.now() - begun) / 1000).toFixed(1);
    entry.words = `${entry.file.name}: ${width}×${height}, ${seconds} s`;
    $("all").hidden = entries.filter(one => one.words).length < 2;
  } catch (error) {
    entry.failed = `${entry.file.name}: ${error.message}`;
    entry.button.classList.add("wrong");
  }
  entry.button.classList.remove("waiting");
  if (entry === shown) show(entry);
}

// The cut-out as an address, made once for each background.
async function resultOf(entry, type) {
  if (!entry.results.has(type)) entry.results.set(type, URL.createObjectURL(await entry.network.result(type, "png")));
  return entry.results.get(type);
}

// -- an image is shown

const typeNow = () => $("ground").value === "color" ? $("color").value : $("ground").value;

function show(entry) {
  if (entry !== shown) setCompare(0);
  shown = entry;
  for (const one of entries) one.button.setAttribute("aria-current", one === entry);
  $("before").src = entry.url;
  $("before").alt = `${entry.file.name} as it was`;
  $("download").disabled = $("compare").disabled = !entry.words;
  $("pictures").className = entry.words ? "done" : "";
  if (entry.words) showResult(entry, typeNow()).catch(error => say(error.message, true));
  else if (entry.failed) say(entry.failed, true);
  else say(entries.length > 1 ? `Cutting out ${entries.length} images…` : "Cutting out…");
}

async function showResult(entry, type) {
  const address = await resultOf(entry, type);
  if (shown !== entry || type !== typeNow()) return; // meanwhile something else is wanted
  $("after").src = address;
  $("after").alt = `${entry.file.name} cut out`;
  $("after").classList.toggle("plain", type !== "rgba");
  say(entry.words);
}

function setCompare(percent) {
  $("compare").value = percent;
  place();
}

// Where the image lies in the figure, for the pictures and the slider.
function place() {
  const { clientWidth, clientHeight } = $("pictures");
  const { naturalWidth, naturalHeight } = $("before");
  const share = $("compare").value / 100;
  const set = (name, value) => $("pictures").style.setProperty(name, value);
  set("--share", share);
  set("--at", `${100 * share}%`);
  if (!naturalWidth || !clientWidth) return;
  const scale = Math.min(clientWidth / naturalWidth, clientHeight / naturalHeight);
  const [width, height] = [scale * naturalWidth, scale * naturalHeight];
  set("--width", `${width}px`);
  set("--height", `${height}px`);
  set("--left", `${(clientWidth - width) / 2}px`);
  set("--top", `${(clientHeight - height) / 2}px`);
}

async function download(those) {
  const [what, format] = [$("what").value, $("format").value];
  try {
    for (const { file, network } of those) {
      const blob = await network.result(what === "map" ? "map" : typeNow(), format);
      const name = `${file.name.replace(/\.[^.]*$/, "")}.out.${format}`;
      const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
      say(`${name} is downloaded.`);
    }
  } catch (error) {
    say(error.message, true);
  }
}

// -- what people do

function connect() {
  for (const id of ["more", "choose", "photo"]) $(id).addEventListener("change", () => {
    add($(id).files);
    $(id).value = "";
  });
  const dropping = on => document.body.classList.toggle("dropping", on);
  addEventListener("dragover", event => { event.preventDefault(); dropping(true); });
  addEventListener("dragleave", event => { if (!event.relatedTarget) dropping(false); });
  addEventListener("drop", event => {
    event.preventDefault();
    dropping(false);
    add(event.dataTransfer.files);
  });
  addEventListener("paste", event => add(event.clipboardData.files));
  for (const id of ["ground", "color"]) $(id).addEventListener("change", () => {
    $("color").hidden = $("ground").value !== "color";
    if (shown) show(shown);
  });
  $("compare").addEventListener("input", place);
  $("before").addEventListener("load", place);
  $("download").addEventListener("click", () => download([shown]));
  $("all").addEventListener("click", () => download(entries.filter(entry => entry.words)));
  new ResizeObserver(place).observe($("pictures"));
}

async function start() {
  say("Loading the network, once…");
  const alone = await isolate(() => entries.length > 0);
  const { threads } = await ready();
  $("engine").textContent = threads > 1 ? `${threads} threads` : `One thread: ${alone ?? "this device has one core"}.`;
  if (!entries.length) say(alone ? "Ready." : "Ready, also offline.");
}

connect();
const starting = start();
starting.catch(error => say(error.message, true));
