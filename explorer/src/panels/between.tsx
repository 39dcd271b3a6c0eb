/** From A to B, along the straight line between their codes. */

import { Slider, Thumbnail } from "../parts";
import { saveStrip } from "../save";
import type { Explorer } from "../state";
import { between } from "../vectors";

const FRAMES = 24;

export function Between({ explorer }: { explorer: Explorer }) {
  const { view } = explorer;
  const at = (share: number): Float32Array => between(explorer.codeOf(view.a.value), explorer.codeOf(view.b.value), share);
  const scrub = (share: number): void => {
    view.share.value = share;
    view.now.value = { code: at(share) };
  };
  return (
    <>
      <p class="note">Point at an image on the map (or drop one of your own), and set it as A or B.</p>
      <div class="ends">
        {(["a", "b"] as const).map((end) => (
          <figure>
            <button type="button" class="bare" onClick={() => explorer.go(view[end].value)} aria-label={`Show ${end.toUpperCase()}`}>
              <Thumbnail explorer={explorer} of={() => view[end].value} label={`${end.toUpperCase()}: ${explorer.name(view[end].value)}`} />
            </button>
            <figcaption>
              {end.toUpperCase()}: {explorer.name(view[end].value)}
            </figcaption>
          </figure>
        ))}
      </div>
      <Slider label="From A to B" note={`${Math.round(100 * view.share.value)}%`} value={view.share.value} min={0} max={1} step={0.005} onInput={scrub} />
      <div class="buttons">
        <button type="button" onClick={() => void saveStrip(explorer, Array.from({ length: FRAMES }, (_, i) => at(i / (FRAMES - 1))))}>
          Save animated strip
        </button>
        <button
          type="button"
          onClick={() => {
            [view.a.value, view.b.value] = [view.b.value, view.a.value];
            view.share.value = 1 - view.share.value;
          }}
        >
          Swap
        </button>
      </div>
    </>
  );
}
