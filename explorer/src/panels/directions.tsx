/** Sliders along the principal directions of the encoded test images. */

import { Slider } from "../parts";
import type { Explorer } from "../state";
import { moved, project } from "../vectors";

export function Directions({ explorer }: { explorer: Explorer }) {
  const { principal } = explorer.data;
  const code = explorer.code.value;
  const places = project(code, principal);
  return (
    <>
      <p class="note">
        The directions in which the codes of test images differ most, in deviations from their mean. Everything else about the code stays.
      </p>
      {places.map((place, k) => {
        const deviation = principal.deviations[k]! || 1;
        return (
          <Slider
            label={`Direction ${k + 1}`}
            note={`${(place / deviation).toFixed(2).replace(/^-0\.00$/, "0.00").replace("-", "−")} · ${Math.round(100 * principal.explained[k]!)}% of the variance`}
            value={place / deviation}
            min={-4}
            max={4}
            step={0.01}
            onInput={(value) => {
              const target = places.map((_, other) => (other === k ? value * deviation : undefined));
              explorer.view.now.value = { code: moved(code, target, principal) };
            }}
          />
        );
      })}
      <div class="buttons">
        <button type="button" onClick={() => (explorer.view.now.value = { code: Float32Array.from(principal.mean) })}>
          Mean of all
        </button>
      </div>
    </>
  );
}
