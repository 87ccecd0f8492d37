"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const $ = id => document.getElementById(id);
const metric = Object.fromEntries(data.metrics.map(m => [m.name, m]));
const color = i => `var(--c${i % 8})`;
const show = (name, value) => value == null ? "–" : value.toFixed(metric[name].digits);
let current = 0;          // shown data set
let sorted = null;        // column of the table and direction

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes))
    key.startsWith("on") ? node.addEventListener(key.slice(2), value) : node.setAttribute(key, value);
  node.append(...children);
  return node;
}

// -- table ----------------------------------------------------------------------------------------------------------

function places(set, name) {
  const digits = metric[name].digits;
  const shown = set.methods.map(m => m.values[name]).map(v => v == null ? null : Number(v.toFixed(digits)));
  const sign = metric[name].better === "higher" ? -1 : 1;
  const order = [...new Set(shown.filter(v => v != null))].sort((a, b) => sign * (a - b));
  return shown.map(v => v == null || shown.length < 2 ? -1 : order.indexOf(v));
}

function drawTable() {
  const columns = ["method", "data set", "images", ...data.metrics.map(m => m.name)];
  const lines = data.sets.flatMap(set => {
    const ranks = Object.fromEntries(data.metrics.map(m => [m.name, places(set, m.name)]));
    return set.methods.map((method, i) => ({set, method, i, ranks}));
  });
  const key = (line, column) => column === "method" ? line.method.name : column === "data set" ? line.set.name
    : column === "images" ? line.method.images : line.method.values[column];
  if (sorted) lines.sort((a, b) => {
    const [x, y] = [key(a, sorted.column), key(b, sorted.column)];
    if (x == null || y == null) return (x == null) - (y == null);
    return (x < y ? -1 : x > y ? 1 : 0) * sorted.direction;
  });
  const head = make("tr", {}, ...columns.map(column => {
    const press = event => event.key === "Enter" && sortBy(column);
    const cell = make("th", {onclick: () => sortBy(column), onkeydown: press, tabindex: 0, scope: "col"}, column);
    if (metric[column]) cell.title = `${metric[column].text}; ${metric[column].better} is better`;
    if (sorted && sorted.column === column)
      cell.setAttribute("aria-sort", sorted.direction > 0 ? "ascending" : "descending");
    return cell;
  }));
  const withIntervals = $("show-intervals").checked;
  const body = lines.map(({set, method, i, ranks}) => {
    const count = method.images === method.masks ? String(method.images) : `${method.images} of ${method.masks}`;
    const cells = data.metrics.map(({name}) => {
      const cell = make("td", {class: ["best", "second"][ranks[name][i]] || ""}, show(name, method.values[name]));
      const bounds = method.intervals[name];
      if (bounds && bounds[0] != null) {
        const text = `${show(name, bounds[0])} … ${show(name, bounds[1])}`;
        cell.title = `95 % interval ${text}`;
        if (withIntervals) cell.append(make("small", {}, text));
      }
      return cell;
    });
    return make("tr", {}, make("td", {}, method.name), make("td", {}, set.name), make("td", {}, count), ...cells);
  });
  $("scores").replaceChildren(make("thead", {}, head), make("tbody", {}, ...body));
}

function drawSeeds() {
  const [head, ...lines] = data.seeds.lines;
  if (!head) return;
  const line = kind => cells => make("tr", {}, ...cells.map(cell => make(kind, {}, cell)));
  const table = make("table", {}, make("thead", {}, line("th")(head)), make("tbody", {}, ...lines.map(line("td"))));
  $("seeds").append(make("h2", {}, data.seeds.title), make("div", {class: "scroll"}, table));
}

function sortBy(column) {
  const first = metric[column] && metric[column].better === "higher" ? -1 : 1;
  sorted = sorted && sorted.column === column ? {column, direction: -sorted.direction} : {column, direction: first};
  drawTable();
}

// -- charts ---------------------------------------------------------------------------------------------------------

