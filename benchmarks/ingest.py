"""Ingest beside its peers, on the same photos, at the same size, both cores, in one run; and its memory.

    .venv/bin/python benchmarks/ingest.py PHOTOS [--peers-python /path/to/a/python/with/img2dataset]
    .venv/bin/python benchmarks/ingest.py --memory
    .venv/bin/python benchmarks/ingest.py --hostile FOLDER

PHOTOS is a folder of JPEGs in folders. Rounds alternate; rates are medians, ratios are per round. Ours is the whole command,
from sources to sealed Examples; its start-up (imports, worker processes) is what a handful of images take, and is named apart.
The last line is JSON.
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

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
ROUNDS = 3
COPIES = 6  # of the photos, so that a round takes seconds
FEW = 64
HUNG_SECONDS = 600
LARGE_PHOTOS = 48  # of 12 megapixels
PEERS = ("pillow", "img2dataset", "tensorflow", "bare")


def recipe(folder: Path, *sources: dict[str, Any], **preprocess: Any) -> Path:
    """A recipe for these images."""
    found = {
        "name": "benchmark",
        "sources": sources,
        "preprocess": {"duplicates": "keep", "validation": 0.2, "test": 0.2, "max_rejected": 1.0, **preprocess},
        "model": {"network": "dense"},
        "loss": {"likelihood": "bernoulli"},
        "beam": {"workers": 2},
    }
    path = folder / "benchmark.yaml"
    path.write_text(json.dumps(found))  # which YAML contains
    return path


def in_two(folder: Path) -> list[dict[str, Any]]:
    """A folder of class folders as two sources, so that a handful of images is listed by as many workers as all are."""
    names = sorted(path.name for path in folder.iterdir())
    halves = names[::2], names[1::2]
    return [{"kind": "folder", "path": f"{folder}/{{{','.join(half)}}}", "label": "first_folder"} for half in halves]


def run(path: Path, runs: Path) -> tuple[int, str, list[int]]:
    """Runs the command; returns its status, what it said, and the peak memory of each of its processes, in bytes."""
    command = [sys.executable, "-m", "pipeline", "ingest", "--recipe", str(path), "--runs", str(runs)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    peaks: dict[int, int] = {}
    done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(process.pid, peaks, done))
    watcher.start()
    try:
        said, _ = process.communicate(timeout=HUNG_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        said, _ = process.communicate()
    done.set()
    watcher.join()
    return process.returncode, said, sorted(peaks.values(), reverse=True)


def ingest(path: Path) -> float:
    """Seconds that the command takes."""
    with tempfile.TemporaryDirectory() as runs:
        began = time.perf_counter()
        command = [sys.executable, "-m", "pipeline", "ingest", "--recipe", str(path), "--runs", runs]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - began
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    return seconds


def _watch(root: int, peaks: dict[int, int], done: threading.Event) -> None:
    """The kernel's own peak of a process and of all below it, as long as they live (Linux)."""
    while not done.wait(0.05):
        parents: dict[int, int] = {}
        peak: dict[int, int] = {}
        for status in Path("/proc").glob("[0-9]*/status"):
            try:
                lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
            except OSError:
                continue
            parents[int(lines["Pid"])] = int(lines["PPid"])
            peak[int(lines["Pid"])] = int(lines.get("VmHWM", "0 kB").split()[0]) * 1024
        for process in parents:
            above = process
            while above not in (root, 0):
                above = parents.get(above, 0)
            if above == root:
                peaks[process] = max(peaks.get(process, 0), peak[process])


def peer_rate(python: str, peer: str, photos: list[Path], size: int) -> float:
    """Images per second of a peer."""
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "list.txt"
        listed.write_text("\n".join(map(str, photos)))
        command = [python, str(HERE / "ingest_peers.py"), peer, str(listed), str(size), folder]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        if done.returncode:
            sys.exit(done.stderr)
        return len(photos) / float(done.stdout.split()[-1])


def speeds(photos: list[Path], source: Path, few: Path, *, size: int, python: dict[str, str]) -> dict[str, Any]:
    """Rates of ours and of every peer, median of the rounds, and the ratios to each."""
    found: dict[str, list[float]] = {"ingest": [], "startup_seconds": []}
    with tempfile.TemporaryDirectory() as folder:
        ours, small = (Path(folder) / name for name in ("all", "few"))
        ours.mkdir(), small.mkdir()
        target = {"height": size, "width": size, "channels": 3}
        whole = recipe(ours, *in_two(source), **target)
        little = recipe(small, *in_two(few), **target)
        for number in range(ROUNDS):
            startup, seconds = ingest(little), ingest(whole)
            found["startup_seconds"].append(startup)
            found["ingest"].append((len(photos) - FEW) / (seconds - startup))
            found.setdefault("ingest_seconds", []).append(seconds)
            for peer, executable in python.items():
                found.setdefault(peer, []).append(peer_rate(executable, peer, photos, size))
            line = "  ".join(f"{name} {values[-1]:,.1f}" for name, values in found.items())
            print(f"round {number + 1}: {line}", flush=True)
    ratios = {
        f"over_{peer}": round(stats.median(a / b for a, b in zip(found["ingest"], found[peer], strict=True)), 3)
        for peer in python
    }
    return {**{name: round(stats.median(values), 1) for name, values in found.items()}, **ratios}


