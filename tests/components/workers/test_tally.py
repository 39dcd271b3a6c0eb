"""The counts of workers in several processes are added up."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

from components.workers.tally import Tally, TotalTally


def _work(folder: Path, done: int, rejected: int) -> None:
    tally = Tally(folder)
    for _ in range(done):
        tally.add(done=1)
    tally.add(rejected=rejected)
    tally.flush()


def test_what_several_processes_have_done_is_added_up(tmp_path: Path) -> None:
    total = TotalTally(tmp_path / "tally")
    assert (total.done(), total.note()) == (0, "")
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_work, args=(tmp_path / "tally", done, 2)) for done in (5, 1000)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert (total.done(), total.note()) == (1009, "4 rejected")


def test_a_restarted_worker_continues_its_count(tmp_path: Path) -> None:
    total = TotalTally(tmp_path)
    _work(tmp_path, 3, 0)
    _work(tmp_path, 4, 1)
    assert total.done() == 8


def test_what_an_earlier_run_did_does_not_count(tmp_path: Path) -> None:
    _work(tmp_path, 3, 0)
    assert TotalTally(tmp_path).done() == 0
