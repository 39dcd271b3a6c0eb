/** Pixels [H·W·C] of the generator, on a canvas. */

import type { Data } from "./data";

export function imageData(pixels: Uint8Array, { height, width, channels }: Pick<Data, "height" | "width" | "channels">): ImageData {
  const image = new ImageData(width, height);
  for (let i = 0; i < height * width; i++) {
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = pixels[channels * i + (channels === 1 ? 0 : c)]!;
    image.data[4 * i + 3] = 255;
  }
  return image;
}

export function draw(canvas: HTMLCanvasElement | null, pixels: Uint8Array, data: Data): void {
  canvas?.getContext("2d")?.putImageData(imageData(pixels, data), 0, 0);
}
