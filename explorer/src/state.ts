/** The state of the page, and the few things that change it. */

import { type Signal, batch, computed, effect, signal } from "@preact/signals";
import { type Ref, type View, readAddress, writeAddress } from "./address";
import type { Data } from "./data";
import type { Generator } from "./generator";
import { type Code, codeOf, labelMeans } from "./vectors";

export interface Own {
  code: Code;
  pixels: Uint8Array;
  name: string;
}

export class Explorer {
  readonly view: { [Key in keyof View]: Signal<View[Key]> };
  /** The newest decoded image, [H·W·C], and of which code it is. */
  readonly shown = signal<{ pixels: Uint8Array; milliseconds: number; frames: number } | null>(null);
  /** A sentence for a person, in place of nothing. */
  readonly trouble = signal<string | null>(null);
  /** The picture that was dropped, as the network sees it. */
  readonly own = signal<Own | null>(null);
  readonly means: (Code | null)[];
  readonly code;
  private saving = 0;

  constructor(
    readonly data: Data,
    readonly generator: Generator,
  ) {
    const limits = {
      generator: data.generator,
      dims: data.latent_dim,
      points: data.points,
      labels: data.conditional ? data.labels.length : 0,
      maps: data.maps,
    };
    const read = readAddress(location.hash, limits);
    const first: View = {
      tab: "directions",
      map: data.maps[0]!,
      now: { point: 0 },
      label: data.conditional ? Math.max(0, data.pointLabels[0] ?? 0) : -1,
      temperature: 1,
      a: { point: 0 },
      b: { point: Math.min(1, data.points - 1) },
      share: 0.5,
      parts: [],
      ...read.view,
    };
    this.view = Object.fromEntries(Object.entries(first).map(([key, value]) => [key, signal(value)])) as unknown as Explorer["view"];
    this.trouble.value = read.trouble;
    this.means = labelMeans(data.codes, data.pointLabels, data.latent_dim, data.labels.length);
    this.code = computed(() => this.codeOf(this.view.now.value));
    generator.onimage = (_code, pixels, milliseconds) => {
      this.shown.value = { pixels, milliseconds, frames: (this.shown.peek()?.frames ?? 0) + 1 };
    };
    generator.ontrouble = (trouble) => (this.trouble.value = trouble.message);
    effect(() => generator.show(this.code.value, this.view.label.value));
    effect(() => {
      const address = writeAddress(this.now(), data.generator);
      window.clearTimeout(this.saving);
      this.saving = window.setTimeout(() => history.replaceState(null, "", address), 200);
    });
    window.addEventListener("hashchange", () => {
      const again = readAddress(location.hash, limits);
      batch(() => {
        for (const [key, value] of Object.entries(again.view)) (this.view[key as keyof View] as { value: unknown }).value = value;
        this.trouble.value = again.trouble;
      });
    });
  }

  now(): View {
    return Object.fromEntries(Object.entries(this.view).map(([key, value]) => [key, value.value])) as unknown as View;
  }

  codeOf(ref: Ref): Code {
    return "code" in ref ? ref.code : codeOf(this.data.codes, ref.point, this.data.latent_dim);
  }

  /** Shows a code, or an encoded test image; of a model that takes labels, by the image's own. */
  go(ref: Ref): void {
    batch(() => {
      this.view.now.value = ref;
      if (this.data.conditional && "point" in ref) {
        const label = this.data.pointLabels[ref.point]!;
        if (label >= 0) this.view.label.value = label;
      }
    });
  }

  /** What to call a code. */
  name(ref: Ref): string {
    if ("code" in ref) return "A code between images";
    const label = this.data.labels[this.data.pointLabels[ref.point]!];
    return `Test image ${ref.point + 1}${label === undefined ? "" : `, ${label}`}`;
  }
}
