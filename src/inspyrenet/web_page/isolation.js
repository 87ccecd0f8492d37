// The page under its service worker: then it works offline, and with threads.
const ONCE = "inspyrenet reloaded"; // so that a browser that never isolates the page does not reload it for ever

// Why there is one thread only; null where there are more. May load the page anew. `busy` says that somebody has begun already.
export async function isolate(busy) {
  if (!("serviceWorker" in navigator)) return self.crossOriginIsolated ? null : "this address is not https or localhost";
  try {
    await activated(await navigator.serviceWorker.register("service-worker.js"));
  } catch (error) {
    return self.crossOriginIsolated ? null : `the service worker does not start (${error.message})`;
  }
  if (self.crossOriginIsolated) return null;
  if (busy()) return "this is the first visit";
  if (sessionStorage.getItem(ONCE)) return "the page is not isolated, load it again";
  sessionStorage.setItem(ONCE, "yes");
  location.reload();
  return new Promise(() => {}); // the page ends here
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
