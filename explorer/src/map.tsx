/** The map of encoded test images: where the pointer is, that point is decoded. */

import { useSignalEffect } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Data, MapKind } from "./data";
import type { Explorer } from "./state";
import { type Code, codeOf, moved, nearest, project, weighted } from "./vectors";

export const COLOURS = ["#0f766e", "#e4572e", "#3d6fd1", "#b3469b", "#d99a00", "#5a9e2f", "#7a5bd0", "#8a5a3b", "#00a0c4", "#d1436b"];
const OTHER = "#8b98a5";
const SNAP = 4; // CSS pixels within which a dot is taken for itself
const TIP = 104; // CSS pixels, about, that a test image with its label is high
const NAMES: Record<MapKind, string> = {
  latent: "The two latent dimensions",
  principal: "Principal components",
  tsne: "t-SNE",
};
const HOW: Record<MapKind, string> = {
  latent: "Every point of this map is a code.",
  principal: "A point between the dots is decoded from the plane of the two principal directions; on a dot, from its own code.",
  tsne: "A point between the dots is decoded from a mixture of its eight nearest neighbours' codes: t-SNE has no way back.",
};

export interface Frame {
  x: number;
  y: number;
  scale: number; // CSS pixels per unit of the map
}

/** Where the map's coordinates lie on a canvas of so many CSS pixels: the dots' middle in its middle, with a margin. */
export function frameOf(places: Float32Array, width: number, height: number): Frame {
  let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
  for (let i = 0; i < places.length; i += 2) {
    left = Math.min(left, places[i]!);
    right = Math.max(right, places[i]!);
    top = Math.min(top, places[i + 1]!);
    bottom = Math.max(bottom, places[i + 1]!);
  }
  const scale = 0.9 * Math.min(width / Math.max(right - left, 1e-6), height / Math.max(bottom - top, 1e-6));
  return { x: width / 2 - (scale * (left + right)) / 2, y: height / 2 + (scale * (top + bottom)) / 2, scale };
}

/** The code at a place of a map. On principal components it lies in a plane: through the mean, or through `anchor`. */
export function codeAt(data: Data, kind: MapKind, x: number, y: number, anchor: Code | null): Code {
  if (kind === "latent") return Float32Array.of(x, y).slice(0, data.latent_dim);
  if (kind === "principal") {
    const from = anchor ?? Float32Array.from(data.principal.mean);
    return moved(from, data.principal.components.length > 1 ? [x, y] : [x], data.principal);
  }
  const near = nearest(data.places[kind], x, y, 8);
  return weighted(near.map(({ index, distance }) => ({ code: codeOf(data.codes, index, data.latent_dim), weight: 1 / (distance ** 2 + 1e-9) })))!;
}

interface Place {
  x: number;
  y: number;
  code: Code | null; // that is decoded there; null on a dot
}

/** Where the code that is shown lies on a map; null where that is not known: t-SNE places no code but those it was given. */
function placeOf(explorer: Explorer, kind: MapKind, pointer: Place): [number, number] | null {
  const { data, view } = explorer;
  const now = view.now.value;
  if ("point" in now) return [data.places[kind][2 * now.point]!, data.places[kind][2 * now.point + 1]!];
  if (kind === "latent") return [now.code[0]!, now.code[1] ?? 0];
  if (kind === "principal") {
    const [x, y] = project(now.code, data.principal);
    return [x!, y ?? 0];
  }
  return now.code === pointer.code ? [pointer.x, pointer.y] : null;
}

