"""Searches in other processes, which are really killed; tests without processes of TensorFlow are in test_chief.py.

Trials are endless until a test lets them end: so nothing depends on how fast the machine is.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from helpers.ingest_command import alive, children
from helpers.paths import ROOT
from helpers.search_by_formula import draw_nothing
from helpers.table_rows import table_rows
from helpers.waits import PATIENCE, wait_until

from components.tune import bookkeeping, chief
from components.tune.chief import task_of
from components.tune.component import tune
from components.tune.search import number_of
from components.tune.state import StateFile
from schemas.artifacts.kinds import Examples, HyperParameters
from schemas.recipe.settings import TuneSettings

pytestmark = pytest.mark.process

MakeSettings = Callable[..., TuneSettings]
Open = Callable[[Path], HyperParameters]
# More than one for a long look: KILLS=10 python -m pytest -m kills tests/components/tune/test_workers.py
KILLS = int(os.environ.get("KILLS", "1"))
ENDLESS = {"epochs": 10**6, "space": {"train.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}}}

# What the pipeline does, without what comes before and after. The first trial ends after two epochs; the others are endless.
SEARCH = """
import json, sys
from pathlib import Path
from components.tune import bookkeeping
from components.tune.component import tune
from schemas.artifacts.kinds import Examples, HyperParameters
from schemas.recipe.settings import TuneSettings
task, folder, endless = json.loads(Path(sys.argv[1]).read_bytes()), Path(sys.argv[2]), sys.argv[3] == "endless"
if endless:
    bookkeeping.is_behind = lambda value, finished, *, epoch, epochs: epoch >= 2 and not finished
settings = TuneSettings.from_json(task["settings"])
tune(Examples(Path(task["examples"])), HyperParameters(folder / "artifact", work=folder / "work"), settings)
"""


def state(hyperparameters: HyperParameters) -> dict[str, Any]:
    """Return the search's state, as it would be read after a kill at this moment."""
    nothing: dict[str, Any] = {"oracle": {"ongoing_trials": {}, "end_order": []}, "trials": {}}
    return StateFile(hyperparameters.work / "search.json").read() or nothing


