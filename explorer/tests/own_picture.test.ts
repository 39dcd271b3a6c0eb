import { expect, it } from "vitest";
import { placed, sizeInHeader } from "../src/own_picture";

const bytes = (...parts: (string | number[])[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => (typeof part === "string" ? [...part].map((letter) => letter.charCodeAt(0)) : part)));

it.each([
  ["PNG", bytes([0x89], "PNG\r\n", [0x1a, 0x0a], [0, 0, 0, 13], "IHDR", [0, 1, 0, 0], [0, 0, 1, 2]), [65536, 258]],
  ["GIF", bytes("GIF89a", [0x20, 0x03, 0x58, 0x02]), [800, 600]],
  ["JPEG", bytes([0xff, 0xd8, 0xff, 0xe0, 0, 4, 0, 0, 0xff, 0xc2, 0, 17, 8, 0x01, 0x00, 0x02, 0x00, 3]), [512, 256]],
  ["WebP", bytes("RIFF", [0, 0, 0, 0], "WEBPVP8X", [10, 0, 0, 0], [0, 0, 0, 0], [0xff, 0xff, 0], [0x0f, 0, 0]), [65536, 16]],
])("reads how large a %s is before anything is decoded", (_, header, size) => {
  expect(sizeInHeader(header)).toEqual(size);
});

it("knows no size of what is no picture, or cut off", () => {
  expect(sizeInHeader(bytes("hello"))).toBeNull();
  expect(sizeInHeader(bytes([0x89], "PNG"))).toBeNull();
  expect(sizeInHeader(bytes([0xff, 0xd8, 0xff, 0xe0]))).toBeNull();
});

it("places a picture as ingest does", () => {
  expect(placed(200, 100, 50, 50, "crop")).toEqual([-25, 0, 100, 50]);
  expect(placed(200, 100, 50, 50, "pad")).toEqual([0, 12.5, 50, 25]);
  expect(placed(20, 10, 50, 50, "fit")).toEqual([15, 20, 20, 10]);
  expect(placed(200, 100, 50, 40, "stretch")).toEqual([0, 0, 50, 40]);
});
