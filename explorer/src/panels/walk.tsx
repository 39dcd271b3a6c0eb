/** A random walk from one new image to the next. */

import { useEffect, useRef, useState } from "preact/hooks";
import { Slider } from "../parts";
import { saveStrip } from "../save";
import type { Explorer } from "../state";
import { type Code, between } from "../vectors";

const SECONDS = 2; // from one image to the next at speed 1
const KEPT = 240; // frames of the way so far, of which the strip has every fourth

export function Walk({ explorer }: { explorer: Explorer }) {
  const { data, generator, view } = explorer;
  const [walking, setWalking] = useState(false);
  const [speed, setSpeed] = useState(1);
  const pace = useRef(speed);
  pace.current = speed;
  const way = useRef<Code[]>([]);
  const [walked, setWalked] = useState(0);

  useEffect(() => {
    if (!walking) return;
    let stopped = false;
    void (async () => {
      let from: Code = explorer.code.peek().slice();
      while (!stopped) {
        let to: Code;
        try {
          to = await generator.sample(view.temperature.peek(), view.label.peek());
        } catch (error) {
          generator.ontrouble(error as Error);
          return setWalking(false);
        }
        let [share, before] = [0, performance.now()];
        while (share < 1 && !stopped) {
          const now: number = await new Promise(requestAnimationFrame);
          share = Math.min(1, share + ((now - before) * pace.current) / (1000 * SECONDS));
          before = now;
          const code = between(from, to, share * share * (3 - 2 * share)); // slower at both ends
          way.current = [...way.current.slice(1 - KEPT), code];
          view.now.value = { code };
        }
        from = to;
      }
    })();
    return () => {
      stopped = true;
      setWalked(way.current.length);
    };
  }, [walking]);

  return (
    <>
      <p class="note">From one new image to the next, by the generator's own sampler ({data.sampler}).</p>
      <Slider label="Speed" note={`× ${speed.toFixed(1)}`} value={speed} min={0.2} max={4} step={0.1} onInput={setSpeed} />
      <div class="buttons">
        <button type="button" class="primary" aria-pressed={walking} onClick={() => setWalking(!walking)}>
          {walking ? "Stop" : "Walk"}
        </button>
        <button type="button" disabled={walked < 2} onClick={() => void saveStrip(explorer, way.current.filter((_, i) => i % 4 === 0))}>
          Save animated strip
        </button>
      </div>
    </>
  );
}
