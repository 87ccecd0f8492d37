// Keeps every file of the page, so that it works without a network, and lets it use threads: browsers share memory between them
// only where these headers isolate a page. Written by run/Export.py --web, with the list and a version of what is in it.
const VERSION = "{{version}}";
const FILES = {{files}};
const HEADERS = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Content-Security-Policy": "{{policy}}",
  "X-Content-Type-Options": "nosniff",
};
const NAME = `inspyrenet ${registration.scope} `; // one host may have several such folders

addEventListener("install", event => {
  const requests = FILES.map(name => new Request(name, { cache: "no-cache" }));
  event.waitUntil(caches.open(NAME + VERSION).then(cache => cache.addAll(requests)).then(() => skipWaiting()));
});

addEventListener("activate", event => {
  event.waitUntil((async () => {
    const old = (await caches.keys()).filter(name => name.startsWith(NAME) && name !== NAME + VERSION);
    await Promise.all(old.map(name => caches.delete(name)));
    await clients.claim();
  })());
});

addEventListener("fetch", event => {
  const { request } = event;
  if (request.method === "GET" && request.url.startsWith(registration.scope)) event.respondWith(answered(request));
});

async function answered(request) {
  const cache = await caches.open(NAME + VERSION);
  const found = await cache.match(request, { ignoreSearch: true, ignoreVary: true });
  if (!found) return fetch(request); // of another page that lies below this one
  const headers = new Headers(found.headers);
  for (const [name, value] of Object.entries(HEADERS)) headers.set(name, value);
  return new Response(found.body, { status: found.status, statusText: found.statusText, headers });
}
