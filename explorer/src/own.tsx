/** Where a picture of the visitor's own is dropped, encoded and shown. */

import { useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { readPicture } from "./own_picture";
import { draw } from "./pixels";
import type { Explorer } from "./state";

export async function take(explorer: Explorer, file: Blob & { name?: string }): Promise<void> {
  try {
    const pixels = await readPicture(file, explorer.data);
    const code = await explorer.generator.encode(pixels, explorer.view.label.value);
    explorer.own.value = { code, pixels, name: file.name ?? "your picture" };
    explorer.view.now.value = { code };
    explorer.trouble.value = null;
  } catch (error) {
    explorer.generator.ontrouble(error as Error);
  }
}

export function Own({ explorer }: { explorer: Explorer }) {
  const { data, own } = explorer;
  const canvas = useRef<HTMLCanvasElement>(null);
  useSignalEffect(() => {
    if (own.value) draw(canvas.current, own.value.pixels, data);
  });
  useEffect(() => {
    const over = (event: DragEvent): void => event.preventDefault();
    const drop = (event: DragEvent): void => {
      event.preventDefault();
      const file = event.dataTransfer?.files[0];
      if (file) void take(explorer, file);
    };
    const paste = (event: ClipboardEvent): void => {
      const file = event.clipboardData?.files[0];
      if (file) void take(explorer, file);
    };
    document.addEventListener("dragover", over);
    document.addEventListener("drop", drop);
    document.addEventListener("paste", paste);
    return () => {
      document.removeEventListener("dragover", over);
      document.removeEventListener("drop", drop);
      document.removeEventListener("paste", paste);
    };
  }, []);
  return (
    <section class="card own" aria-labelledby="own-title">
      <h2 id="own-title">A picture of your own</h2>
      <div class="row">
        <canvas
          ref={canvas}
          width={data.width}
          height={data.height}
          class="thumbnail"
          hidden={own.value === null}
          role="img"
          aria-label={`${own.value?.name ?? "Your picture"}, as the network sees it`}
        />
        <div>
          <label class="file">
            <input
              type="file"
              accept="image/*"
              onChange={(event) => {
                const file = event.currentTarget.files?.[0];
                if (file) void take(explorer, file);
                event.currentTarget.value = "";
              }}
            />
            Choose one
          </label>{" "}
          <span class="note">or drop it anywhere, or paste it. It is encoded here and sent nowhere.</span>
          {own.value && (
            <div class="buttons">
              <button type="button" onClick={() => (explorer.view.now.value = { code: own.value!.code })}>
                Show its reconstruction
              </button>
            </div>
          )}
        </div>
      </div>
    </section>
  );
}
