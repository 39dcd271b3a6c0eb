"""A file gets its final name only when it is whole."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from schemas import atomic

# Writes half of a file, prints a line, and waits to be killed.
HALF = """
import sys, time
from pathlib import Path
from schemas import atomic
with atomic.replacing(Path(sys.argv[1])) as temporary:
    with temporary.open("wb") as file:
        file.write(b"new" * 1000)
        file.flush()
        print("half written", flush=True)
        time.sleep(60)
"""

# Replaces a file again and again, as fast as it can.
FOREVER = """
import sys
from pathlib import Path
from schemas import atomic
path = Path(sys.argv[1])
while True:
    for letter in (b"a", b"b"):
        atomic.write_bytes(path, letter * 300_000)
        print("whole", flush=True)
"""


@contextmanager
def writing(program: str, path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Yield a process that writes `path`, after its first line of output; kill it with SIGKILL at the end."""
    with subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline()
            yield process
        finally:
            process.kill()
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("text", ["", "plain", "Größe × 図\n"])
def test_a_written_file_reads_back(tmp_path: Path, text: str) -> None:
    path = tmp_path / "new folder" / "file.txt"
    atomic.write_text(path, text)
    assert path.read_bytes() == text.encode()
    atomic.write_bytes(path, b"replaced")
    assert path.read_bytes() == b"replaced"
    assert list(path.parent.iterdir()) == [path]


def test_a_failing_writer_leaves_the_former_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"former")

    def write_half() -> None:
        with atomic.replacing(path) as temporary:
            temporary.write_bytes(b"half")
            raise RuntimeError("disk on fire")

    with pytest.raises(RuntimeError, match="disk on fire"):
        write_half()
    assert path.read_bytes() == b"former"
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_gets_its_final_name_only_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with atomic.replacing(path) as temporary:
        temporary.write_bytes(b"whole")
        assert not path.exists()
        assert temporary.parent == path.parent, "a rename is atomic only within one file system"
    assert path.read_bytes() == b"whole"


@pytest.mark.process
@pytest.mark.parametrize("former", [None, b"former"])
def test_a_killed_writer_never_leaves_half_a_file_under_the_final_name(tmp_path: Path, former: bytes | None) -> None:
    path = tmp_path / "file"
    if former is not None:
        path.write_bytes(former)
    with writing(HALF, path):
        pass
    assert (path.read_bytes() if path.exists() else None) == former


@pytest.mark.kills
@pytest.mark.process
def test_a_file_that_is_replaced_all_the_time_is_whole_whenever_the_writer_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for milliseconds in range(0, 40, 4):
        with writing(FOREVER, path):
            time.sleep(milliseconds / 1000)
        assert path.read_bytes() in (b"a" * 300_000, b"b" * 300_000)
