import { describe, expect, it } from "vitest";
import { between, labelMeans, moved, nearest, normals, project, weighted } from "../src/vectors";

const code = (...values: number[]): Float32Array => Float32Array.from(values);

describe("codes", () => {
  it("lie between two others by their share", () => {
    expect([...between(code(0, 2), code(4, 0), 0.25)]).toEqual([1, 1.5]);
  });
  it("are mixed by weights that need not add up to one", () => {
    expect([...weighted([{ code: code(0, 0), weight: 1 }, { code: code(4, 8), weight: 3 }])!]).toEqual([3, 6]);
    expect(weighted([{ code: code(1), weight: 0 }])).toBeNull();
  });
  it("move along one principal direction, and keep what they have beside it", () => {
    const principal = { mean: [1, 1, 1], components: [[1, 0, 0], [0, 1, 0]] };
    const there = moved(code(2, 3, 9), [undefined, -5], principal);
    expect(project(there, principal)).toEqual([1, -5]);
    expect(there[2]).toBe(9);
  });
  it("have a mean per label, and none where there is no image", () => {
    const means = labelMeans(code(1, 1, 3, 3, 7, 7), Int32Array.of(0, 0, -1), 2, 2);
    expect(means.map((mean) => mean && [...mean])).toEqual([[2, 2], null]);
  });
});

it("finds the nearest points, nearest first", () => {
  const places = code(0, 0, 10, 0, 1, 0, 0, 3);
  expect(nearest(places, 0, 0, 3).map(({ index }) => index)).toEqual([0, 2, 3]);
});

it("draws from N(0, 1)", () => {
  const drawn = normals(20000);
  const mean = drawn.reduce((sum, value) => sum + value, 0) / drawn.length;
  const variance = drawn.reduce((sum, value) => sum + value * value, 0) / drawn.length;
  expect(Math.abs(mean)).toBeLessThan(0.05);
  expect(Math.abs(variance - 1)).toBeLessThan(0.06);
});