def copies_of(photos: list[Path], folder: Path, *, copies: int) -> list[Path]:
    """Hard links, or copies where they cannot be: class folders, every photo so many times."""
    made = []
    for copy in range(copies):
        for photo in photos:
            path = folder / photo.parent.name / f"{copy}-{photo.name}"
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(photo, path)
            except OSError:
                shutil.copyfile(photo, path)
            made.append(path)
    return made


def enlarged(photos: list[Path], folder: Path) -> list[Path]:
    """Photos of 4000 × 3000 pixels."""
    made = []
    for number, photo in enumerate(photos):
        path = folder / f"class{number % 2}" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(photo) as image:
            image.convert("RGB").resize((4000, 3000), Image.Resampling.BICUBIC).save(path, quality=90)
        made.append(path)
    return made


def memory() -> dict[str, Any]:
    """Peak memory of the main process and of its largest worker, for 60,000 and for 600,000 images of 28 × 28."""
    found = {}
    for count in (60_000, 600_000):
        with tempfile.TemporaryDirectory() as folder:
            rng = np.random.default_rng(0)
            path = Path(folder) / "photos-images-idx3-ubyte"
            with path.open("wb") as file:
                file.write(bytes((0, 0, 8, 3)) + b"".join(n.to_bytes(4, "big") for n in (count, 28, 28)))
                for _ in range(count // 10_000):
                    file.write(rng.integers(0, 256, (10_000, 28, 28), np.uint8).tobytes())
            described = recipe(Path(folder), {"kind": "idx", "path": str(path)}, duplicates="drop")
            began = time.perf_counter()
            status, said, peaks = run(described, Path(folder) / "runs")
            seconds = time.perf_counter() - began
            if status:
                sys.exit(said)
        # The stage's process and the workers of both passes are what is large.
        found[f"{count}_images"] = {"seconds": round(seconds, 1), "peak_megabytes": [peak >> 20 for peak in peaks[:4]]}
        print(f"{count:,} images: {found[f'{count}_images']}", flush=True)
    return found


def hostile(folder: Path) -> dict[str, Any]:
    """Every folder of hostile files, ingested by the command: tried, rejected by reason, accepted, crashed, hung."""
    found = {}
    for kind in sorted(path for path in folder.iterdir() if path.is_dir()):
        with tempfile.TemporaryDirectory() as scratch:
            good = Path(scratch) / "good"
            good.mkdir()
            for number in range(40):  # so that every split has images
                Image.fromarray(np.full((8, 8), number * 6, np.uint8)).save(good / f"{number}.png")
            sources = [{"kind": "folder", "path": str(path)} for path in (kind, good)]
            path = recipe(Path(scratch), *sources, channels=3, validation=0.2, test=0.2)
            status, said, peaks = run(path, Path(scratch) / "runs")
            if status:
                found[kind.name] = {"hung" if status == -signal.SIGKILL else "crashed": 1, "said": said}
                continue
            examples = Path(scratch) / "runs" / "benchmark" / "examples"
            keys = pq.read_table(examples / "images.parquet")["key"].to_pylist()
            reasons = pq.read_table(examples / "rejected.parquet")["reason"].to_pylist()
        found[kind.name] = {
            "tried": sum(path.is_file() for path in kind.rglob("*")),
            "rejected": len(reasons),
            "accepted": sum(key.startswith("0/") for key in keys),
            "crashed": 0,
            "hung": 0,
            "reasons": dict(Counter(reasons).most_common()),
            "peak_megabytes": peaks[0] >> 20,
        }
        print(f"{kind.name}: {found[kind.name]}", flush=True)
    return found


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="?", type=Path)
    parser.add_argument("--peers-python", help="a Python that has img2dataset; without it that peer is left out")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--hostile", type=Path)
    given = parser.parse_args()
    result: dict[str, Any] = {"cores": os.cpu_count()}
    if given.photos:
        python = {peer: sys.executable for peer in PEERS if peer != "img2dataset"}
        if given.peers_python:
            python = {"img2dataset": given.peers_python, **python}
        photos = sorted(given.photos.rglob("*.jpg"))
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            many = copies_of(photos, folder / "photos", copies=COPIES)
            copies_of(photos[:: len(photos) // FEW][:FEW], folder / "few", copies=1)
            print(f"{len(many):,} photos to 128 × 128")
            result["photos_128"] = speeds(many, folder / "photos", folder / "few", size=128, python=python)
            large = enlarged(photos[:: len(photos) // LARGE_PHOTOS][:LARGE_PHOTOS], folder / "large")
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
    if given.memory:
        result["memory"] = memory()
    if given.hostile:
        result["hostile"] = hostile(given.hostile)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
