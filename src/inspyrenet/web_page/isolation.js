// The page under its service worker: then it works offline, and with threads.
const ONCE = "inspyrenet reloaded"; // so that a browser that never isolates the page does not reload it for ever

// Why there is one thread only; null where there are more. May load the page anew. `busy` says that somebody has begun already.
export async function isolate(busy) {
  if (!("serviceWorker" in navigator)) return self.crossOriginIsolated ? null : "this address is not https or localhost";
  try {
    await navigator.serviceWorker.register("service-worker.js");
    await navigator.serviceWorker.ready;
  } catch (error) {
    return self.crossOriginIsolated ? null : `the service worker cannot start: ${error.message}`;
  }
  if (self.crossOriginIsolated) return null;
  if (busy()) return "this is the first visit";
  if (sessionStorage.getItem(ONCE)) return "this browser does not isolate the page";
  sessionStorage.setItem(ONCE, "yes");
  location.reload();
  return new Promise(() => {}); // the page ends here
}
