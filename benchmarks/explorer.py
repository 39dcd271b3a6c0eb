"""Size of the explorer's page, time to its first image, and images decoded per second while the pointer moves.

    .venv/bin/python -m benchmarks.explorer FOLDER …

Each FOLDER was written by `make explore OUT=FOLDER`. Needs Playwright and Chromium (`make test-browser` installs Playwright). In
each round a folder is opened by a fresh browser context with an empty cache, from a server on this machine: once with the headers
of `make explore`, which allow threads, and once without, as a plain web host serves it. The peer in the same run is a page that
decodes nothing: its frames per second are the most that any page can reach. The last line is JSON.
"""

from __future__ import annotations

import argparse
import functools
import gzip
import http.server
import json
import statistics
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.tools.explorer.server import server_of
from tests.helpers.chromium import browsing

SECONDS = 4

# Moves the pointer over the map in a circle, a step per frame, and counts frames and decoded images.
CIRCLE = """
async (seconds) => {
  const map = document.querySelector("[data-testid=map]");
  const picture = document.querySelector("[data-testid=picture]");
  const box = map.getBoundingClientRect();
  const count = () => Number(picture.dataset.frames);
  const first = count();
  const began = performance.now();
  let frames = 0;
  for (let now = began; now - began < 1000 * seconds; frames++) {
    now = await new Promise(requestAnimationFrame);
    const angle = (now - began) / 400;
    const radius = 0.15 + 0.1 * Math.sin((now - began) / 1100);
    map.dispatchEvent(new PointerEvent("pointermove", {
      pointerType: "mouse", bubbles: true,
      clientX: box.left + box.width * (0.5 + radius * Math.cos(angle)),
      clientY: box.top + box.height * (0.5 + radius * Math.sin(angle)),
    }));
  }
  const took = (performance.now() - began) / 1000;
  return { decoded: (count() - first) / took, frames: frames / took };
}
"""
IDLE = """
async (seconds) => {
  const began = performance.now();
  let frames = 0;
  for (let now = began; now - began < 1000 * seconds; frames++) now = await new Promise(requestAnimationFrame);
  return frames / ((performance.now() - began) / 1000);
}
"""


class _PlainHandler(http.server.SimpleHTTPRequestHandler):
    """Files without the headers that allow threads."""

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: the terminal shows the results."""


@contextmanager
def serve(folder: Path, *, plain: bool) -> Iterator[str]:
    """Serve a folder while the context lasts, and yield its address; plain: without the headers of `make explore`."""
    if plain:
        handler = functools.partial(_PlainHandler, directory=str(folder))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    else:
        server = server_of(folder, port=0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def measure_size(folder: Path) -> dict[str, float]:
    """Return the megabytes of the page and of its data, plain and as a host that compresses would send them."""
    data = folder / "data"
    parts = {
        "page": [path for path in folder.rglob("*") if path.is_file() and data not in path.parents],
        "data": [path for path in data.iterdir() if path.name not in ("encode.onnx", "sample.onnx")],
    }
    sizes = {}
    for name, paths in parts.items():
        sizes[f"{name}_mb"] = round(sum(path.stat().st_size for path in paths) / 1e6, 2)
        sizes[f"{name}_gzip_mb"] = round(sum(len(gzip.compress(path.read_bytes(), 6)) for path in paths) / 1e6, 2)
    return sizes


def measure_speed(browser: Any, folder: Path, *, plain: bool) -> dict[str, float]:
    """Open the page once; return the milliseconds to its first image, and rates per second."""
    with serve(folder, plain=plain) as address:
        context = browser.new_context(viewport={"width": 1280, "height": 1000})
        page = context.new_page()
        page.add_init_script(
            """new MutationObserver(() => {
                if (window.first === undefined && document.querySelector("[data-frames]")) window.first = performance.now();
            }).observe(document, { subtree: true, childList: true, attributes: true });"""
        )
        page.goto(address)
        page.wait_for_selector("[data-frames]")
        first = page.evaluate("window.first")
        idle = page.evaluate(IDLE, 1)
        moved = page.evaluate(CIRCLE, SECONDS)
        context.close()
    return {
        "first_image_ms": first,
        "decoded_per_s": moved["decoded"],
        "frames_per_s": moved["frames"],
        "idle_per_s": idle,
    }


def main() -> None:
    """Print a line per folder and way of serving, and one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    result: dict[str, Any] = {}
    with browsing() as browser:
        for folder in options.folders:
            explorer = json.loads((folder / "data" / "explorer.json").read_text(encoding="utf-8"))
            name = f"{explorer['recipe']} {explorer['height']}x{explorer['width']}x{explorer['channels']}"
            result[name] = measure_size(folder)
            rounds: dict[str, list[dict[str, float]]] = {"threads": [], "plain": []}
            for _ in range(options.rounds):
                for kind, speeds in rounds.items():
                    speeds.append(measure_speed(browser, folder, plain=kind == "plain"))
            for kind, speeds in rounds.items():
                medians = {key: round(statistics.median(speed[key] for speed in speeds), 1) for key in speeds[0]}
                result[name][kind] = medians
                columns = "  ".join(f"{key} {value}" for key, value in medians.items())
                print(f"{name:<32} {kind:<8} {columns}", flush=True)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
