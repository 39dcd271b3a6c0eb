/** The decoded image, large, and what can be done with it. */

import { useSignalEffect } from "@preact/signals";
import { useRef } from "preact/hooks";
import type { Ref } from "./address";
import { Slider } from "./parts";
import { draw } from "./pixels";
import { saveCode, saveImage } from "./save";
import type { Explorer } from "./state";

export function Picture({ explorer }: { explorer: Explorer }) {
  const { data, view, shown } = explorer;
  const canvas = useRef<HTMLCanvasElement>(null);
  const note = useRef<HTMLParagraphElement>(null);
  useSignalEffect(() => {
    const now = shown.value;
    if (now === null || canvas.current === null) return;
    draw(canvas.current, now.pixels, data);
    canvas.current.dataset["frames"] = String(now.frames); // for who measures
    note.current!.textContent = `Decoded on your machine in ${now.milliseconds < 10 ? now.milliseconds.toFixed(1) : Math.round(now.milliseconds)} ms.`;
  });
  return (
    <section class="card picture" aria-labelledby="picture-title">
      <h2 id="picture-title">{explorer.name(view.now.value)}</h2>
      <canvas
        ref={canvas}
        data-testid="picture"
        width={data.width}
        height={data.height}
        class={Math.max(data.width, data.height) < 200 ? "sharp" : ""}
        role="img"
        aria-label={`Decoded image of ${explorer.name(view.now.value)}`}
      />
      <p class="note" ref={note} />
    </section>
  );
}

/** What can be done with the image. */
export function Actions({ explorer }: { explorer: Explorer }) {
  const { data, view } = explorer;
  const keep = (): Ref => ("code" in view.now.value ? { code: view.now.value.code.slice() } : view.now.value);
  return (
    <section class="card actions" aria-label="What can be done with the image">
      {data.conditional && (
        <label class="field">
          Label{" "}
          <select value={view.label.value} onChange={(event) => (view.label.value = Number(event.currentTarget.value))}>
            {data.labels.map((name, index) => (
              <option value={index}>{name}</option>
            ))}
          </select>
        </label>
      )}
      <Slider
        label="Temperature of new images"
        value={view.temperature.value}
        min={0}
        max={2}
        step={0.01}
        onInput={(value) => (view.temperature.value = value)}
      />
      <div class="buttons">
        <button type="button" class="primary" onClick={() => void surprise(explorer)}>
          New image
        </button>
        <button type="button" onClick={() => (view.a.value = keep())}>Set as A</button>
        <button type="button" onClick={() => (view.b.value = keep())}>Set as B</button>
        <button type="button" onClick={() => (view.parts.value = [...view.parts.value, { ref: keep(), weight: 1 }].slice(-8))}>Add to mix</button>
        <button type="button" onClick={() => void saveImage(explorer)}>Save image</button>
        <button type="button" onClick={() => saveCode(explorer)}>Save code</button>
      </div>
    </section>
  );
}

/** A code from the generator's own sampler, at the temperature of the page. */
export async function surprise({ generator, view }: Explorer): Promise<void> {
  try {
    view.now.value = { code: await generator.sample(view.temperature.value, view.label.value) };
  } catch (error) {
    generator.ontrouble(error as Error);
  }
}
