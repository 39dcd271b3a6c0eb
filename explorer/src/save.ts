/** Files for the visitor: the image, its code, an animated strip. */

import { GIFEncoder, applyPalette, quantize } from "gifenc";
import type { Data } from "./data";
import { imageData } from "./pixels";
import type { Explorer } from "./state";
import type { Code } from "./vectors";

const SIDE = 256; // pixels: smaller images are enlarged by a whole number to about this in a strip
const FRAME = 80; // milliseconds

function offer(name: string, blob: Blob): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

export async function saveImage({ data, shown }: Explorer): Promise<void> {
  const canvas = new OffscreenCanvas(data.width, data.height);
  canvas.getContext("2d")!.putImageData(imageData(shown.value!.pixels, data), 0, 0);
  offer(`${data.recipe}.png`, await canvas.convertToBlob({ type: "image/png" }));
}

export function saveCode({ data, code, view }: Explorer): void {
  const content = {
    generator: data.generator,
    code: Array.from(code.value),
    ...(data.conditional ? { label: data.labels[view.label.value] } : {}),
  };
  offer(`${data.recipe}-code.json`, new Blob([`${JSON.stringify(content, null, 1)}\n`], { type: "application/json" }));
}

/** Decodes codes and offers them as an animated GIF, there and back. */
export async function saveStrip({ data, generator, view }: Explorer, codes: Code[]): Promise<void> {
  const pictures: Uint8Array[] = [];
  const size = data.height * data.width * data.channels;
  for (let first = 0; first < codes.length; first += 8) {
    const { pixels } = await generator.decode(codes.slice(first, first + 8), view.label.value);
    for (let i = 0; i < pixels.length; i += size) pictures.push(pixels.slice(i, i + size));
  }
  offer(`${data.recipe}-strip.gif`, new Blob([gif([...pictures, ...pictures.slice(1, -1).reverse()], data)], { type: "image/gif" }));
}

export function gif(pictures: Uint8Array[], data: Pick<Data, "height" | "width" | "channels">): Uint8Array<ArrayBuffer> {
  const factor = Math.max(1, Math.floor(SIDE / Math.max(data.width, data.height)));
  const encoder = GIFEncoder();
  for (const pixels of pictures) {
    const image = imageData(pixels, data).data;
    const palette = quantize(image, 256);
    const indices = applyPalette(image, palette);
    const large = new Uint8Array(indices.length * factor * factor);
    const width = data.width * factor;
    for (let y = 0; y < data.height * factor; y++) {
      const row = Math.floor(y / factor) * data.width;
      for (let x = 0; x < width; x++) large[y * width + x] = indices[row + Math.floor(x / factor)]!;
    }
    encoder.writeFrame(large, width, data.height * factor, { palette, delay: FRAME });
  }
  encoder.finish();
  return encoder.bytes() as Uint8Array<ArrayBuffer>;
}