const W = 300, H = 200, L = 34, B = 22, T = 8, R = 8;
const px = x => L + x * (W - L - R), py = y => H - B - y * (H - B - T);

function frame(xLabels, yLabels) {
  const grid = yLabels.map(([y, text]) => `<line class="grid" x1="${L}" x2="${W - R}" y1="${py(y)}" y2="${py(y)}"/>` +
    `<text x="${L - 5}" y="${py(y) + 3}" text-anchor="end">${text}</text>`);
  const labels = xLabels.map(([x, text]) => `<text x="${px(x)}" y="${H - 6}" text-anchor="middle">${text}</text>`);
  return grid.join("") + labels.join("");
}

function figure(title, side, svg, hover) {
  const node = make("figure", {}, make("figcaption", {}, title, make("span", {}, side)));
  const inner = `${svg}<g class="over"></g>`;
  node.insertAdjacentHTML("beforeend", `<svg viewBox="0 0 ${W} ${H}" role="img" aria-label="${title}">${inner}</svg>`);
  const drawing = node.querySelector("svg"), over = node.querySelector(".over");
  drawing.addEventListener("mousemove", event => {
    const box = drawing.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width * W - L) / (W - L - R);
    if (x < 0 || x > 1) return leave();
    const found = hover(x);
    over.innerHTML = `<line class="cross" x1="${px(found.x)}" x2="${px(found.x)}" y1="${T}" y2="${H - B}"/>`;
    const tip = $("tip");
    tip.textContent = found.text;
    tip.style.display = "block";
    tip.style.left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8) + "px";
    tip.style.top = event.clientY + 14 + "px";
  });
  const leave = () => { over.innerHTML = ""; $("tip").style.display = "none"; };
  drawing.addEventListener("mouseleave", leave);
  return node;
}

const tenths = [0, .25, .5, .75, 1].map(y => [y, String(y)]);
const path = (points, i) => `<path fill="none" stroke="${color(i)}" stroke-width="1.8" stroke-linejoin="round" d="M` +
  points.map(([x, y]) => `${px(x).toFixed(1)} ${py(y).toFixed(1)}`).join("L") + `"/>`;
const each = (set, text) => set.methods.map((m, i) => text(m, i)).filter(Boolean).join("\n");

function thresholdChart(set, name, title) {
  const lines = set.methods.map(m => m.curves && m.curves[name]);
  const paths = lines.map((c, i) => c ? path(c.map((y, t) => [t / 255, Math.min(y, 1)]), i) : "");
  return figure(title, "by threshold", frame([[0, "0"], [.5, "128"], [1, "255"]], tenths) + paths.join(""), x => {
    const t = Math.round(x * 255);
    const values = each(set, (m, i) => lines[i] && `${m.name}  ${lines[i][t].toFixed(4)}`);
    return {x: t / 255, text: `threshold ${t}\n${values}`};
  });
}

function precisionRecall(set) {
  const lines = set.methods.map(m => m.curves);
  const paths = lines.map((c, i) => c ? path(c.recall.map((r, t) => [r, c.precision[t]]), i) : "");
  const nearest = (recall, x) =>
    recall.reduce((best, r, t) => Math.abs(r - x) < Math.abs(recall[best] - x) ? t : best, 0);
  return figure("Precision by recall", "mean over images", frame(tenths, tenths) + paths.join(""), x => {
    const values = each(set, (m, i) => {
      const t = lines[i] && nearest(lines[i].recall, x);
      return lines[i] && `${m.name}  ${lines[i].precision[t].toFixed(4)} at threshold ${t}`;
    });
    return {x, text: `recall ${x.toFixed(2)}\n${values}`};
  });
}

const BINS = 24;

