/** The state of the page as the fragment of its address, so that a view can be shared. */

import type { MapKind } from "./data";
import type { Code } from "./vectors";

export type Tab = "directions" | "between" | "mixture" | "labels" | "walk";
export const TABS: Tab[] = ["directions", "between", "mixture", "labels", "walk"];

/** A code: an encoded test image by its number, or any other by its values. */
export type Ref = { point: number } | { code: Code };

export interface View {
  tab: Tab;
  map: MapKind;
  now: Ref;
  label: number;
  temperature: number;
  a: Ref;
  b: Ref;
  share: number;
  parts: { ref: Ref; weight: number }[];
}

export interface Limits {
  generator: string;
  dims: number;
  points: number;
  labels: number;
  maps: MapKind[];
}

export function writeRef(ref: Ref): string {
  if ("point" in ref) return `i${ref.point}`;
  const bytes = new Uint8Array(ref.code.buffer, ref.code.byteOffset, ref.code.byteLength);
  return `c${btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
}

export function readRef(text: string, limits: Pick<Limits, "dims" | "points">): Ref | null {
  if (/^i\d+$/.test(text)) {
    const point = Number(text.slice(1));
    return point < limits.points ? { point } : null;
  }
  if (!/^c[\w-]+$/.test(text)) return null;
  try {
    const raw = atob(text.slice(1).replaceAll("-", "+").replaceAll("_", "/"));
    if (raw.length !== 4 * limits.dims) return null;
    const code = new Float32Array(Uint8Array.from(raw, (letter) => letter.charCodeAt(0)).buffer);
    return code.every(Number.isFinite) ? { code } : null;
  } catch {
    return null;
  }
}

export function writeAddress(view: View, generator: string): string {
  const words = new URLSearchParams({
    of: generator.slice(0, 8),
    tab: view.tab,
    map: view.map,
    now: writeRef(view.now),
    a: writeRef(view.a),
    b: writeRef(view.b),
    share: String(round(view.share)),
    temperature: String(round(view.temperature)),
  });
  if (view.label >= 0) words.set("label", String(view.label));
  if (view.parts.length) words.set("mix", view.parts.map((part) => `${writeRef(part.ref)}*${round(part.weight)}`).join("~"));
  return `#${words}`;
}

/** What an address says, as far as it says it; and why some of it could not be used. */
export function readAddress(fragment: string, limits: Limits): { view: Partial<View>; trouble: string | null } {
  const words = new URLSearchParams(fragment.replace(/^#/, ""));
  if (![...words].length) return { view: {}, trouble: null };
  const of = words.get("of");
  if (of !== null && of !== limits.generator.slice(0, 8)) {
    return { view: {}, trouble: `This address belongs to another generator (${of}); this one is ${limits.generator.slice(0, 8)}. It starts afresh.` };
  }
  const view: Partial<View> = {};
  const wrong: string[] = [];
  const take = <T,>(name: string, read: (text: string) => T | null, keep: (value: T) => void): void => {
    const text = words.get(name);
    if (text === null) return;
    const value = read(text);
    if (value === null) wrong.push(name);
    else keep(value);
  };
  const number = (low: number, high: number) => (text: string): number | null => {
    const value = Number(text);
    return text !== "" && value >= low && value <= high ? value : null;
  };
  const one = <T extends string>(among: readonly T[]) => (text: string): T | null => (among.includes(text as T) ? (text as T) : null);
  const ref = (text: string): Ref | null => readRef(text, limits);
  take("tab", one(TABS), (value) => (view.tab = value));
  take("map", one(limits.maps), (value) => (view.map = value));
  take("now", ref, (value) => (view.now = value));
  take("a", ref, (value) => (view.a = value));
  take("b", ref, (value) => (view.b = value));
  take("share", number(0, 1), (value) => (view.share = value));
  take("temperature", number(0, 2), (value) => (view.temperature = value));
  take("label", (text) => (/^\d+$/.test(text) && Number(text) < limits.labels ? Number(text) : null), (value) => (view.label = value));
  take(
    "mix",
    (text) => {
      const parts = text.split("~").map((part) => {
        const [code, weight] = part.split("*");
        return { ref: ref(code ?? ""), weight: number(0, 1)(weight ?? "") };
      });
      return parts.every((part) => part.ref !== null && part.weight !== null) ? (parts as View["parts"]) : null;
    },
    (value) => (view.parts = value),
  );
  return { view, trouble: wrong.length ? `Part of this address could not be read (${wrong.join(", ")}); the rest is shown.` : null };
}

function round(value: number): number {
  return Math.round(value * 10000) / 10000;
}
