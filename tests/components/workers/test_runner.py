"""Units of work on Beam's own runner: they are done once each, and what goes wrong in a worker reaches the caller."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from apache_beam.runners.worker.sdk_worker import SdkHarness
from helpers.paths import ROOT
from helpers.unit_workers import WriteDoFn

from components.workers import watched
from components.workers.runner import run_units, worker_count
from components.workers.watched import WorkerCrashed
from schemas.errors import DataError, UsageError
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


@pytest.mark.parametrize(("workers", "threads"), [(1, False), (2, True)])
def test_an_error_that_a_person_can_mend_has_no_words_of_beams(tmp_path: Path, workers: int, threads: bool) -> None:
    with pytest.raises(UsageError) as usage:
        run(tmp_path, "unusable", "one", workers=workers, threads=threads)
    assert str(usage.value) == "label: expected cat, found 'dog' [a note]"
    with pytest.raises(DataError) as data:
        run(tmp_path, "broken", "one", workers=workers, threads=threads)
    assert str(data.value) == "a/file: expected pixels, found none"


@pytest.mark.process
@pytest.mark.usefixtures("importable")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # of Beam's own threads
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


@pytest.mark.process
@pytest.mark.usefixtures("importable")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # of Beam's own threads
def test_a_worker_process_that_crashes_is_told_from_one_that_was_killed(tmp_path: Path) -> None:
    with pytest.raises(WorkerCrashed, match=r"found one that crashed; run the same command again: it resumes$"):
        run(tmp_path, "crashed", "one", "two", workers=2)


@pytest.fixture
def sabotage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Return a function that lets the first worker process of two do something before it connects (`helpers/first_worker`)."""

    def set_up(action: str) -> None:
        folders = [ROOT, ROOT / "tests", ROOT / "tests" / "helpers" / "first_worker"]
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, folders)))
        monkeypatch.setenv("FIRST_WORKER", action)
        monkeypatch.setenv("FIRST_WORKER_MARK", str(tmp_path / "mark"))

    return set_up


@pytest.mark.process
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("action", ["killed", "failed"])
def test_a_worker_process_that_dies_before_it_has_connected_ends_the_work_with_one_line(
    tmp_path: Path, sabotage: Callable[[str], None], action: str
) -> None:
    sabotage(action)
    expected = "^beam.workers: expected every worker process to finish, found one that died, .*set fewer workers"
    with pytest.raises(DataError, match=expected):
        run(tmp_path, "one", "two", "three", workers=2)


@pytest.mark.process
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_worker_process_that_never_connects_is_not_waited_for_for_ever(
    tmp_path: Path, sabotage: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched, "CONNECT_SECONDS", 0.0)
    sabotage("waits")
    with pytest.raises(DataError, match=r"^beam.workers: expected every worker process to connect within 0 seconds"):
        run(tmp_path, "one", "two", "three", workers=2)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_worker_thread_that_ends_before_it_has_connected_ends_the_work_with_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_threads(_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(SdkHarness, "run", no_threads)
    with pytest.raises(DataError, match=r"^beam.workers: expected every worker process to finish, found one that died"):
        run(tmp_path, "one", "two", "three", workers=2, threads=True)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("can't start new thread"),
        RuntimeError("Traceback\nMemoryError: MemoryError [while …"),
        MemoryError(),
    ],
)
def test_too_little_memory_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def refuse(_: object) -> None:
        raise error

    monkeypatch.setattr(watched.WorkerProcess, "start_worker", refuse)
    with pytest.raises(DataError, match=r"^beam.workers: expected memory for all workers, found too little; set fewer"):
        run(tmp_path, "one", "two", "three", workers=2)
