"""A million new images: how long they take, how much memory and disk, and whether every way gives the same files.

    .venv/bin/python -m benchmarks.million fashion_bn --runs runs [--count 1000000] [--set train.epochs=1 …]

Makes the same set several times by the command `generate`: with 1, 2 and 7 shards, with 1 and 2 workers, and once with five
`kill -9` on the way. Each is a set of its own; all must have the same files. The stages before must be up to date. Linux only:
/proc says how much memory the processes hold. The last line is JSON.
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
WAYS = {  # name: shards, workers
    "1 shard, 1 worker": (1, 1),
    "2 shards, 2 workers": (2, 2),
    "7 shards, 2 workers": (7, 2),
}
INTERVAL = 0.5  # seconds between two readings of memory


@dataclass
class Process:
    """A command.

    Attributes:
        command: The command's words.
        peak: The most bytes that it and all that it starts have held in memory.
    """

    command: list[str]
    peak: int = 0

    def run(self, *, kill_after: float | None = None) -> bool:
        """Run the command; return True if it ended, False if it was killed after `kill_after` seconds."""
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
        """Keep the peak while the process runs."""
        while process.poll() is None:
            self.peak = max(self.peak, sum(_resident(member) for member in _processes(process.pid)))
            time.sleep(INTERVAL)


def main() -> None:
    """Print a line per way, and one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--format", default="parquet")
    parser.add_argument("--set", action="append", default=[], help="further settings, as the command takes them")
    options = parser.parse_args()
    ways: dict[str, dict[str, Any]] = {}
    digests = set()
    for name, (shards, workers) in WAYS.items():
        ways[name], digest = _make_set(options, name, shards=shards, workers=workers)
        digests.add(digest)
    seconds = min(way["seconds"] for way in ways.values())
    start = time.monotonic()
    ways["5 kills"], digest = _make_set(options, "5 kills", shards=7, workers=2, kills=KILLS, within=seconds)
    digests.add(digest)
    result = {
        "count": options.count,
        "format": options.format,
        "ways": ways,
        "same_files": len(digests) == 1,
        "minutes": round(seconds / 60, 2),
        "kills_seconds": round(time.monotonic() - start, 1),
    }
    print(json.dumps(result))


def _make_set(
    options: argparse.Namespace, name: str, *, shards: int, workers: int, kills: int = 0, within: float = 0.0
) -> tuple[dict[str, Any], str]:
    """Make the set, killed `kills` times in the first `within` seconds; return what it took, and a digest of its files."""
    folder = f"million-{name.replace(', ', '-').replace(' ', '')}"
    settings = {
        "generate.count": options.count,
        "generate.format": options.format,
        "generate.name": folder,
        "generate.shards": shards,
        "beam.workers": workers,
    }
    overrides = [*options.set, *(f"{key}={value}" for key, value in settings.items())]
    command = [sys.executable, "-m", "pipeline", "generate", "--recipe", options.recipe, "--runs", str(options.runs)]
    process = Process([*command, *(part for override in overrides for part in ("--set", override))])
    images = ImageSet(options.runs / options.recipe / "images" / folder)
    shutil.rmtree(images.path, ignore_errors=True)
    start = time.monotonic()
    killed_after: list[float] = []
    while len(killed_after) < kills:
        moment = random.uniform(5.0, 5.0 + within / kills)
        if process.run(kill_after=moment):
            raise SystemExit(f"{name}: the set was finished before it could be killed")
        killed_after.append(round(moment, 1))
    process.run()
    seconds = time.monotonic() - start
    size = sum(path.stat().st_blocks * 512 for path in images.path.rglob("*") if path.is_file())
    row = {
        "seconds": round(seconds, 1),
        "images_per_second": round(options.count / seconds, 1),
        "peak_megabytes": round(process.peak / 1e6),
        "disk_megabytes": round(size / 1e6),
        **({"killed_after_seconds": killed_after} if killed_after else {}),
    }
    files = json.dumps({path: entry.sha256 for path, entry in sorted(images.manifest.files.items())})
    digest = hashlib.sha256(files.encode()).hexdigest()
    print(f"{name:20} {digest[:16]}  {row}", flush=True)
    shutil.rmtree(images.path)
    return row, digest


def _processes(session: int) -> list[int]:
    """Return the processes of a session."""
    processes = []
    for entry in os.listdir("/proc"):
        try:
            if entry.isdigit() and os.getsid(int(entry)) == session:
                processes.append(int(entry))
        except ProcessLookupError:
            continue
    return processes


def _resident(process: int) -> int:
    """Return the bytes that a process holds in memory."""
    try:
        pages = Path(f"/proc/{process}/statm").read_text(encoding="utf-8").split()[1]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
