"""The page at /docs: what the API takes, drawn from /openapi.json, and a form to try it. Loads nothing from elsewhere."""

PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; img-src blob: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}

PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>inspyrenet API</title>
<link rel="icon" href="data:,">
<style>
:root { color-scheme: light dark; --line: #8884; --accent: #0f766e; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.6rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2.2rem 0 .6rem; }
code, pre { font: 14px/1.5 ui-monospace, monospace; }
pre { overflow-x: auto; padding: .8rem 1rem; border: 1px solid var(--line); border-radius: 8px; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; vertical-align: top; padding: .35rem .8rem .35rem 0; border-bottom: 1px solid var(--line); }
.verb { background: var(--accent); color: #fff; border-radius: 5px; padding: .1rem .5rem; font-size: .8rem; }
form { display: grid; gap: .8rem; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); align-items: end; }
label { display: grid; gap: .2rem; font-size: .9rem; }
input, select, button { font: inherit; padding: .45rem; border-radius: 6px; border: 1px solid var(--line); }
input { min-width: 0; }
button { background: var(--accent); color: #fff; border: 0; cursor: pointer; }
#result { display: block; max-width: 100%; max-height: 70vh; border-radius: 8px; margin-top: 1rem;
  background: repeating-conic-gradient(#ccc 0 25%, #fff 0 50%) 0 0 / 24px 24px; }
#said { min-height: 1.5em; }
</style>
</head>
<body>
<h1>inspyrenet</h1>
<p>Cut objects out of images over HTTP. This description for programs: <a href="openapi.json">openapi.json</a></p>
<pre id="curl"></pre>
<h2>Try it</h2>
<form id="try"></form>
<p id="said" role="status"></p>
<img id="result" alt="the result" hidden>
<div id="paths"></div>
<script>
"use strict";
const make = (name, text, parent) => {
  const element = document.createElement(name);
  if (text) element.textContent = text;
  if (parent) parent.append(element);
  return element;
};
const labelled = (text, element, form) => { const label = make("label", text, form); label.append(element); };

function describe(spec) {
  for (const [path, verbs] of Object.entries(spec.paths)) for (const [verb, operation] of Object.entries(verbs)) {
    const title = make("h2", "", paths);
    const badge = make("span", verb.toUpperCase(), title);
    badge.className = "verb";
    make("code", " " + path, title);
    make("p", operation.summary, paths);
    const rows = (operation.parameters || []).map(p => ["?" + p.name + "=", p.description || "",
      p.schema.default === undefined ? "" : "default: " + p.schema.default]);
    if (operation.requestBody) rows.unshift(["file", "the image, as a part of a multipart form", "required"]);
    table(["parameter", "", ""], rows);
    table(["status", "", ""], Object.entries(operation.responses).map(([code, r]) => [code, r.description, ""]));
  }
}

function table(head, rows) {
  const body = make("table", "", paths);
  if (!rows.length) return;
  for (const [cell, row] of [["th", head], ...rows.map(row => ["td", row])]) {
    const line = make("tr", "", body);
    row.forEach((text, place) => make(place ? "span" : "code", text, make(cell, "", line)));
  }
}

function offer(spec, health) {
  const form = document.getElementById("try");
  const file = make("input"); file.type = "file"; file.name = "file"; file.required = true; file.accept = "image/*";
  labelled("image", file, form);
  const choices = {
    type: ["rgba", "map", "green", "white", "blur", "overlay", "debug", "#ff0000"],
    mode: Object.keys(health.modes),
    format: ["png", "webp", "jpg", "tif", "bmp"],
  };
  for (const [name, values] of Object.entries(choices)) {
    const select = make("select"); select.name = name;
    values.forEach(value => make("option", value, select));
    labelled(name, select, form);
  }
  const threshold = make("input"); threshold.name = "threshold"; threshold.placeholder = "soft edges";
  labelled("threshold", threshold, form);
  make("button", "Cut out", form);
  form.addEventListener("submit", event => { event.preventDefault(); send(form); });
}

async function send(form) {
  const query = new URLSearchParams();
  for (const name of ["type", "mode", "format", "threshold"]) if (form[name].value) query.set(name, form[name].value);
  const body = new FormData();
  body.append("file", form.file.files[0]);
  said.textContent = "…";
  result.hidden = true;
  const started = performance.now();
  try {
    const answer = await fetch("api/remove?" + query, { method: "POST", body });
    if (!answer.ok) { said.textContent = answer.status + ": " + (await answer.json()).error; return; }
    const blob = await answer.blob();
    URL.revokeObjectURL(result.src);
    result.src = URL.createObjectURL(blob);
    result.hidden = false;
    said.textContent = `${Math.round(performance.now() - started)} ms, ${Math.round(blob.size / 1024)} kB`;
  } catch (error) { said.textContent = "no answer: " + error.message; }
}

const [paths, said, result] = ["paths", "said", "result"].map(id => document.getElementById(id));
curl.textContent = `curl -F file=@photo.jpg '${location.origin}/api/remove?type=rgba' -o cut.png`;
Promise.all(["openapi.json", "api/health"].map(path => fetch(path).then(answer => answer.json())))
  .then(([spec, health]) => { describe(spec); offer(spec, health); })
  .catch(error => { said.textContent = "the server does not answer: " + error.message; });
</script>
</body>
</html>
"""
