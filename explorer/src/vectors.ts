/** Arithmetic on codes, all of them Float32Array of the latent dimensions. */

export type Code = Float32Array;

export function codeOf(codes: Float32Array, index: number, dims: number): Code {
  return codes.slice(index * dims, (index + 1) * dims);
}

/** a + share · (b − a). */
export function between(a: Code, b: Code, share: number): Code {
  return a.map((value, i) => value + share * (b[i]! - value));
}

/** The mean of codes by their weights; null where these add up to nothing. */
export function weighted(parts: readonly { code: Code; weight: number }[]): Code | null {
  const total = parts.reduce((sum, part) => sum + part.weight, 0);
  if (!(total > 0)) return null;
  const mean = new Float32Array(parts[0]!.code.length);
  for (const { code, weight } of parts) for (let i = 0; i < mean.length; i++) mean[i]! += (weight / total) * code[i]!;
  return mean;
}

export interface Principal {
  mean: number[];
  components: number[][];
}

/** Where a code lies along the principal directions, from their mean. */
export function project(code: Code, { mean, components }: Principal): number[] {
  return components.map((row) => row.reduce((sum, value, i) => sum + value * (code[i]! - mean[i]!), 0));
}

/** A code moved along principal directions until it lies at `places` there; what it has beside them stays. */
export function moved(code: Code, places: readonly (number | undefined)[], principal: Principal): Code {
  const now = project(code, principal);
  const result = code.slice();
  places.forEach((place, k) => {
    if (place === undefined) return;
    const row = principal.components[k]!;
    for (let i = 0; i < result.length; i++) result[i]! += (place - now[k]!) * row[i]!;
  });
  return result;
}

/** The points nearest to (x, y), nearest first: their numbers and distances. */
export function nearest(places: Float32Array, x: number, y: number, count: number): { index: number; distance: number }[] {
  const found: { index: number; distance: number }[] = [];
  for (let index = 0; index < places.length / 2; index++) {
    const distance = Math.hypot(places[2 * index]! - x, places[2 * index + 1]! - y);
    if (found.length < count || distance < found[found.length - 1]!.distance) {
      found.push({ index, distance });
      found.sort((one, other) => one.distance - other.distance);
      found.length = Math.min(found.length, count);
    }
  }
  return found;
}

/** Mean code of the points of each label; null for a label of none. */
export function labelMeans(codes: Float32Array, labels: Int32Array, dims: number, count: number): (Code | null)[] {
  const sums = Array.from({ length: count }, () => new Float32Array(dims));
  const sizes = new Array<number>(count).fill(0);
  labels.forEach((label, index) => {
    if (label < 0) return;
    sizes[label]! += 1;
    for (let i = 0; i < dims; i++) sums[label]![i]! += codes[index * dims + i]!;
  });
  return sums.map((sum, label) => (sizes[label] ? sum.map((value) => value / sizes[label]!) : null));
}

/** Draws from N(0, 1), by Box and Muller. */
export function normals(count: number, random: () => number = Math.random): Float32Array {
  return Float32Array.from({ length: count }, () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()));
}