@pytest.fixture
def may_end(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Lets the trials of a chief in this process end, each after its second epoch or the next."""
    may_end = threading.Event()
    monkeypatch.setattr(
        bookkeeping, "is_behind", lambda value, finished, *, epoch, epochs: epoch >= 2 and may_end.is_set()
    )
    draw_nothing(monkeypatch)
    return may_end


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[chief.Workers]:
    """Return the workers that a chief in this process has started."""
    started: list[chief.Workers] = []
    start = chief.Workers.__init__

    def start_and_tell(workers: chief.Workers, *arguments: Any, **named: Any) -> None:
        start(workers, *arguments, **named)
        started.append(workers)

    monkeypatch.setattr(chief.Workers, "__init__", start_and_tell)
    return started


def test_a_killed_worker_costs_its_trial_only_and_workers_find_what_one_process_finds(
    tiny_examples: Examples,
    make_settings: MakeSettings,
    open_hyperparameters: Open,
    may_end: threading.Event,
    started: list[chief.Workers],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    together, alone = (open_hyperparameters(tmp_path / name) for name in ("together", "alone"))
    settings = make_settings(max_trials=3, **ENDLESS)
    monkeypatch.setenv("KERASTUNER_ORACLE_IP", "127.0.0.1")  # so that even one worker is a process of its own
    with ThreadPoolExecutor(1) as pool:
        search = pool.submit(tune, tiny_examples, together, settings)

        def wait_for_trial_of(name: str) -> None:
            wait_until(lambda: search.done() or (started and name in started[0].oracle.ongoing_trials), name)
            assert not search.done(), search.result()

        try:
            wait_for_trial_of("worker-0")
            [workers] = started
            lost = str(number_of(workers.oracle.ongoing_trials["worker-0"]))
            workers.alive[0].child.process.kill()
            wait_for_trial_of("worker-1")
        finally:
            may_end.set()
        assert search.result(timeout=PATIENCE) == {"trials": 3, "failed": 1, "ended_early": 2}
        assert not workers.alive
    monkeypatch.delenv("KERASTUNER_ORACLE_IP")
    tune(tiny_examples, alone, settings)
    for row, expected in zip(table_rows(together.trials_path), table_rows(alone.trials_path), strict=True):
        for key in ("trial", "epochs", "images", "train.learning_rate"):
            assert row[key] == expected[key]
        if row["trial"] == lost:
            assert (row["status"], row["reason"]) == ("FAILED", "its process ended (signal 9), as when memory runs out")
        else:
            # Processes that share a machine may add up in another order.
            assert row["val_elbo_by_epoch"][:2] == pytest.approx(expected["val_elbo_by_epoch"], rel=1e-4)


@pytest.mark.kills
def test_a_search_killed_with_its_worker_loses_the_running_trial_only(
    tiny_examples: Examples,
    make_settings: MakeSettings,
    open_hyperparameters: Open,
    may_end: threading.Event,
    tmp_path: Path,
) -> None:
    hyperparameters = open_hyperparameters(tmp_path)
    settings = make_settings(max_trials=2, **ENDLESS)

    def has_ended_one_and_runs_another() -> bool:
        oracle = state(hyperparameters)["oracle"]
        ended, running = set(oracle["end_order"]), set(oracle["ongoing_trials"].values())
        return bool(ended and running - ended)

    task = tmp_path / "task.json"
    task.write_bytes(task_of(tiny_examples, settings))
    search = subprocess.Popen(
        [sys.executable, "-c", SEARCH, str(task), str(tmp_path), "endless"],
        stdout=subprocess.DEVNULL,
        env={**os.environ, "KERASTUNER_ORACLE_IP": "127.0.0.1", "PYTHONPATH": str(ROOT)},
    )
    try:
        wait_until(
            lambda: search.poll() is not None or has_ended_one_and_runs_another(),
            "a finished trial and a running one",
        )
        assert search.poll() is None
        processes = children(search.pid)
        assert processes
    finally:
        search.kill()
        search.wait()
    wait_until(lambda: not alive(processes), "the end of the workers")
    killed = state(hyperparameters)
    [finished] = killed["oracle"]["end_order"]

    may_end.set()
    assert tune(tiny_examples, hyperparameters, settings) == {"trials": 2, "failed": 0, "ended_early": 2}
    rows = table_rows(hyperparameters.trials_path)
    assert rows[int(finished)]["val_elbo"] == killed["trials"][finished]["score"]
    assert set(killed["trials"]) == {"0", "1"}
    for name in killed["trials"]:  # also of the trial that was running: the same values were tried again
        values = killed["trials"][name]["hyperparameters"]["values"]
        assert rows[int(name)]["train.learning_rate"] == values["train.learning_rate"]


@pytest.mark.kills
def test_a_search_in_one_process_that_is_killed_at_random_moments_ends_like_one_that_was_not(
    tiny_examples: Examples, make_settings: MakeSettings, open_hyperparameters: Open, tmp_path: Path
) -> None:
    settings = make_settings(max_trials=3 + 2 * KILLS, epochs=30)  # with early stopping, which decides the same
    expected = open_hyperparameters(tmp_path / "expected")
    tune(tiny_examples, expected, settings)
    hyperparameters = open_hyperparameters(tmp_path / "killed")
    task = tmp_path / "task.json"
    task.write_bytes(task_of(tiny_examples, settings))
    command = [sys.executable, "-c", SEARCH, str(task), str(tmp_path / "killed"), "as it is"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    path = hyperparameters.work / "search.json"
    ended: list[str] = []
    for _ in range(KILLS):
        before = path.stat().st_mtime_ns if path.exists() else 0
        search = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
        wait_until(lambda: path.exists() and path.stat().st_mtime_ns != before, "a trial's start")  # noqa: B023
        time.sleep(random.uniform(0.0, 3.0))
        search.kill()
        search.wait()
        assert state(hyperparameters)["oracle"]["end_order"][: len(ended)] == ended  # finished trials stay finished
        ended = state(hyperparameters)["oracle"]["end_order"]
        print(f"killed after {len(ended)} trials")
    subprocess.run(command, check=True, capture_output=True, env=environment)
    for name in ("trials_path", "best_path", "summary_path", "figure_path"):
        assert getattr(hyperparameters, name).read_bytes() == getattr(expected, name).read_bytes()
