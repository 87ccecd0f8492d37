// The page with the network of the server that it comes from.
import { say, start } from "./page.js";
import { ServerNetwork } from "./server.js";

const page = start({ network: () => new ServerNetwork(new URL(".", location)) });
if (location.hash.length > 1) named(location.hash.slice(1)).then(file => page.add([file]), error => say(error.message, true));

// The image that another page of this server names behind #, by an address relative to this page.
async function named(address) {
  const url = new URL(address, location);
  if (url.origin !== location.origin) throw new Error("images of other servers are not opened: save it, and choose it here");
  const answer = await fetch(url);
  if (!answer.ok) throw new Error("the image is not there any more: choose it here");
  const blob = await answer.blob();
  return new File([blob], decodeURIComponent(url.pathname.split("/").pop()), { type: blob.type });
}
