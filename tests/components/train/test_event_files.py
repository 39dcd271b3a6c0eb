"""The names of TensorBoard's files say nothing of the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.train.event_files import remove_host


@pytest.mark.parametrize("host", ["vm", "adas-laptop.home.example.org", "10.0.0.7"])
def test_the_host_is_removed_and_the_order_of_time_stays(tmp_path: Path, host: str) -> None:
    names = [
        f"events.out.tfevents.{time}.{host}.{pid}.0.v2"
        for time, pid in ((1700000001, 9), (1700000000, 8), (1700000000, 7))
    ]
    for split in ("train", "validation"):
        (tmp_path / split).mkdir()
        for name in names:
            (tmp_path / split / name).write_text(name)
    for _ in range(2):  # also when an interrupted run has done it already
        remove_host(tmp_path)
    for split in ("train", "validation"):
        files = {path.name: path.read_text() for path in sorted((tmp_path / split).iterdir())}
        assert files == {
            "events.out.tfevents.1700000000.0.v2": names[2],
            "events.out.tfevents.1700000000.1.v2": names[1],
            "events.out.tfevents.1700000001.0.v2": names[0],
        }


def test_a_run_that_resumed_adds_its_files(tmp_path: Path) -> None:
    (tmp_path / "events.out.tfevents.1700000000.0.v2").write_text("before")
    (tmp_path / "events.out.tfevents.1700000000.vm.3.1.v2").write_text("after")
    remove_host(tmp_path)
    assert (tmp_path / "events.out.tfevents.1700000000.0.v2").read_text() == "before"
    assert (tmp_path / "events.out.tfevents.1700000000.1.v2").read_text() == "after"
