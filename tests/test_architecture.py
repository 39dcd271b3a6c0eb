"""What the structure promises: imports point one way, and looking costs nothing."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.paths import ROOT

HEAVY = ("tensorflow", "keras", "apache_beam", "matplotlib", "sklearn")


def imported_by(code: str) -> set[str]:
    """The heavy packages that a fresh process has imported after some code."""
    ending = f"\nimport sys; print('\\nIMPORTED', *[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code + ending], capture_output=True, text=True, cwd=ROOT, check=True)
    return set(done.stdout.rsplit("IMPORTED", 1)[1].split())


def test_imports_point_one_way() -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_help_imports_neither_tensorflow_nor_beam() -> None:
    assert imported_by("from pipeline.cli.app import app, guarded\nguarded(lambda: app(['--help']))") == set()


def test_status_imports_neither_tensorflow_nor_beam(tmp_path: Path) -> None:
    command = ["status", "--runs", str(tmp_path)]
    assert imported_by(f"from pipeline.cli.app import app, guarded\nguarded(lambda: app({command!r}))") == set()


def test_help_takes_less_than_a_second_of_a_core() -> None:
    """Of a core, not on a clock: what else the machine does must not count."""

    def spent() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    seconds = []
    for _ in range(3):  # the best of three: machines are noisy
        before = spent()
        subprocess.run([sys.executable, "-m", "pipeline", "--help"], capture_output=True, cwd=ROOT, check=True)
        seconds.append(spent() - before)
    assert min(seconds) < 1.0


@pytest.mark.parametrize("stage", ["ingest", "tune", "train", "evaluate", "export", "generate"])
def test_every_stage_is_a_folder_with_a_front_door_and_a_make_target(stage: str) -> None:
    assert (ROOT / "components" / stage / "component.py").is_file()
    assert f"\n{stage}: setup ##" in (ROOT / "Makefile").read_text()
