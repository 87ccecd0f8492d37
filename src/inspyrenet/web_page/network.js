// The network's graphs in onnxruntime-web.
import * as ort from "./ort/ort.wasm.bundle.min.mjs";
import { normalized, resized } from "./resize.js";

const MOST_THREADS = 4;
const GZIP = [0x1f, 0x8b];

// A file that lies here packed, so that no host needs to pack it on its way. One that unpacks it by itself is fine too.
async function unpacked(name) {
  const answer = await fetch(new URL(name, import.meta.url));
  if (!answer.ok) throw new Error(`${name} could not be loaded: the server answered ${answer.status}`);
  const data = await answer.arrayBuffer();
  if (!GZIP.every((byte, at) => new Uint8Array(data)[at] === byte)) return data;
  return new Response(new Blob([data]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

export async function openNetwork() {
  const names = ["network.json", "ort/ort-wasm-simd-threaded.wasm.gz", "encoder.onnx.gz", "decoder.onnx.gz"];
  const [words, wasmBinary, ...graphs] = await Promise.all(names.map(unpacked));
  const threads = self.crossOriginIsolated ? Math.min(MOST_THREADS, navigator.hardwareConcurrency) : 1;
  Object.assign(ort.env.wasm, { wasmBinary, numThreads: threads });
  const sessions = [];
  for (const graph of graphs) // one by one: the runtime starts with the first
    sessions.push(await ort.InferenceSession.create(new Uint8Array(graph), { executionProviders: ["wasm"] }));
  return new Network(JSON.parse(new TextDecoder().decode(words)), ...sessions, threads);
}

class Network {
  constructor(settings, encoder, decoder, threads) {
    Object.assign(this, { settings, encoder, decoder, threads, last: Promise.resolve() });
    [this.height, this.width] = settings.size;
  }

  // RGBA pixels, whatever their size → probabilities, float32 (height, width) of the network. One image at a time.
  saliency(pixels) {
    const found = this.last.then(() => this.#run(pixels));
    this.last = found.catch(() => {}); // told to whom it belongs
    return found;
  }

  async #run(pixels) {
    const { width, height } = this;
    const input = normalized(resized(pixels, { width, height }), this.settings);
    const features = await this.encoder.run({ image: new ort.Tensor("float32", input, [1, 3, height, width]) });
    const { S0 } = await this.decoder.run(features, ["S0"]);
    return Float32Array.from(S0.data, logit => 0.5 * Math.tanh(0.5 * logit) + 0.5);
  }
}
