import { expect, it } from "vitest";
import { type Limits, type View, readAddress, readRef, writeAddress, writeRef } from "../src/address";

const limits: Limits = { generator: "0123456789abcdef", dims: 3, points: 10, labels: 4, maps: ["principal", "tsne"] };
const view: View = {
  tab: "mixture",
  map: "tsne",
  now: { code: Float32Array.of(0.1, -2.5, 1e-7) },
  label: 3,
  temperature: 0.75,
  a: { point: 4 },
  b: { code: Float32Array.of(1, 2, 3) },
  share: 0.125,
  parts: [{ ref: { point: 9 }, weight: 0.5 }, { ref: { code: Float32Array.of(0, 0, 1) }, weight: 1 }],
};

it("holds a view whole", () => {
  const { view: again, trouble } = readAddress(writeAddress(view, limits.generator), limits);
  expect(trouble).toBeNull();
  expect(again).toEqual(view);
});

it("keeps a code to the last bit", () => {
  for (let i = 0; i < 200; i++) {
    const code = Float32Array.from({ length: 3 }, () => (Math.random() - 0.5) * 10 ** (10 * Math.random() - 5));
    expect(readRef(writeRef({ code }), limits)).toEqual({ code });
  }
});

it("of another generator starts afresh, and says so", () => {
  const { view: none, trouble } = readAddress(writeAddress(view, "ffffffff0000"), limits);
  expect(none).toEqual({});
  expect(trouble).toContain("another generator");
});

it.each(["i10", "c", "cAAAA", "x", "i-1", `c${"_".repeat(16)}`])("a code that cannot be is not taken: %s", (text) => {
  expect(readRef(text, limits)).toBeNull();
});

it("names what it could not read, and takes the rest", () => {
  const { view: some, trouble } = readAddress("#tab=nowhere&share=2&temperature=0.5&label=9&mix=i1*x", limits);
  expect(some).toEqual({ temperature: 0.5 });
  expect(trouble).toContain("tab, share, label, mix");
});

it("may be empty", () => {
  expect(readAddress("", limits)).toEqual({ view: {}, trouble: null });
});
