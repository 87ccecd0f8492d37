"use strict";
const make = (name, text, parent) => {
  const element = document.createElement(name);
  if (text) element.textContent = text;
  if (parent) parent.append(element);
  return element;
};
const labeled = (text, element, form) => { const label = make("label", text, form); label.append(element); };

function describe(spec) {
  for (const [path, verbs] of Object.entries(spec.paths)) for (const [verb, operation] of Object.entries(verbs)) {
    const title = make("h2", "", paths);
    const badge = make("span", verb.toUpperCase(), title);
    badge.className = "verb";
    make("code", " " + path, title);
    make("p", operation.summary, paths);
    const rows = (operation.parameters || []).map(p => [p.in === "path" ? `{${p.name}}` : `?${p.name}=`, p.description || "",
      p.schema.default === undefined ? "" : "default: " + p.schema.default]);
    if (operation.requestBody) rows.unshift(...sent(operation.requestBody.content));
    table(["parameter", "", ""], rows);
    table(["status", "", ""], Object.entries(operation.responses).map(([code, r]) => [code, r.description, ""]));
  }
}

function sent(content) {
  const [[media, { schema }]] = Object.entries(content);
  return Object.entries(schema.properties).map(([name, property]) => [name, property.description || "",
    (media.startsWith("multipart") ? "part of the form" : "JSON") + ((schema.required || []).includes(name) ? ", required" : "")]);
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
  labeled("image", file, form);
  const choices = {
    type: ["rgba", "map", "green", "white", "blur", "overlay", "debug", "#ff0000"],
    mode: Object.keys(health.modes),
    format: ["png", "webp", "jpg", "tif", "bmp"],
  };
  for (const [name, values] of Object.entries(choices)) {
    const select = make("select"); select.name = name;
    values.forEach(value => make("option", value, select));
    labeled(name, select, form);
  }
  const threshold = make("input"); threshold.name = "threshold"; threshold.placeholder = "soft edges";
  labeled("threshold", threshold, form);
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
    const quality = answer.headers.get("Cutout-Quality");
    const known = quality ? `; quality ${Number(quality).toFixed(2)}, ${answer.headers.get("Cutout-Verdict")}` : "";
    said.textContent = `${Math.round(performance.now() - started)} ms, ${Math.round(blob.size / 1024)} kB${known}`;
  } catch (error) { said.textContent = "no answer: " + error.message; }
}

const [paths, said, result] = ["paths", "said", "result"].map(id => document.getElementById(id));
curl.textContent = `curl -F file=@photo.jpg '${location.origin}/api/remove?type=rgba' -o cut.png`;
Promise.all(["openapi.json", "api/health"].map(path => fetch(path).then(answer => answer.json())))
  .then(([spec, health]) => {
    describe(spec);
    offer(spec, health);
    document.getElementById("editor").hidden = !spec.paths["/editor/images"];
  })
  .catch(error => { said.textContent = "the server does not answer: " + error.message; });
