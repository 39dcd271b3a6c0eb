"""Ingest beside its peers, on the same photos, at the same size, on both cores, in one run; and its memory.

    .venv/bin/python -m benchmarks.ingest PHOTOS [--peers-python /path/to/a/python/with/img2dataset]
    .venv/bin/python -m benchmarks.ingest --memory
    .venv/bin/python -m benchmarks.ingest --hostile FOLDER

PHOTOS is a folder of folders of JPEGs. Rounds alternate; rates are medians, ratios are per round. Ours is the whole command, from
sources to sealed Examples. Its start-up (imports, worker processes), measured by ingesting a handful of images, is subtracted and
reported separately. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import statistics as stats
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 3
COPIES = 6  # of the photos, so that a round takes seconds
FEW = 64
HUNG_SECONDS = 600
LARGE_PHOTOS = 48  # of 12 megapixels
PEERS = ("pillow", "img2dataset", "tensorflow", "bare")


def write_recipe(folder: Path, *sources: dict[str, Any], **preprocess: Any) -> Path:
    """Write a recipe for these images, and return its path."""
    recipe = {
        "name": "benchmark",
        "sources": sources,
        "preprocess": {"duplicates": "keep", "validation": 0.2, "test": 0.2, "max_rejected": 1.0, **preprocess},
        "model": {"network": "dense"},
        "loss": {"likelihood": "bernoulli"},
        "beam": {"workers": 2},
    }
    path = folder / "benchmark.yaml"
    path.write_text(json.dumps(recipe), encoding="utf-8")  # JSON is YAML
    return path


def two_sources(folder: Path) -> list[dict[str, Any]]:
    """Return a folder of class folders as two sources, so that a handful of images is listed by as many workers as all are."""
    names = sorted(path.name for path in folder.iterdir())
    halves = names[::2], names[1::2]
    return [{"kind": "folder", "path": f"{folder}/{{{','.join(half)}}}", "label": "first_folder"} for half in halves]


def run(path: Path, runs: Path) -> tuple[int, str, list[int]]:
    """Run the command; return its exit status, its output, and the peak memory of each of its processes, in bytes."""
    command = [sys.executable, "-m", "pipeline", "ingest", "--recipe", str(path), "--runs", str(runs)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    peaks: dict[int, int] = {}
    ended = threading.Event()
    watcher = threading.Thread(target=_watch, args=(process.pid, peaks, ended))
    watcher.start()
    try:
        output, _ = process.communicate(timeout=HUNG_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
    ended.set()
    watcher.join()
    return process.returncode, output, sorted(peaks.values(), reverse=True)


def ingest(path: Path) -> float:
    """Run the command, and return the seconds it takes."""
    with tempfile.TemporaryDirectory() as runs:
        start = time.perf_counter()
        command = [sys.executable, "-m", "pipeline", "ingest", "--recipe", str(path), "--runs", runs]
        process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - start
    if process.returncode:
        sys.exit(process.stdout + process.stderr)
    return seconds


def _watch(root: int, peaks: dict[int, int], ended: threading.Event) -> None:
    """Keep the kernel's own record of the peak memory of a process and of all its descendants, until `ended` (Linux)."""
    while not ended.wait(0.05):
        parents: dict[int, int] = {}
        peak: dict[int, int] = {}
        for status in Path("/proc").glob("[0-9]*/status"):
            try:
                lines = dict(
                    line.split(":", 1) for line in status.read_text(encoding="utf-8").splitlines() if ":" in line
                )
            except OSError:
                continue
            parents[int(lines["Pid"])] = int(lines["PPid"])
            peak[int(lines["Pid"])] = int(lines.get("VmHWM", "0 kB").split()[0]) * 1024
        for process in parents:
            ancestor = process
            while ancestor not in (root, 0):
                ancestor = parents.get(ancestor, 0)
            if ancestor == root:
                peaks[process] = max(peaks.get(process, 0), peak[process])


