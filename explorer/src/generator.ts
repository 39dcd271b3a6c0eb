/** The generator as the page sees it: asks the worker, and keeps only the newest of what it cannot keep up with. */

import { type Data, Trouble } from "./data";
import type { Answer, Task } from "./worker";
import { type Code, normals } from "./vectors";

type Without<T> = T extends unknown ? Omit<T, "id"> : never;

export class Generator {
  private readonly worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  private readonly waiting = new Map<number, { done: (answer: Answer) => void; fail: (error: Error) => void }>();
  private last = 0;
  private busy = false;
  private pending: { code: Code; label: number } | null = null;
  /** Called with the newest image [H·W·C], and how long it took to decode, in milliseconds. */
  onimage: (code: Code, pixels: Uint8Array, milliseconds: number) => void = () => {};
  ontrouble: (trouble: Error) => void = () => {};

  private constructor(readonly data: Data) {
    this.worker.onmessage = (event: MessageEvent<Answer>) => {
      const { done, fail } = this.waiting.get(event.data.id)!;
      this.waiting.delete(event.data.id);
      if ("trouble" in event.data) fail(new Trouble(event.data.trouble));
      else done(event.data);
    };
    this.worker.onerror = (event) => {
      const trouble = new Trouble(`The page's worker could not be started (${event.message || "no reason given"}). Reload the page, or try another browser.`);
      for (const { fail } of this.waiting.values()) fail(trouble);
      this.waiting.clear();
    };
  }

  static async start(data: Data): Promise<Generator> {
    const generator = new Generator(data);
    const { codes: _codes, pointLabels: _labels, places: _places, sheetUrl: _sheet, ...description } = data;
    await generator.ask({ kind: "start", description, base: document.baseURI });
    return generator;
  }

  /** Shows a code as soon as the worker is free; of several that wait, only the newest is decoded. */
  show(code: Code, label: number): void {
    if (this.busy) {
      this.pending = { code, label };
      return;
    }
    this.busy = true;
    void this.decode([code], label)
      .then(({ pixels, milliseconds }) => this.onimage(code, pixels, milliseconds))
      .catch(this.ontrouble)
      .finally(() => {
        this.busy = false;
        const next = this.pending;
        this.pending = null;
        if (next) this.show(next.code, next.label);
      });
  }

  /** Decodes codes: pixels [N·H·W·C]. */
  async decode(codes: Code[], label: number): Promise<{ pixels: Uint8Array; milliseconds: number }> {
    const all = new Float32Array(codes.length * this.data.latent_dim);
    codes.forEach((code, index) => all.set(code, index * this.data.latent_dim));
    const { values, milliseconds } = await this.ask({ kind: "decode", codes: all, count: codes.length, label });
    return { pixels: values as Uint8Array, milliseconds };
  }

  /** The mean of an image's posterior. */
  async encode(pixels: Uint8Array, label: number): Promise<Code> {
    return (await this.ask({ kind: "encode", pixels, label })).values as Float32Array;
  }

  /** The code of a new image, from the generator's own sampler. */
  async sample(temperature: number, label: number): Promise<Code> {
    const [normal, uniform] = [normals(this.data.latent_dim), Float32Array.of(Math.random())];
    return (await this.ask({ kind: "sample", normal, uniform, temperature, label })).values as Float32Array;
  }

  private ask(task: Without<Task>): Promise<Answer & { values: Uint8Array | Float32Array }> {
    this.last += 1;
    const id = this.last;
    return new Promise((done, fail) => {
      this.waiting.set(id, { done: (answer) => done(answer as Answer & { values: Uint8Array }), fail });
      this.worker.postMessage({ ...task, id });
    });
  }
}
