/** Class means, and the way from any image towards a label. */

import { signal } from "@preact/signals";
import { Slider, Thumbnail } from "../parts";
import type { Explorer } from "../state";
import { type Code } from "../vectors";

const MOST = 40;
const towards = signal<{ label: number; from: Code; share: number } | null>(null);

export function Labels({ explorer }: { explorer: Explorer }) {
  const { data, means, view } = explorer;
  const known = means.flatMap((mean, label) => (mean === null ? [] : [{ mean, label }])).slice(0, MOST);
  const active = towards.value;
  const go = (label: number, from: Code, share: number): void => {
    const [mean, all] = [means[label]!, data.principal.mean];
    towards.value = { label, from, share };
    view.now.value = { code: from.map((value, i) => value + share * (mean[i]! - all[i]!)) };
  };
  return (
    <>
      <p class="note">The mean of each label's codes; and from the image at hand, the way from the mean of all towards that label.</p>
      <ul class="means">
        {known.map(({ mean, label }) => (
          <li>
            <button type="button" class="bare" onClick={() => (view.now.value = { code: mean.slice() })} aria-label={`Mean of ${data.labels[label]}`}>
              <Thumbnail explorer={explorer} of={() => ({ code: mean })} label={`Mean of ${data.labels[label]}`} />
            </button>
            <span>{data.labels[label]}</span>
            <button type="button" aria-pressed={active?.label === label} onClick={() => go(label, explorer.code.value.slice(), 0.5)}>
              More like this
            </button>
          </li>
        ))}
      </ul>
      {active && (
        <Slider
          label={`More like ${data.labels[active.label]}`}
          note={`${Math.round(100 * active.share)}%`}
          value={active.share}
          min={-1}
          max={2}
          step={0.01}
          onInput={(share) => go(active.label, active.from, share)}
        />
      )}
    </>
  );
}
