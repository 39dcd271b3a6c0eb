"""Searches in processes of their own, and in several: real ones, really killed."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from helpers.ingest_command import alive, children, until

from components.tune import worker
from components.tune.chief import give_up_silent, task_of
from components.tune.component import tune
from components.tune.oracles import make_oracle
from components.tune.state import StateFile
from schemas.artifacts.kinds import Examples, HyperParameters
from schemas.errors import DataError
from schemas.recipe.settings import TuneSettings

MakeSettings = Callable[..., TuneSettings]
Open = Callable[[Path], HyperParameters]
TRIALS = 5
# More than one for a long look: KILLS=10 python -m pytest tests/components/tune/test_workers.py
KILLS = int(os.environ.get("KILLS", "1"))
LONG = {"workers": 2, "max_trials": TRIALS, "epochs": 60, "stop_early": False}  # some seconds a trial

# What the pipeline does, without what comes before and after.
SEARCH = """
import json, sys
from pathlib import Path
from pydantic import TypeAdapter
from components.workers.lifetime import leave_with_parent
from components.tune.component import tune
from schemas.artifacts.kinds import Examples, HyperParameters
from schemas.recipe.settings import TuneSettings
task, folder = json.loads(Path(sys.argv[1]).read_bytes()), Path(sys.argv[2])
settings = TypeAdapter(TuneSettings).validate_python(task["settings"])
tune(Examples(Path(task["examples"])), HyperParameters(folder / "artifact", work=folder / "work"), settings)
"""


def state(found: HyperParameters) -> dict[str, Any]:
    """Where the search stands, as it would be read after a kill at this moment."""
    nothing: dict[str, Any] = {"oracle": {"ongoing_trials": {}, "end_order": []}, "trials": {}}
    return StateFile(found.work / "search.json").read() or nothing


def written(found: HyperParameters) -> int:
    """When the search last wrote where it stands."""
    path = found.work / "search.json"
    return path.stat().st_mtime_ns if path.exists() else 0


def wait_for_a_write(found: HyperParameters) -> None:
    """Waits until the search has written where it stands once more."""
    then = written(found)
    until(lambda: written(found) != then)


def workers_of(pid: int) -> dict[str, int]:
    """The process of each worker, by the name that it was given."""
    named = {}
    for child in children(pid):
        try:
            environment = Path(f"/proc/{child}/environ").read_bytes().split(b"\0")
        except OSError:
            continue
        for entry in environment:
            if entry.startswith(b"KERASTUNER_TUNER_ID="):
                named[entry.partition(b"=")[2].decode()] = child
    return named


def rows_of(found: HyperParameters) -> list[dict[str, Any]]:
    """A row per trial."""
    rows: list[dict[str, Any]] = pq.read_table(found.trials_path).to_pylist()
    return rows


def test_a_worker_that_is_killed_costs_its_trial_only(
    tiny_examples: Examples, make_settings: MakeSettings, open_hyperparameters: Open, tmp_path: Path
) -> None:
    found = open_hyperparameters(tmp_path)
    counts: list[dict[str, int]] = []
    search = threading.Thread(target=lambda: counts.append(tune(tiny_examples, found, make_settings(**LONG))))
    search.start()
    until(lambda: len(state(found)["oracle"]["ongoing_trials"]) == 2)
    running = state(found)["oracle"]["ongoing_trials"]
    victim = min(running)
    os.kill(workers_of(os.getpid())[victim], signal.SIGKILL)
    search.join()

    assert counts == [{"trials": TRIALS, "failed": 1, "ended_early": 0}]
    rows = rows_of(found)
    assert [row["trial"] for row in rows] == [str(number) for number in range(TRIALS)]
    [failed] = [row for row in rows if row["status"] == "FAILED"]
    assert failed["trial"] == running[victim]
    assert failed["reason"] == "its process ended (signal 9), as when memory runs out"
    assert not workers_of(os.getpid())


def test_a_search_in_one_process_that_is_killed_at_random_moments_ends_like_one_that_was_not(
    tiny_examples: Examples, make_settings: MakeSettings, open_hyperparameters: Open, tmp_path: Path
) -> None:
    settings = make_settings(max_trials=3 + 2 * KILLS, epochs=30)  # with early stopping, which decides the same
    expected = open_hyperparameters(tmp_path / "expected")
    tune(tiny_examples, expected, settings)
    found = open_hyperparameters(tmp_path / "found")
    task = tmp_path / "task.json"
    task.write_bytes(task_of(tiny_examples, settings))
    command = [sys.executable, "-c", SEARCH, str(task), str(tmp_path / "found")]
    ended: list[str] = []
    for _ in range(KILLS):
        search = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for_a_write(found)  # it has begun a trial
        time.sleep(random.uniform(0.0, 3.0))
        search.kill()
        search.wait()
        assert state(found)["oracle"]["end_order"][: len(ended)] == ended  # what was finished is
        ended = state(found)["oracle"]["end_order"]
        print(f"killed after {len(ended)} trials")
    subprocess.run(command, check=True, capture_output=True)
    for name in ("trials_path", "best_path", "summary_path", "figure_path"):
        assert getattr(found, name).read_bytes() == getattr(expected, name).read_bytes()


def test_a_search_that_is_killed_with_its_workers_loses_the_running_trials_only(
    tiny_examples: Examples, make_settings: MakeSettings, open_hyperparameters: Open, tmp_path: Path
) -> None:
    found = open_hyperparameters(tmp_path)
    task = tmp_path / "task.json"
    task.write_bytes(task_of(tiny_examples, make_settings(**LONG)))
    command = [sys.executable, "-c", SEARCH, str(task), str(tmp_path)]

    search = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: len(state(found)["oracle"]["end_order"]) >= 1 and state(found)["oracle"]["ongoing_trials"])
    workers = list(workers_of(search.pid).values())
    search.kill()
    search.wait()
    until(lambda: not alive(workers))  # nobody is left who still tries
    kept = state(found)

    subprocess.run(command, check=True, capture_output=True)
    rows = rows_of(found)
    assert [row["trial"] for row in rows] == [str(number) for number in range(TRIALS)]
    for row in rows:
        assert (row["status"], len(row["val_elbo_by_epoch"])) == ("COMPLETED", 60)
    for name in kept["oracle"]["end_order"]:
        assert rows[int(name)]["val_elbo"] == kept["trials"][name]["score"]
    for name in kept["trials"]:  # also of those that were running: the same values were tried again
        tried = kept["trials"][name]["hyperparameters"]["values"]
        assert rows[int(name)]["train.learning_rate"] == tried["train.learning_rate"]


def test_a_worker_that_somebody_else_started_takes_trials_too(
    tiny_examples: Examples,
    make_settings: MakeSettings,
    open_hyperparameters: Open,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("KERASTUNER_ORACLE_IP", "127.0.0.1")
    monkeypatch.setenv("KERASTUNER_ORACLE_PORT", str(port))
    found = open_hyperparameters(tmp_path)
    counts: list[dict[str, int]] = []
    settings = make_settings(**{**LONG, "workers": 1})
    search = threading.Thread(target=lambda: counts.append(tune(tiny_examples, found, settings)))
    search.start()
    until(lambda: (found.work / "task.json").exists())
    by_hand = [sys.executable, "-m", "components.tune.worker", str(found.work / "task.json")]
    other = subprocess.Popen(by_hand, env={**os.environ, "KERASTUNER_TUNER_ID": "node-7"}, stderr=subprocess.DEVNULL)
    until(lambda: "node-7" in state(found)["oracle"]["ongoing_trials"])
    search.join()
    assert other.wait(timeout=30) == 0
    assert counts == [{"trials": TRIALS, "failed": 0, "ended_early": 0}]


def test_a_trial_of_another_machine_is_given_up_when_it_has_long_been_silent(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    oracle = make_oracle(make_settings(), state_path=tmp_path / "search.json")
    mine, theirs = oracle.create_trial("worker-0"), oracle.create_trial("node-7")
    oracle.slowest = 400.0
    for trial in (mine, theirs):
        oracle.heard[trial.trial_id] -= 1990.0
    give_up_silent(oracle, besides={"worker-0"})
    assert oracle.is_running(theirs.trial_id)  # its epochs may take that long
    oracle.heard[theirs.trial_id] -= 20.0
    give_up_silent(oracle, besides={"worker-0"})
    assert oracle.is_running(mine.trial_id)  # whether a process of this machine lives is known
    assert oracle.trials[theirs.trial_id].status == "FAILED"
    assert oracle.trials[theirs.trial_id].message == "its worker node-7 has not been heard of for 2010 seconds"
    # It was only slow: it is told to stop, and its end changes nothing.
    assert oracle.update_trial(theirs.trial_id, {"val_elbo": -1.0}, step=3).status == "STOPPED"
    oracle.end_trial(theirs)
    assert oracle.end_order == [theirs.trial_id]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("", "KERASTUNER_TUNER_ID: expected in the environment, found nothing (docs/distributed.md)"),
        ("chief-2", "KERASTUNER_TUNER_ID: expected a name without the word chief, found chief-2"),
        ("node-7", "nowhere.json: expected the chief's task, found none (No such file or directory)"),
    ],
)
def test_what_a_worker_that_is_started_by_hand_lacks_is_a_line(
    name: str, expected: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KERASTUNER_TUNER_ID", name)
    monkeypatch.setenv("KERASTUNER_ORACLE_IP", "127.0.0.1")
    monkeypatch.setenv("KERASTUNER_ORACLE_PORT", "1")
    monkeypatch.setattr("keras_tuner.src.distribute.oracle_client.TIMEOUT", 1)
    assert worker.main(Path("nowhere.json"), None) == 1
    assert capsys.readouterr().err == f"error: {expected}\n"


def test_workers_find_what_one_process_finds(
    tiny_examples: Examples, make_settings: MakeSettings, open_hyperparameters: Open, tmp_path: Path
) -> None:
    """Without early stopping, which depends on who ends first."""
    alone, together = (open_hyperparameters(tmp_path / name) for name in ("alone", "together"))
    short = {"max_trials": 4, "epochs": 2, "stop_early": False}
    space = {"model.hidden": [[8], [16]], "train.learning_rate": {"low": 1e-3, "high": 1e7, "log": True}}
    tune(tiny_examples, alone, make_settings(**short, space=space))
    tune(tiny_examples, together, make_settings(**short, space=space, workers=2))
    for mine, theirs in zip(rows_of(alone), rows_of(together), strict=True):
        assert {**mine, "val_elbo": None, "val_elbo_by_epoch": None} == {
            **theirs,
            "val_elbo": None,
            "val_elbo_by_epoch": None,
        }
        # They have a core each, and add up in another order.
        assert theirs["val_elbo_by_epoch"] == pytest.approx(mine["val_elbo_by_epoch"], rel=1e-4)
    assert {row["reason"] for row in rows_of(together)} == {None, "the loss did not stay finite"}


def test_a_broken_shard_ends_the_search_of_workers_with_the_same_line(
    make_examples: Callable[..., Examples], make_settings: MakeSettings, open_hyperparameters: Open, tmp_path: Path
) -> None:
    examples = make_examples(tmp_path / "examples")
    shard = examples.shards("train")[1]
    shard.write_bytes(shard.read_bytes()[:-10])
    with pytest.raises(DataError, match=f"^{examples.path}: expected whole TFRecord shards"):
        tune(examples, open_hyperparameters(tmp_path / "hyperparameters"), make_settings(workers=2))
    assert not workers_of(os.getpid())
