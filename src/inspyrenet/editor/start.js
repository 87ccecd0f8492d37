// The page with the network of the server that it comes from.
import { start } from "./page.js";
import { ServerNetwork } from "./server.js";

start(new ServerNetwork(new URL(".", location)));
