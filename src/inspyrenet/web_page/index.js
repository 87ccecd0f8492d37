// Cuts objects out in the browser. Nothing is sent anywhere: the files beside this one are all that is loaded.
let worker = null, images = 0, questions = 0;
const waiting = new Map(); // number of a question → {resolve, reject}

function ask(name, ...values) {
  worker ??= start();
  const id = ++questions;
  return new Promise((resolve, reject) => {
    waiting.set(id, { resolve, reject });
    worker.postMessage({ id, name, values }, values.filter(value => value instanceof ImageBitmap)); // these move there
  });
}

function start() {
  const started = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
  started.addEventListener("message", ({ data: { id, value, error, refused } }) => {
    if (started !== worker) return; // one that has failed
    const { resolve, reject } = waiting.get(id);
    waiting.delete(id);
    error === undefined ? resolve(value) : reject(Object.assign(new Error(error), { refused }));
  });
  started.addEventListener("error", event => {
    if (started !== worker) return;
    for (const { reject } of waiting.values()) reject(new Error(`worker.js failed: ${event.message ?? "it could not be loaded"}`));
    waiting.clear();
    started.terminate();
    worker = null;
  });
  return started;
}

// Loads the network; {threads} says how many it computes with.
export const ready = () => ask("ready");

// One image and its map. The page that draws knows a network by these functions; see editor/server.js.
export class BrowserNetwork {
  async open(image) {
    this.close();
    const number = this.number = ++images;
    const source = await sourceOf(image);
    if (number !== this.number) {
      source.close?.();
      throw new Error("the image was closed before it was open");
    }
    return ask("open", number, source);
  }

  ask(prompt) {
    return ask("ask", this.number, prompt);
  }

  picture(side) {
    return ask("picture", this.number, side);
  }

  result(type = "rgba", format = "png") {
    return ask("result", this.number, type, format);
  }

  close() {
    if (this.number && worker) ask("close", this.number).catch(() => {}); // without a worker, it is forgotten already
    this.number = null;
  }
}

// A file stays one: it takes less memory than its pixels.
async function sourceOf(image) {
  if (image instanceof Blob) return image;
  if (typeof image !== "string" && !(image instanceof URL)) return createImageBitmap(image);
  const answer = await fetch(image);
  if (!answer.ok) throw new Error(`${image} could not be loaded: the server answered ${answer.status}`);
  return answer.blob();
}

export async function removeBackground(image, { type = "rgba", format = "png" } = {}) {
  const network = new BrowserNetwork();
  try {
    await network.open(image);
    return await network.result(type, format);
  } finally {
    network.close();
  }
}
