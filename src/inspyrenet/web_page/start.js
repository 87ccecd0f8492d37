// The page of inspyrenet/editor with the network that runs in this browser.
import { BrowserNetwork, ready } from "./index.js";
import { isolate } from "./isolation.js";
import { say, start } from "./page.js";

async function load() {
  say("Loading the network, once…");
  const { offline, alone } = await isolate(() => page.images.length > 0);
  const { threads } = await ready();
  const engine = document.getElementById("engine");
  engine.textContent = threads > 1 ? `${threads} threads` : `One thread: ${alone ?? "this device has one core"}.`;
  if (!page.images.length) say(offline ? "Ready, also offline." : "Ready.");
}

const loading = Promise.resolve().then(load);
const page = start({ network: () => new BrowserNetwork(), many: true, ready: loading });
loading.catch(error => say(error.message, true));
