/** A picture of the visitor's own, as the network sees it: as near to what ingest does as a browser comes. */

import { type Data, Trouble } from "./data";

export const MOST_BYTES = 64 * 2 ** 20;
export const MOST_PIXELS = 100_000_000; // as preprocess.max_pixels

/** Width and height that a PNG, GIF, BMP, WebP or JPEG says it has, before anything is decoded; null where it says none. */
export function sizeInHeader(bytes: Uint8Array): [number, number] | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = (at: number, length: number): string => String.fromCharCode(...bytes.subarray(at, at + length));
  try {
    if (text(1, 3) === "PNG") return [view.getUint32(16), view.getUint32(20)];
    if (text(0, 3) === "GIF") return [view.getUint16(6, true), view.getUint16(8, true)];
    if (text(0, 2) === "BM") return [view.getInt32(18, true), Math.abs(view.getInt32(22, true))];
    if (text(0, 4) === "RIFF" && text(8, 7) === "WEBPVP8") {
      const kind = text(15, 1);
      if (kind === " ") return [view.getUint16(26, true) & 0x3fff, view.getUint16(28, true) & 0x3fff];
      if (kind === "L") return [(view.getUint32(21, true) & 0x3fff) + 1, ((view.getUint32(21, true) >> 14) & 0x3fff) + 1];
      return [24, 27].map((at) => view.getUint16(at, true) + (view.getUint8(at + 2) << 16) + 1) as [number, number];
    }
    if (bytes[0] === 0xff && bytes[1] === 0xd8) {
      for (let at = 2; at + 9 < bytes.length; at += 2 + view.getUint16(at + 2)) {
        const marker = bytes[at + 1]!;
        if (bytes[at] !== 0xff) return null;
        if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) return [view.getUint16(at + 7), view.getUint16(at + 5)];
      }
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // shorter than its header
  }
  return null;
}

/** Where a picture of w × h goes in a frame of W × H: crop covers it, pad fits inside, fit does so without enlarging. */
export function placed(w: number, h: number, W: number, H: number, geometry: Data["geometry"]): [number, number, number, number] {
  if (geometry === "stretch") return [0, 0, W, H];
  let scale = geometry === "crop" ? Math.max(W / w, H / h) : Math.min(W / w, H / h);
  if (geometry === "fit") scale = Math.min(1, scale);
  return [(W - w * scale) / 2, (H - h * scale) / 2, w * scale, h * scale];
}

/** Pixels [H·W·C] of a file. Throws Trouble where it is none that can be used. */
export async function readPicture(file: Blob & { name?: string }, data: Data): Promise<Uint8Array> {
  const name = file.name ?? "the picture";
  if (file.size > MOST_BYTES) throw new Trouble(`${name}: expected at most 64 MB, found ${Math.round(file.size / 2 ** 20)} MB.`);
  const size = sizeInHeader(new Uint8Array(await file.slice(0, 1 << 20).arrayBuffer()));
  if (size && size[0] * size[1] > MOST_PIXELS) {
    throw new Trouble(`${name}: expected at most 100 million pixels, found ${size[0].toLocaleString("en")} × ${size[1].toLocaleString("en")}.`);
  }
  const bitmap = await createImageBitmap(file).catch(() => null);
  if (bitmap === null) throw new Trouble(`${name}: expected a picture (PNG, JPEG, WebP, GIF or BMP), found something else, or a damaged one.`);
  const { width, height, channels } = data;
  let source: CanvasImageSource = bitmap;
  let [w, h] = [bitmap.width, bitmap.height];
  const [left, top, wide, tall] = placed(w, h, width, height, data.geometry);
  // Halved until it is near: one step of a canvas looks at four pixels only.
  while (w / 2 >= wide && h / 2 >= tall && w > 1 && h > 1) {
    const half = new OffscreenCanvas(Math.ceil(w / 2), Math.ceil(h / 2));
    const pen = half.getContext("2d")!;
    pen.imageSmoothingQuality = "high";
    pen.drawImage(source, 0, 0, half.width, half.height);
    [source, w, h] = [half, half.width, half.height];
  }
  const frame = new OffscreenCanvas(width, height);
  const pen = frame.getContext("2d", { willReadFrequently: true })!;
  pen.fillStyle = `rgb(${data.background.join(" ")})`;
  pen.fillRect(0, 0, width, height);
  pen.imageSmoothingQuality = "high";
  pen.drawImage(source, left, top, wide, tall);
  bitmap.close();
  const { data: rgba } = pen.getImageData(0, 0, width, height);
  const pixels = new Uint8Array(height * width * channels);
  for (let i = 0; i < height * width; i++) {
    const [r, g, b] = [rgba[4 * i]!, rgba[4 * i + 1]!, rgba[4 * i + 2]!];
    if (channels === 1) pixels[i] = Math.round(0.299 * r + 0.587 * g + 0.114 * b); // ITU-R BT.601, as Pillow
    else pixels.set([r, g, b], 3 * i);
  }
  return pixels;
}