def peer_rate(python: str, peer: str, photos: list[Path], size: int) -> float:
    """Return the images per second of a peer."""
    with tempfile.TemporaryDirectory() as folder:
        paths = Path(folder) / "list.txt"
        paths.write_text("\n".join(map(str, photos)), encoding="utf-8")
        command = [python, "-m", "benchmarks.peers.image_readers", peer, str(paths), str(size), folder]
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment)
        if process.returncode:
            sys.exit(process.stderr)
        return len(photos) / float(process.stdout.split()[-1])


def speeds(photos: list[Path], source: Path, few: Path, *, size: int, python: dict[str, str]) -> dict[str, Any]:
    """Return the rates of ours and of every peer, medians of the rounds, and the ratios to each peer."""
    figures: dict[str, list[float]] = {"ingest": [], "startup_seconds": [], "ingest_seconds": []}
    figures |= {peer: [] for peer in python}
    with tempfile.TemporaryDirectory() as folder:
        all_folder, few_folder = (Path(folder) / name for name in ("all", "few"))
        all_folder.mkdir()
        few_folder.mkdir()
        frame = {"height": size, "width": size, "channels": 3}
        all_recipe = write_recipe(all_folder, *two_sources(source), **frame)
        few_recipe = write_recipe(few_folder, *two_sources(few), **frame)
        for number in range(ROUNDS):
            startup, seconds = ingest(few_recipe), ingest(all_recipe)
            figures["startup_seconds"].append(startup)
            figures["ingest"].append((len(photos) - FEW) / (seconds - startup))
            figures["ingest_seconds"].append(seconds)
            for peer, executable in python.items():
                figures[peer].append(peer_rate(executable, peer, photos, size))
            line = "  ".join(f"{name} {values[-1]:,.1f}" for name, values in figures.items())
            print(f"round {number + 1}: {line}", flush=True)
    ratios = {
        f"over_{peer}": round(stats.median(a / b for a, b in zip(figures["ingest"], figures[peer], strict=True)), 3)
        for peer in python
    }
    return {**{name: round(stats.median(values), 1) for name, values in figures.items()}, **ratios}


def copy_photos(photos: list[Path], folder: Path, *, copies: int) -> list[Path]:
    """Put each photo `copies` times into class folders, as hard links where possible; return the paths."""
    paths = []
    for copy in range(copies):
        for photo in photos:
            path = folder / photo.parent.name / f"{copy}-{photo.name}"
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(photo, path)
            except OSError:
                shutil.copyfile(photo, path)
            paths.append(path)
    return paths


def enlarge(photos: list[Path], folder: Path) -> list[Path]:
    """Write the photos at 4000 × 3000 pixels; return the paths."""
    paths = []
    for number, photo in enumerate(photos):
        path = folder / f"class{number % 2}" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(photo) as image:
            image.convert("RGB").resize((4000, 3000), Image.Resampling.BICUBIC).save(path, quality=90)
        paths.append(path)
    return paths