function histogram(set, name) {
  const all = set.values.flatMap(v => v[name] || []).filter(v => v != null);
  const [low, high] = all.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]);
  if (!(high > low)) return null;
  const edge = k => show(name, low + k / BINS * (high - low));
  const counts = set.values.map(values => {
    const count = Array(BINS).fill(0);
    for (const v of values[name] || [])
      if (v != null) count[Math.min(BINS - 1, Math.floor((v - low) / (high - low) * BINS))]++;
    return count;
  });
  const top = Math.max(...counts.flat()), width = (W - L - R) / BINS;
  const bar = (n, k) => n ? `<rect x="${px(k / BINS) + .5}" width="${width - 1}" y="${py(n / top)}" ` +
    `height="${py(0) - py(n / top)}" fill="${color(0)}"/>` : "";
  const steps = (count, i) => path(count.flatMap((n, k) => [[k / BINS, n / top], [(k + 1) / BINS, n / top]]), i);
  const shapes = counts.length === 1 ? counts[0].map(bar) : counts.map(steps);
  const svg = frame([0, .5, 1].map(x => [x, edge(x * BINS)]), [[0, "0"], [1, String(top)]]) + shapes.join("");
  return figure(name, "images", svg, x => {
    const k = Math.min(BINS - 1, Math.floor(x * BINS));
    const values = each(set, (m, i) => `${m.name}  ${counts[i][k]}`);
    return {x: (k + .5) / BINS, text: `${edge(k)} … ${edge(k + 1)}\n${values}`};
  });
}

function drawSet() {
  const set = data.sets[current];
  const pick = i => () => { current = i; drawSet(); drawGallery(); };
  $("sets").replaceChildren(...data.sets.map((s, i) =>
    make("button", {role: "tab", "aria-selected": i === current, onclick: pick(i)}, s.name)));
  $("legend").replaceChildren(...set.methods.map((m, i) =>
    make("span", {}, make("i", {style: `border-color:${color(i)}`}), m.name)));
  const charts = data.metrics.map(m => histogram(set, m.name)).filter(Boolean);
  if (set.methods.some(m => m.curves)) charts.unshift(
    precisionRecall(set), thresholdChart(set, "Fm", "F-measure"), thresholdChart(set, "Em", "E-measure"));
  $("charts").replaceChildren(...charts);
  const chosen = $("sort-method").value;
  const gap = set.methods.length === 2 ? [make("option", {value: "gap"}, "difference of the two")] : [];
  $("sort-method").replaceChildren(...set.methods.map((m, i) => make("option", {value: i}, m.name)), ...gap);
  if ([...$("sort-method").options].some(option => option.value === chosen)) $("sort-method").value = chosen;
}

// -- images ---------------------------------------------------------------------------------------------------------

const STEP = 24;          // rows that are added when the end of the list comes into view
let order = [], drawn = 0;

const own = (set, method, name, i) => (set.values[method][name] || [])[i];

function drawGallery() {
  const set = data.sets[current], name = $("sort-metric").value;
  const who = $("sort-method").value, how = $("sort-order").value, find = $("find").value.toLowerCase();
  const gap = who === "gap";
  const value = i => gap ? Math.abs(own(set, 0, name, i) - own(set, 1, name, i)) : own(set, who, name, i);
  const up = !gap && (metric[name].better === "higher") === (how === "worst") || gap && how === "best";
  order = set.images.map((_, i) => i).filter(i => set.images[i].toLowerCase().includes(find));
  if (how !== "name") order.sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    if (x == null || y == null) return (x == null) - (y == null);
    return up ? x - y : y - x;
  });
  const pictured = Object.keys(set.pictures).length;
  $("count").textContent = `${order.length} images, ${pictured} of ${set.images.length} with pictures`;
  drawn = 0;
  $("gallery").replaceChildren();
  addRows();
}

function addRows() {
  const end = Math.min(order.length, drawn + STEP);
  const rows = order.slice(drawn, end).map(row);
  drawn = end;
  $("gallery").append(...rows);
}