export function LatentMap({ explorer }: { explorer: Explorer }) {
  const { data, view } = explorer;
  const canvas = useRef<HTMLCanvasElement>(null);
  const place = useRef<Place>({ x: 0, y: 0, code: null }); // of the pointer, on the map
  const mark = useRef<HTMLElement>(null);
  const frame = useRef<Frame>({ x: 0, y: 0, scale: 1 });
  const [over, setOver] = useState<{ index: number; left: number; top: number; width: number; height: number } | null>(null);
  const [held, hold] = useState(false); // by a click, so that the way to a button changes nothing
  const [through, setThrough] = useState(false); // whether the plane goes through the image held last
  const anchor = useRef<Code | null>(null);
  const [drawing, redraw] = useState(0);
  const kind = view.map.value;

  useEffect(() => {
    const observer = new ResizeObserver(() => redraw((value) => value + 1));
    observer.observe(canvas.current!);
    return () => observer.disconnect();
  }, []);

  useSignalEffect(() => {
    void view.map.value;
    redraw((value) => value + 1);
  });

  useEffect(() => {
    const element = canvas.current!;
    const { width, height } = element.getBoundingClientRect();
    const ratio = window.devicePixelRatio || 1;
    element.width = Math.round(width * ratio);
    element.height = Math.round(height * ratio);
    const pen = element.getContext("2d")!;
    pen.scale(ratio, ratio);
    const places = data.places[kind];
    frame.current = frameOf(places, width, height);
    const { x, y, scale } = frame.current;
    const size = data.points > 600 ? 2.2 : 3.2;
    for (let i = 0; i < data.points; i++) {
      const label = data.pointLabels[i]!;
      pen.fillStyle = label < 0 ? OTHER : (COLOURS[label] ?? OTHER);
      pen.globalAlpha = 0.75;
      pen.beginPath();
      pen.arc(x + scale * places[2 * i]!, y - scale * places[2 * i + 1]!, size, 0, 2 * Math.PI);
      pen.fill();
    }
    setMark();
  }, [drawing, kind]);

  const setMark = (): void => {
    const at = placeOf(explorer, view.map.value, place.current);
    const { x, y, scale } = frame.current;
    mark.current!.hidden = at === null;
    if (at) [mark.current!.style.left, mark.current!.style.top] = [`${x + scale * at[0]}px`, `${y - scale * at[1]}px`];
  };
  useSignalEffect(setMark);

  const move = (left: number, top: number): void => {
    const { x, y, scale } = frame.current;
    const here = { x: (left - x) / scale, y: (y - top) / scale };
    const [closest] = nearest(data.places[kind], here.x, here.y, 1);
    if (closest && closest.distance * scale < SNAP) {
      place.current = { ...here, code: null };
      const { width, height } = canvas.current!.getBoundingClientRect();
      setOver({ index: closest.index, left, top, width, height });
      explorer.go({ point: closest.index });
    } else {
      const code = codeAt(data, kind, here.x, here.y, through ? anchor.current : null);
      place.current = { ...here, code };
      setOver(null);
      explorer.go({ code });
    }
  };
  const pointer = (event: PointerEvent): void => {
    if (event.pointerType === "mouse" ? held : event.buttons === 0) return;
    const box = canvas.current!.getBoundingClientRect();
    move(event.clientX - box.left, event.clientY - box.top);
  };
  const key = (event: KeyboardEvent): void => {
    const step = event.shiftKey ? 20 : 5;
    const by = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    const { x, y, scale } = frame.current;
    move(x + scale * place.current.x + by[0]!, y - scale * place.current.y + by[1]!);
  };

  const groups = data.labels.slice(0, COLOURS.length);
  return (
    <section class="card map" aria-labelledby="map-title">
      <div class="row">
        <h2 id="map-title">Map of {data.points.toLocaleString("en")} test images</h2>
        {data.maps.length > 1 && (
          <div role="group" aria-label="Kind of map" class="choice">
            {data.maps.map((each) => (
              <button type="button" aria-pressed={each === kind} onClick={() => (view.map.value = each)}>
                {NAMES[each]}
              </button>
            ))}
          </div>
        )}
      </div>
      <div class="ground">
        <canvas
          ref={canvas}
          data-testid="map"
          tabIndex={0}
          role="application"
          aria-label={`Map, ${NAMES[kind]}. Move the pointer, or press the arrow keys (with Shift: farther), to decode that point.`}
          onPointerMove={pointer}
          onPointerDown={(event) => {
            if (event.pointerType === "mouse") hold(!held);
            else canvas.current!.setPointerCapture(event.pointerId);
            pointer(event);
            if (!held) anchor.current = explorer.code.peek();
          }}
          onPointerLeave={() => setOver(null)}
          onKeyDown={key}
        />
        <i class={held ? "here held" : "here"} ref={mark} hidden />
        {over && <SheetPicture data={data} {...over} />}
      </div>
      {groups.length > 1 && (
        <ul class="legend">
          {groups.map((name, index) => (
            <li>
              <i style={{ background: COLOURS[index] }} /> {name}
            </li>
          ))}
          {data.labels.length > groups.length && (
            <li>
              <i style={{ background: OTHER }} /> {data.labels.length - groups.length} more
            </li>
          )}
        </ul>
      )}
      {kind === "principal" && data.latent_dim > 2 && (
        <label class="field">
          <input type="checkbox" checked={through} onChange={(event) => setThrough(event.currentTarget.checked)} /> Through the image held last, and not
          through the mean: everything beside the two directions stays as it is there
        </label>
      )}
      <p class="note" data-testid="held">
        {held ? "Held: the pointer changes nothing until you click the map again." : "A click holds an image, so that you can use it."} {HOW[kind]}
      </p>
    </section>
  );
}

/** A test image itself, from the sheet of all, beside the pointer. */
function SheetPicture({ data, index, left, top, width, height }: {
  data: Data;
  index: number;
  left: number;
  top: number;
  width: number; // of the map
  height: number;
}) {
  const { columns, side } = data.sheet;
  const scale = 64 / side;
  return (
    <figure
      class={left > width / 2 ? "tip left" : "tip"}
      style={{ left: `${left}px`, top: `${Math.min(height - TIP / 2, Math.max(TIP / 2, top))}px` }}
      aria-hidden="true"
    >
      <div
        style={{
          width: "64px",
          height: "64px",
          backgroundImage: `url(${data.sheetUrl})`,
          backgroundSize: `${columns * side * scale}px auto`,
          backgroundPosition: `-${(index % columns) * side * scale}px -${Math.floor(index / columns) * side * scale}px`,
        }}
      />
      <figcaption>{data.labels[data.pointLabels[index]!] ?? `image ${index + 1}`}</figcaption>
    </figure>
  );
}
