// The network's graphs in onnxruntime-web.
import * as ort from "./ort/ort.wasm.bundle.min.mjs";
import { sigmoid } from "./coarse.js";
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
  const names = ["network.json", "ort/ort-wasm-simd-threaded.wasm.gz", "encoder.onnx.gz", "decoder.onnx.gz", "prompt.onnx.gz"];
  const [words, wasmBinary, ...graphs] = await Promise.all(names.map(unpacked));
  const threads = self.crossOriginIsolated ? Math.min(MOST_THREADS, navigator.hardwareConcurrency) : 1;
  Object.assign(ort.env.wasm, { wasmBinary, numThreads: threads });
  const sessions = [];
  for (const graph of graphs) // one by one: the runtime starts with the first
    sessions.push(await ort.InferenceSession.create(new Uint8Array(graph), { executionProviders: ["wasm"] }));
  return new Network(JSON.parse(new TextDecoder().decode(words)), sessions, threads);
}

class Network {
  constructor(settings, [encoder, decoder, head], threads) {
    Object.assign(this, { settings, encoder, decoder, head, threads, last: Promise.resolve() });
    [this.height, this.width] = settings.size;
    this.grid = { width: this.width / 8, height: this.height / 8 }; // of the coarse map
  }

  // Opaque RGBA pixels, whatever their size → {features, own}: what the encoder gives, and the network's own map.
  async see(pixels) {
    const { width, height } = this;
    const input = normalized(resized(pixels, { width, height }), this.settings);
    const features = await this.#run(this.encoder, { image: tensor(input, 3, this) });
    return { features, own: await this.finest(features, features.S3.data) };
  }

  // Features and logits of a coarse map → probabilities, float32 (height, width) of the network.
  async finest(features, s3) {
    const { S0 } = await this.#run(this.decoder, { ...features, S3: tensor(s3, 1, this.grid) }, ["S0"]);
    return S0.data.map(sigmoid);
  }

  // Logits of a coarse map as the head changes them. colors: (3, h, w); current, keep, remove: (h, w) of the grid.
  async spread({ x2, f3, S3 }, { colors, current, keep, remove }) {
    const [now, kept, gone] = [current, keep, remove].map(values => tensor(values, 1, this.grid));
    const inputs = { colors: tensor(colors, 3, this.grid), x2, f3, own: S3, current: now, keep: kept, remove: gone };
    return (await this.#run(this.head, inputs, ["S3"])).S3.data;
  }

  // One after another: the runtime has one memory.
  #run(session, ...values) {
    const found = this.last.then(() => session.run(...values));
    this.last = found.catch(() => {}); // told to whom it belongs
    return found;
  }
}

const tensor = (values, channels, { width, height }) => new ort.Tensor("float32", values, [1, channels, height, width]);
