"""Units of work on Beam's own runner: they are done once each, and what goes wrong in a worker reaches the caller."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from helpers.paths import ROOT
from helpers.unit_workers import WriteDoFn

from components.workers.runner import run_units, worker_count
from schemas.errors import DataError
from schemas.recipe.recipe import BeamSection


def run(folder: Path, *names: str, workers: int = 1, threads: bool = False) -> None:
    """Run units of these names in a folder."""
    units = [str(folder / name) for name in names]
    run_units("test", units, WriteDoFn(), settings=BeamSection(workers=workers), large=False, threads=threads)


def test_small_work_has_one_process_and_large_work_one_per_core_unless_the_recipe_says_otherwise() -> None:
    assert worker_count(BeamSection(), large=False) == 1
    assert worker_count(BeamSection(), large=True) == (os.cpu_count() or 1)
    assert worker_count(BeamSection(workers=3), large=False) == 3


@pytest.mark.parametrize(("workers", "threads"), [(1, False), (2, True)])
def test_every_unit_is_done(tmp_path: Path, workers: int, threads: bool) -> None:
    run(tmp_path, "one", "two", "three", workers=workers, threads=threads)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "three", "two"]


@pytest.fixture
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let worker processes import the tests' helpers."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "tests")]))


def test_an_error_in_this_process_is_raised_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a unit that cannot be done"):
        run(tmp_path, "bad")
    with pytest.raises(OSError, match="No space left on device") as error:
        run(tmp_path, "disk-full")
    assert error.value.errno == errno.ENOSPC


@pytest.mark.process
@pytest.mark.usefixtures("importable")
def test_an_error_of_the_system_in_a_worker_process_is_raised_as_one(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left on device") as error:
        run(tmp_path, "disk-full", "one", workers=2)
    assert error.value.errno == errno.ENOSPC


@pytest.mark.process
@pytest.mark.usefixtures("importable")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # of Beam's own threads
def test_a_worker_process_that_dies_ends_the_work_with_one_line(tmp_path: Path) -> None:
    expected = "beam.workers: expected every worker process to finish, found one that died"
    with pytest.raises(DataError, match=expected) as error:
        run(tmp_path, "killed", "one", "two", workers=2)
    assert str(error.value).endswith("set fewer workers; run the same command again: it resumes")
    assert "\n" not in str(error.value)
