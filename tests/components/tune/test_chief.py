"""A chief and its workers, without processes of TensorFlow: a worker in this process, and processes that only end."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.search_by_formula import judge_by_formula

from components.tune import chief, worker
from components.tune.chief import fail_silent_trials, run_workers, served, task_of
from components.tune.oracles import make_oracle
from components.tune.state import StateFile
from schemas.artifacts.kinds import Examples
from schemas.errors import DataError
from schemas.recipe.settings import TuneSettings

MakeSettings = Callable[..., TuneSettings]
RunWorker = Callable[..., int]


@pytest.fixture
def in_this_process(tiny_examples: Examples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunWorker:
    """Run a worker and the chief that it asks, both in this process; returns the worker's exit status."""

    def run(oracle: Any, settings: TuneSettings, *, examples: Examples = tiny_examples, pipe: int | None = None) -> int:
        watches: list[None] = []
        monkeypatch.setattr(worker, "exit_with_parent", lambda: watches.append(None))
        task = tmp_path / "task.json"
        task.write_bytes(task_of(examples, settings))
        with served(oracle) as (ip, port):
            for name, value in (("TUNER_ID", "worker-0"), ("ORACLE_IP", ip), ("ORACLE_PORT", str(port))):
                monkeypatch.setenv(f"KERASTUNER_{name}", value)
            status = worker.main(task, pipe)
        assert len(watches) == (pipe is not None)  # only a worker that the chief started ends with it
        return status

    return run


@pytest.fixture
def run_instead_of_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Make this code the program of a chief's workers."""

    def run(code: str) -> None:
        (tmp_path / "short_worker.py").write_text(code)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        monkeypatch.setattr(chief, "WORKER", "short_worker")

    return run


def test_a_worker_runs_the_trials_of_a_chief_and_sends_their_values_and_reasons(
    in_this_process: RunWorker, make_settings: MakeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings(max_trials=6, epochs=3)
    oracle = make_oracle(settings, state_path=tmp_path / "search.json")
    epochs = judge_by_formula(monkeypatch, failing=lambda learning_rate: learning_rate > 3e-3)
    assert in_this_process(oracle, settings) == 0
    assert len(epochs) == len(oracle.end_order) == 6
    failed = [trial for trial in oracle.trials.values() if trial.status == "FAILED"]
    assert 0 < len(failed) < 6
    assert {trial.message for trial in failed} == {"out of memory"}
    for trial in oracle.trials.values():
        if trial.status == "COMPLETED":
            assert trial.score == oracle.curve(trial)[-1]


def test_a_broken_shard_ends_a_worker_with_the_same_line_as_one_process(
    in_this_process: RunWorker,
    make_examples: Callable[..., Examples],
    make_settings: MakeSettings,
    tmp_path: Path,
) -> None:
    examples = make_examples(tmp_path / "examples")
    shard = examples.shards("train")[1]
    shard.write_bytes(shard.read_bytes()[:-10])
    reading, writing = os.pipe()
    oracle = make_oracle(make_settings(), state_path=tmp_path / "search.json")
    assert in_this_process(oracle, make_settings(), examples=examples, pipe=writing) == 1
    with os.fdopen(reading) as pipe:
        assert pipe.read().startswith(f"{examples.path}: expected whole TFRecord shards")
    assert not oracle.end_order


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("os.write(int(sys.argv[2]), b'a line about the data'); sys.exit(1)", "a line about the data"),
        ("sys.exit(3)", r"tune\.workers: expected workers that run trials, found one that ended at once \(status 3\)"),
        (
            "os.write(int(sys.argv[2]), ' '.join(os.environ[name] for name in "
            "('KERASTUNER_TUNER_ID', 'TF_NUM_INTRAOP_THREADS', 'KERASTUNER_ORACLE_IP')).encode()); sys.exit(1)",
            rf"worker-[01] {max(1, (os.cpu_count() or 1) // 2)} 127\.0\.0\.1",
        ),
    ],
    ids=["with_an_error", "at_once", "what_a_worker_is_told"],
)
def test_a_worker_that_cannot_run_trials_ends_the_search_with_its_line(
    code: str,
    expected: str,
    tiny_examples: Examples,
    make_settings: MakeSettings,
    run_instead_of_workers: Callable[[str], None],
    tmp_path: Path,
) -> None:
    run_instead_of_workers(f"import os, sys; {code}")
    settings = make_settings(workers=2)
    oracle = make_oracle(settings, state_path=tmp_path / "search.json")
    with pytest.raises(DataError, match=f"^{expected}$"):
        run_workers(oracle, tiny_examples, settings, folder=tmp_path)


def test_a_full_disk_ends_a_search_of_workers_with_the_systems_own_error(
    tiny_examples: Examples,
    make_settings: MakeSettings,
    run_instead_of_workers: Callable[[str], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(_: Any, __: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    run_instead_of_workers("import time; time.sleep(3600)")
    settings = make_settings(workers=2)
    oracle = make_oracle(settings, state_path=tmp_path / "search.json")
    monkeypatch.setattr(StateFile, "write", full)
    with pytest.raises(OSError, match="No space left on device"):
        oracle.create_trial("worker-0")  # as the server's thread does, whose errors would go unnoticed
    with pytest.raises(OSError, match="No space left on device"):
        run_workers(oracle, tiny_examples, settings, folder=tmp_path)


def test_a_trial_of_another_machine_fails_when_it_has_long_been_silent(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    oracle = make_oracle(make_settings(), state_path=tmp_path / "search.json")
    local, remote = oracle.create_trial("worker-0"), oracle.create_trial("node-7")
    oracle.longest_pause = 400.0
    for trial in (local, remote):
        oracle.reported[trial.trial_id] -= 1990.0
    fail_silent_trials(oracle, own_workers=["worker-0"])
    assert oracle.is_running(remote.trial_id)  # its epochs may take that long
    oracle.reported[remote.trial_id] -= 20.0
    fail_silent_trials(oracle, own_workers=["worker-0"])
    assert oracle.is_running(local.trial_id)  # the chief sees whether a process of this machine is alive
    assert oracle.trials[remote.trial_id].status == "FAILED"
    assert oracle.trials[remote.trial_id].message is not None
    assert oracle.trials[remote.trial_id].message.startswith("its worker node-7 has not been heard of for 20")
    # If it was only slow, it is told to stop, and its end changes nothing.
    assert oracle.update_trial(remote.trial_id, {"val_elbo": -1.0}, step=3).status == "STOPPED"
    oracle.end_trial(remote)
    assert oracle.end_order == [remote.trial_id]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("", "KERASTUNER_TUNER_ID: expected in the environment, found nothing (docs/distributed.md)"),
        ("chief-2", "KERASTUNER_TUNER_ID: expected a name without the word chief, found chief-2"),
        ("node-7", "nowhere.json: expected the chief's task, found none (No such file or directory)"),
    ],
)
def test_a_worker_started_by_hand_that_lacks_something_prints_a_line(
    name: str, expected: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KERASTUNER_TUNER_ID", name)
    monkeypatch.setenv("KERASTUNER_ORACLE_IP", "127.0.0.1")
    monkeypatch.setenv("KERASTUNER_ORACLE_PORT", "1")
    monkeypatch.setattr("keras_tuner.src.distribute.oracle_client.TIMEOUT", 1)
    assert worker.main(Path("nowhere.json"), None) == 1
    assert capsys.readouterr().err == f"error: {expected}\n"