def measure_memory() -> dict[str, Any]:
    """Return the peak memory of the largest processes, for 60,000 and for 600,000 images of 28 × 28."""
    figures = {}
    for count in (60_000, 600_000):
        with tempfile.TemporaryDirectory() as folder:
            rng = np.random.default_rng(0)
            path = Path(folder) / "photos-images-idx3-ubyte"
            with path.open("wb") as file:
                file.write(bytes((0, 0, 8, 3)) + b"".join(n.to_bytes(4, "big") for n in (count, 28, 28)))
                for _ in range(count // 10_000):
                    file.write(rng.integers(0, 256, (10_000, 28, 28), np.uint8).tobytes())
            recipe = write_recipe(Path(folder), {"kind": "idx", "path": str(path)}, duplicates="drop")
            start = time.perf_counter()
            status, output, peaks = run(recipe, Path(folder) / "runs")
            seconds = time.perf_counter() - start
            if status:
                sys.exit(output)
        # The four largest: the stage's process and the workers of both passes.
        row = {"seconds": round(seconds, 1), "peak_megabytes": [peak >> 20 for peak in peaks[:4]]}
        figures[f"{count}_images"] = row
        print(f"{count:,} images: {row}", flush=True)
    return figures


def ingest_hostile(folder: Path) -> dict[str, Any]:
    """Ingest every folder of hostile files by the command; return how many were rejected (by reason), accepted, or fatal."""
    figures: dict[str, dict[str, Any]] = {}
    for kind in sorted(path for path in folder.iterdir() if path.is_dir()):
        with tempfile.TemporaryDirectory() as scratch:
            good = Path(scratch) / "good"
            good.mkdir()
            for number in range(40):  # so that every split has images
                Image.fromarray(np.full((8, 8), number * 6, np.uint8)).save(good / f"{number}.png")
            sources = [{"kind": "folder", "path": str(path)} for path in (kind, good)]
            recipe = write_recipe(Path(scratch), *sources, channels=3, validation=0.2, test=0.2)
            status, output, peaks = run(recipe, Path(scratch) / "runs")
            if status:
                figures[kind.name] = {"hung" if status == -signal.SIGKILL else "crashed": 1, "output": output}
                continue
            examples = Path(scratch) / "runs" / "benchmark" / "examples"
            keys = pq.read_table(examples / "images.parquet")["key"].to_pylist()
            reasons = pq.read_table(examples / "rejected.parquet")["reason"].to_pylist()
        figures[kind.name] = {
            "tried": sum(path.is_file() for path in kind.rglob("*")),
            "rejected": len(reasons),
            "accepted": sum(key.startswith("0/") for key in keys),
            "crashed": 0,
            "hung": 0,
            "reasons": dict(Counter(reasons).most_common()),
            "peak_megabytes": peaks[0] >> 20,
        }
        print(f"{kind.name}: {figures[kind.name]}", flush=True)
    return figures


def main() -> None:
    """Run what the options name."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="?", type=Path, help="folders of JPEGs to measure speeds with")
    parser.add_argument("--peers-python", help="a Python that has img2dataset; without it that peer is left out")
    parser.add_argument("--memory", action="store_true", help="measure peak memory")
    parser.add_argument("--hostile", type=Path, help="a folder with a folder per kind of broken files")
    options = parser.parse_args()
    result: dict[str, Any] = {"cores": os.cpu_count()}
    if options.photos:
        python = {peer: sys.executable for peer in PEERS if peer != "img2dataset"}
        if options.peers_python:
            python = {"img2dataset": options.peers_python, **python}
        photos = sorted(options.photos.rglob("*.jpg"))
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            many = copy_photos(photos, folder / "photos", copies=COPIES)
            copy_photos(photos[:: len(photos) // FEW][:FEW], folder / "few", copies=1)
            print(f"{len(many):,} photos to 128 × 128")
            result["photos_128"] = speeds(many, folder / "photos", folder / "few", size=128, python=python)
            large = enlarge(photos[:: len(photos) // LARGE_PHOTOS][:LARGE_PHOTOS], folder / "large")
            print(f"{len(large)} photos of 12 megapixels to 256 × 256")
            twelve = {
                peer: [peer_rate(sys.executable, peer, large, 256) for _ in range(ROUNDS)]
                for peer in ("pillow", "bare")
            }
            pairs = zip(twelve["bare"], twelve["pillow"], strict=True)
            result["twelve_megapixels_256"] = {
                **{peer: round(stats.median(rates), 1) for peer, rates in twelve.items()},
                "over_pillow": round(stats.median(ours / theirs for ours, theirs in pairs), 2),
            }
    if options.memory:
        result["memory"] = measure_memory()
    if options.hostile:
        result["hostile"] = ingest_hostile(options.hostile)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
