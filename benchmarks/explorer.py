"""How heavy the explorer's page is, how soon it shows an image, and how many it decodes a second while the pointer moves.

``.venv/bin/python benchmarks/explorer.py FOLDER …``: folders that `make explore OUT=FOLDER` wrote. Needs Playwright and Chromium
(`make test-browser`). Each folder is opened anew in each round, with nothing kept from before, from a server of this machine:
once with the headers of `make explore`, by which the page may use threads, once without, as a plain web host would serve it.
The peer in the same run is a timer of 60 frames a second: what a page reaches that decodes nothing.
"""

from __future__ import annotations

import argparse
import functools
import gzip
import http.server
import json
import statistics
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from chromium import browsing  # noqa: E402

from pipeline.tools.explorer.server import server_of  # noqa: E402

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


class _Plain(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


@contextmanager
def serving(folder: Path, *, plain: bool) -> Iterator[str]:
    if plain:
        handler = functools.partial(_Plain, directory=str(folder))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    else:
        server = server_of(folder, port=0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def weigh(folder: Path) -> dict[str, float]:
    """Megabytes of a folder's parts, as they are and as a host that packs would send them."""
    data = folder / "data"
    parts = {"page": [path for path in folder.rglob("*") if path.is_file() and data not in path.parents]}
    parts["data"] = [path for path in data.iterdir() if path.name not in ("encode.onnx", "sample.onnx")]
    found = {}
    for name, paths in parts.items():
        found[f"{name}_mb"] = round(sum(path.stat().st_size for path in paths) / 1e6, 2)
        found[f"{name}_gzip_mb"] = round(sum(len(gzip.compress(path.read_bytes(), 6)) for path in paths) / 1e6, 2)
    return found


def measure(browser: Any, folder: Path, *, plain: bool) -> dict[str, float]:
    with serving(folder, plain=plain) as address:
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    result: dict[str, Any] = {}
    with browsing() as browser:
        for folder in options.folders:
            described = json.loads((folder / "data" / "explorer.json").read_text())
            name = f"{described['recipe']} {described['height']}x{described['width']}x{described['channels']}"
            result[name] = weigh(folder)
            found: dict[str, list[dict[str, float]]] = {"threads": [], "plain": []}
            for _ in range(options.rounds):
                for kind, rounds in found.items():
                    rounds.append(measure(browser, folder, plain=kind == "plain"))
            for kind, rounds in found.items():
                medians = {key: round(statistics.median(one[key] for one in rounds), 1) for key in rounds[0]}
                result[name][kind] = medians
                print(
                    f"{name:<32} {kind:<8} " + "  ".join(f"{key} {value}" for key, value in medians.items()), flush=True
                )
    print(json.dumps(result))


if __name__ == "__main__":
    main()
