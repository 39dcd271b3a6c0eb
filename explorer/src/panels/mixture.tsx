/** Several images at once, by their weights. */

import { Slider, Thumbnail } from "../parts";
import type { Explorer } from "../state";
import { weighted } from "../vectors";

export function Mixture({ explorer }: { explorer: Explorer }) {
  const { view } = explorer;
  const parts = view.parts.value;
  const change = (next: typeof parts): void => {
    view.parts.value = next;
    const code = weighted(next.map(({ ref, weight }) => ({ code: explorer.codeOf(ref), weight })));
    if (code) view.now.value = { code };
  };
  if (!parts.length) return <p class="note">Nothing is mixed yet: point at an image on the map and press “Add to mix”, up to eight times.</p>;
  return (
    <>
      {parts.map((part, index) => (
        <div class="part">
          <Thumbnail explorer={explorer} of={() => view.parts.value[index]?.ref ?? part.ref} label={explorer.name(part.ref)} />
          <Slider
            label={explorer.name(part.ref)}
            value={part.weight}
            min={0}
            max={1}
            step={0.01}
            onInput={(weight) => change(parts.map((other, at) => (at === index ? { ...other, weight } : other)))}
          />
          <button type="button" aria-label={`Remove ${explorer.name(part.ref)}`} onClick={() => change(parts.filter((_, at) => at !== index))}>
            ✕
          </button>
        </div>
      ))}
      <div class="buttons">
        <button type="button" class="primary" onClick={() => change([...parts])}>
          Show the mix
        </button>
      </div>
    </>
  );
}
