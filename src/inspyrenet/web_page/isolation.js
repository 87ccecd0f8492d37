// The page under its service worker: then it works offline, and with threads.
const ONCE = "inspyrenet reloaded"; // so that a browser that never isolates the page does not reload it for ever

// {offline, alone}: whether every file is kept here, and why there is one thread only, null where there are more. May load the page
// anew. `busy` says that somebody has begun already.
export async function isolate(busy) {
  const problem = await kept(), offline = !problem;
  if (self.crossOriginIsolated) return { offline, alone: null };
  if (problem) return { offline, alone: problem };
  if (busy()) return { offline, alone: "this is the first visit" };
  if (sessionStorage.getItem(ONCE)) return { offline, alone: "the page is not isolated, load it again" };
  sessionStorage.setItem(ONCE, "yes");
  location.reload();
  return new Promise(() => {}); // the page ends here
}

// Null once the service worker keeps every file, or why it does not.
async function kept() {
  if (!("serviceWorker" in navigator)) return "this address is not https or localhost";
  try {
    await activated(await navigator.serviceWorker.register("service-worker.js"));
    return null;
  } catch (error) {
    return `the service worker does not start (${error.message})`;
  }
}

// It is not where a file is missing, or the disk is full.
function activated({ active, installing, waiting }) {
  const worker = active ?? waiting ?? installing;
  return new Promise((resolve, reject) => {
    const look = () => {
      if (worker.state === "activated") resolve();
      if (worker.state === "redundant") reject(new Error("not every file could be kept"));
    };
    worker.addEventListener("statechange", look);
    look();
  });
}