function row(i) {
  const set = data.sets[current], name = $("sort-metric").value;
  const numbers = set.methods.map((m, k) => {
    const text = `${name} ${show(name, own(set, k, name, i))}`;
    return make("span", {class: "quiet"}, set.methods.length > 1 ? `${m.name} ${text}` : text);
  });
  const title = make("header", {}, make("b", {}, set.images[i]), ...numbers);
  return make("article", {class: "row", onclick: () => view(i)}, title, panels(i));
}

function panels(i) {
  const set = data.sets[current], pictures = set.pictures[i];
  if (!pictures) return make("div", {class: "quiet"}, "no picture in this file: its size is limited, worse images come first");
  const [photo, mask, ...maps] = pictures, many = maps.length > 1;
  const panel = (node, text) => make("div", {}, node, text);
  const image = source => make("img", {src: source, loading: "lazy", alt: ""});
  const both = (map, k) => [
    panel(image(map), many ? set.methods[k].name : "map"),
    panel(errorMap(mask, map), many ? "error" : "error: red too much, blue missed"),
  ];
  return make("div", {class: "panels"}, panel(image(photo), "image"), panel(image(mask), "mask"), ...maps.flatMap(both));
}

function errorMap(mask, map) {
  const canvas = make("canvas", {width: 1, height: 1});
  const load = source => new Promise(done => {
    const image = new Image();
    image.onload = () => done(image);
    image.src = source;
  });
  Promise.all([load(mask), load(map)]).then(images => {
    const width = canvas.width = images[0].naturalWidth, height = canvas.height = images[0].naturalHeight;
    const context = canvas.getContext("2d", {willReadFrequently: true});
    const [truth, guess] = images.map(image => {
      context.drawImage(image, 0, 0, width, height);
      return context.getImageData(0, 0, width, height);
    });
    for (let k = 0; k < truth.data.length; k += 4) {
      const error = guess.data[k] - truth.data[k], size = Math.abs(error) / 255;
      const [r, g, b] = error > 0 ? [217, 64, 47] : [47, 111, 217];
      truth.data[k] = 255 + (r - 255) * size;
      truth.data[k + 1] = 255 + (g - 255) * size;
      truth.data[k + 2] = 255 + (b - 255) * size;
    }
    context.putImageData(truth, 0, 0);
  });
  return canvas;
}

function view(i) {
  const set = data.sets[current], dialog = $("viewer");
  const head = make("tr", {}, make("th", {}, "method"), make("th"), ...data.metrics.map(m => make("th", {}, m.name)));
  const lines = set.methods.map((m, k) => make("tr", {}, make("td", {}, m.name), make("td"),
    ...data.metrics.map(({name}) => make("td", {}, show(name, own(set, k, name, i))))));
  const table = make("table", {}, make("thead", {}, head), make("tbody", {}, ...lines));
  dialog.replaceChildren(
    make("button", {onclick: () => dialog.close()}, "close"),
    make("h2", {}, `${set.name} / ${set.images[i]}`),
    panels(i),
    make("div", {class: "scroll"}, table),
  );
  dialog.showModal();
}

// -- start ----------------------------------------------------------------------------------------------------------

$("notes").append(...data.notes.map(text => make("li", {}, text)));
const SECTIONS = {"table-section": "Scores", "set-section": "Curves", "gallery-section": "Images"};
$("tabs").append(...Object.entries(SECTIONS).map(([id, text]) => make("a", {href: "#" + id}, text)));
$("sort-metric").append(...data.metrics.map(m => make("option", {value: m.name}, m.name)));
for (const id of ["sort-metric", "sort-method", "sort-order"]) $(id).addEventListener("change", drawGallery);
$("find").addEventListener("input", drawGallery);
$("show-intervals").addEventListener("change", drawTable);
$("viewer").addEventListener("click", event => event.target === $("viewer") && $("viewer").close());
drawTable();
drawSeeds();
drawSet();
drawGallery();
const nearEnd = seen => seen[0].isIntersecting && drawn < order.length && addRows();
new IntersectionObserver(nearEnd, {rootMargin: "800px"}).observe($("more"));
