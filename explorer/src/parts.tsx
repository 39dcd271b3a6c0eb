/** Small parts that several panels have. */

import { useSignalEffect } from "@preact/signals";
import { useRef } from "preact/hooks";
import type { Ref } from "./address";
import type { Explorer } from "./state";
import { draw } from "./pixels";

/** A decoded code, small. */
export function Thumbnail({ explorer, of, label }: { explorer: Explorer; of: () => Ref; label: string }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useSignalEffect(() => {
    const code = explorer.codeOf(of());
    const klass = explorer.view.label.value;
    let stale = false;
    void explorer.generator
      .decode([code], klass)
      .then(({ pixels }) => !stale && draw(canvas.current, pixels, explorer.data))
      .catch(explorer.generator.ontrouble);
    return () => {
      stale = true;
    };
  });
  return <canvas ref={canvas} class="thumbnail" width={explorer.data.width} height={explorer.data.height} role="img" aria-label={label} />;
}

export function Slider({ label, value, min, max, step, note, onInput }: {
  label: string;
  value: number;
  min: number;
  max: number;
  step: number;
  note?: string;
  onInput: (value: number) => void;
}) {
  return (
    <label class="slider">
      <span>
        {label} <output>{note ?? value.toFixed(2)}</output>
      </span>
      <input type="range" aria-label={label} min={min} max={max} step={step} value={value} onInput={(event) => onInput(Number(event.currentTarget.value))} />
    </label>
  );
}
