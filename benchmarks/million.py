"""A million new images: how long, how much memory and disk, and whether they are the same however they are made.

    .venv/bin/python benchmarks/million.py fashion_bn --runs runs [--count 1000000] [--set train.epochs=1 …]

Makes the same set by the command, `generate`, several times: with 1, 2 and 7 units of work, with 1 and 2 workers, and with five
`kill -9` on the way. Each is a set of its own; all must have the same files. The stages before have to be up to date. Linux only,
whose /proc says what memory processes hold. The last line is JSON.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.artifacts.kinds import ImageSet

KILLS = 5
WAYS = {  # name: units of work, workers
    "1 shard, 1 worker": (1, 1),
    "2 shards, 2 workers": (2, 2),
    "7 shards, 2 workers": (7, 2),
}
LOOK = 0.5  # seconds between looks at memory


@dataclass
class Process:
    """A command, with what it holds in memory: itself and all that it starts."""

    command: list[str]
    peak: int = 0

    def run(self, *, kill_after: float | None = None) -> bool:
        """Whether it came to its end by itself."""
        process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, start_new_session=True)
        watcher = threading.Thread(target=self._watch, args=(process,), daemon=True)
        watcher.start()
        try:
            status = process.wait(timeout=kill_after)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            return False
        if status:
            raise SystemExit(f"{' '.join(self.command)}: ended with status {status}")
        return True

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        while process.poll() is None:
            self.peak = max(self.peak, sum(_resident(member) for member in _session(process.pid)))
            time.sleep(LOOK)


def main() -> None:
    """Prints a line per way, and one JSON object."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("recipe")
    arguments.add_argument("--runs", type=Path, default=Path("runs"))
    arguments.add_argument("--count", type=int, default=1_000_000)
    arguments.add_argument("--format", default="parquet")
    arguments.add_argument("--set", action="append", default=[], help="further settings, as the command takes them")
    given = arguments.parse_args()
    found: dict[str, dict[str, Any]] = {}
    digests = set()
    for name, (shards, workers) in WAYS.items():
        found[name], digest = _make(given, name, shards=shards, workers=workers)
        digests.add(digest)
    began = time.monotonic()
    seconds = min(way["seconds"] for way in found.values())
    found["5 kills"], digest = _make(given, "5 kills", shards=7, workers=2, kills=KILLS, within=seconds)
    digests.add(digest)
    result = {
        "count": given.count,
        "format": given.format,
        "ways": found,
        "same_files": len(digests) == 1,
        "minutes": round(seconds / 60, 2),
        "kills_seconds": round(time.monotonic() - began, 1),
    }
    print(json.dumps(result))


def _make(
    given: argparse.Namespace, name: str, *, shards: int, workers: int, kills: int = 0, within: float = 0.0
) -> tuple[dict[str, Any], str]:
    """What a way took, and a digest of its files."""
    folder = f"million-{name.replace(', ', '-').replace(' ', '')}"
    settings = {
        "generate.count": given.count,
        "generate.format": given.format,
        "generate.name": folder,
        "generate.shards": shards,
        "beam.workers": workers,
    }
    words = [*given.set, *(f"{key}={value}" for key, value in settings.items())]
    command = [sys.executable, "-m", "pipeline", "generate", "--recipe", given.recipe, "--runs", str(given.runs)]
    process = Process([*command, *(part for word in words for part in ("--set", word))])
    images = ImageSet(given.runs / given.recipe / "images" / folder)
    shutil.rmtree(images.path, ignore_errors=True)
    began = time.monotonic()
    killed = []
    while len(killed) < kills:
        moment = random.uniform(5.0, 5.0 + within / kills)
        if process.run(kill_after=moment):
            raise SystemExit(f"{name}: it was done before it could be killed")
        killed.append(round(moment, 1))
    process.run()
    seconds = time.monotonic() - began
    size = sum(path.stat().st_blocks * 512 for path in images.path.rglob("*") if path.is_file())
    manifest = images.manifest
    took = {
        "seconds": round(seconds, 1),
        "images_per_second": round(given.count / seconds, 1),
        "peak_megabytes": round(process.peak / 1e6),
        "disk_megabytes": round(size / 1e6),
        **({"killed_after_seconds": killed} if killed else {}),
    }
    files = json.dumps({path: entry.sha256 for path, entry in sorted(manifest.files.items())})
    digest = hashlib.sha256(files.encode()).hexdigest()
    print(f"{name:20} {digest[:16]}  {took}", flush=True)
    shutil.rmtree(images.path)
    return took, digest


def _session(leader: int) -> list[int]:
    """Processes of a session."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            if entry.isdigit() and os.getsid(int(entry)) == leader:
                found.append(int(entry))
        except ProcessLookupError:
            continue
    return found


def _resident(process: int) -> int:
    """Bytes that it holds in memory."""
    try:
        pages = Path(f"/proc/{process}/statm").read_text().split()[1]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
