/** The generator, off the main thread: onnxruntime-web runs its ONNX files here. */

import * as ort from "onnxruntime-web/wasm";
import { type Description, Trouble, fetchVerified } from "./data";

export type Task = { id: number } & (
  | { kind: "start"; description: Description; base: string }
  | { kind: "decode"; codes: Float32Array; count: number; label: number }
  | { kind: "encode"; pixels: Uint8Array; label: number }
  | { kind: "sample"; normal: Float32Array; uniform: Float32Array; temperature: number; label: number }
);
export type Answer = { id: number; milliseconds: number } & ({ values: Uint8Array | Float32Array } | { trouble: string });

type Signature = "decode" | "encode" | "sample";

let description: Description;
let base: string; // of the page: a worker's own address is that of its script
const sessions = new Map<Signature, Promise<ort.InferenceSession>>();

async function open(name: Signature): Promise<ort.InferenceSession> {
  const bytes = await fetchVerified(`${name}.onnx`, description, base);
  return ort.InferenceSession.create(bytes, { executionProviders: ["wasm"], graphOptimizationLevel: "all" });
}

function session(name: Signature): Promise<ort.InferenceSession> {
  let found = sessions.get(name);
  if (found === undefined) {
    found = open(name);
    sessions.set(name, found);
    found.catch(() => sessions.delete(name));
  }
  return found;
}

async function run(name: Signature, output: string, feeds: Record<string, ort.Tensor>): Promise<Uint8Array | Float32Array> {
  const opened = await session(name);
  // A sampler that needs no such draws has no such input: N(0, I) is not told which part of it to take.
  const known = Object.fromEntries(opened.inputNames.map((input) => [input, feeds[input]!]));
  const found = await opened.run(known, [output]);
  return found[output]!.data as Uint8Array | Float32Array;
}

function labels(label: number, count: number): Record<string, ort.Tensor> {
  if (!description.conditional) return {};
  return { labels: new ort.Tensor("int64", new BigInt64Array(count).fill(BigInt(label)), [count]) };
}

async function answer(task: Task): Promise<Uint8Array | Float32Array> {
  if (task.kind === "start") {
    ({ description, base } = task);
    ort.env.wasm.wasmPaths = new URL("ort/", base).href;
    // Threads need shared memory, which a page has only where its server sends the two headers of cross-origin isolation.
    ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(4, Math.max(1, navigator.hardwareConcurrency - 1)) : 1;
    await session("decode");
    return new Uint8Array(0);
  }
  const { height, width, channels, latent_dim: dims } = description;
  if (task.kind === "decode") {
    return run("decode", "images", { codes: new ort.Tensor("float32", task.codes, [task.count, dims]), ...labels(task.label, task.count) });
  }
  if (task.kind === "encode") {
    return run("encode", "mean", { images: new ort.Tensor("uint8", task.pixels, [1, height, width, channels]), ...labels(task.label, 1) });
  }
  const count = task.uniform.length;
  return run("sample", "codes", {
    normal: new ort.Tensor("float32", task.normal, [count, dims]),
    uniform: new ort.Tensor("float32", task.uniform, [count]),
    temperature: new ort.Tensor("float32", Float32Array.of(task.temperature), []),
    ...labels(task.label, count),
  });
}

// One after another: a session must not run twice at once.
let queue: Promise<void> = Promise.resolve();

self.onmessage = (event: MessageEvent<Task>): void => {
  const task = event.data;
  queue = queue.then(async () => {
    const began = performance.now();
    try {
      const values = await answer(task);
      const reply: Answer = { id: task.id, milliseconds: performance.now() - began, values };
      self.postMessage(reply, { transfer: [values.buffer as ArrayBuffer] });
    } catch (error) {
      const text = error instanceof Trouble ? error.message : `The generator could not be run here: ${String(error)}`;
      self.postMessage({ id: task.id, milliseconds: 0, trouble: text } satisfies Answer);
    }
  });
};
