/** What the explorer is given: a generator's ONNX files, encoded test images, and where they lie on the maps. */

import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";

export type MapKind = "latent" | "principal" | "tsne";
export type Geometry = "crop" | "fit" | "pad" | "stretch";

interface FileEntry {
  size: number;
  sha256: string;
}

/** data/explorer.json, as pipeline/tools/explorer/data.py writes it. */
export interface Description {
  format: number;
  recipe: string;
  title: string;
  generator: string;
  sampler: string;
  height: number;
  width: number;
  channels: number;
  latent_dim: number;
  conditional: boolean;
  labels: string[];
  geometry: Geometry;
  background: [number, number, number];
  points: number;
  principal: { mean: number[]; components: number[][]; deviations: number[]; explained: number[] };
  maps: MapKind[];
  sheet: { columns: number; side: number };
  files: Record<string, FileEntry>;
}

export interface Data extends Description {
  /** Posterior means, [points × latent_dim]. */
  codes: Float32Array;
  /** Index into `labels`, −1 for none: [points]. */
  pointLabels: Int32Array;
  /** [points × 2] for each of `maps`. */
  places: Record<MapKind, Float32Array>;
  /** Small pictures of all test images. */
  sheetUrl: string;
}

/** Something that a person has to be told in place of the page, in a sentence or two. */
export class Trouble extends Error {}

export const FORMAT = 1;

/** Fetches a file of data/, beside the page at `base`, and compares it with its digest. */
export async function fetchVerified(
  name: string,
  description: Pick<Description, "files" | "generator">,
  base: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const expected = description.files[name];
  if (expected === undefined) throw new Trouble(`data/${name}: expected this file in data/explorer.json, found no entry. Build the explorer again.`);
  const response = await fetch(new URL(`data/${name}`, base)).catch(() => null);
  if (!response?.ok) throw new Trouble(`data/${name}: expected a file, found none (${response?.status ?? "no answer"}). Is the server still running?`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  const found = bytesToHex(sha256(bytes));
  if (found !== expected.sha256) {
    throw new Trouble(
      `data/${name} is not the file that this explorer was built with: expected sha256 ${expected.sha256.slice(0, 12)}…, ` +
        `found ${found.slice(0, 12)}…. It does not belong to generator ${description.generator.slice(0, 12)}. Build the explorer again.`,
    );
  }
  return bytes;
}

export async function loadData(): Promise<Data> {
  const response = await fetch("data/explorer.json").catch(() => null);
  if (!response?.ok) throw new Trouble("data/explorer.json: expected what make explore writes, found no such file.");
  const description = (await response.json().catch(() => null)) as Description | null;
  if (description?.format !== FORMAT) {
    throw new Trouble(`data/explorer.json: expected format ${FORMAT}, found ${description?.format ?? "no JSON"}. Build the explorer again.`);
  }
  const [codes, labels, sheet, ...maps] = await Promise.all(
    ["codes.f32", "labels.i32", "sheet.webp", ...description.maps.map((kind) => `${kind}.f32`)].map((name) => fetchVerified(name, description, document.baseURI)),
  );
  const places = {} as Record<MapKind, Float32Array>;
  description.maps.forEach((kind, index) => {
    places[kind] = new Float32Array(maps[index]!.buffer);
  });
  return {
    ...description,
    codes: new Float32Array(codes!.buffer),
    pointLabels: new Int32Array(labels!.buffer),
    places,
    sheetUrl: URL.createObjectURL(new Blob([sheet!], { type: "image/webp" })),
  };
}
