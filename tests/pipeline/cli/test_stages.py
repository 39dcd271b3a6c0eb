"""The stages' commands: what a dry run says, and what a broken source leaves."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

Pipeline = Callable[..., tuple[int, str, str]]


@pytest.mark.usefixtures("stages_in_this_process")
def test_a_truncated_idx_file_is_one_line_and_leaves_nothing_that_looks_finished(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    source = tmp_path / "idx"
    source.mkdir()
    header = bytes((0, 0, 8, 3)) + (60_000).to_bytes(4, "big") + (28).to_bytes(4, "big") * 2
    (source / "train-images-idx3-ubyte").write_bytes(header + bytes(100))
    status, _, err = pipeline("ingest", "--recipe", "fashion_bn", "--source", source)
    assert status == 1
    assert "train-images-idx3-ubyte: expected 47,040,000 bytes" in err
    assert "found 100" in err
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "runs" / "fashion_bn" / "examples").exists()


@pytest.mark.parametrize(("count", "largest"), [(1000, "1.2 MB"), (1_000_000, "1.2 GB")])
def test_a_dry_run_says_what_would_run_and_how_large_the_set_would_be(
    count: int, largest: str, pipeline: Pipeline, tmp_path: Path
) -> None:
    status, out, _ = pipeline("all", "--dry-run", "--set", f"generate.count={count}")
    assert status == 0
    assert out.count("would run") == 6
    expected = f"set            {count:,} images, at most about {largest}; free on the disk: "
    assert re.fullmatch(rf"{re.escape(expected)}[0-9,.]+ [MG]B", out.splitlines()[-1])
    assert not list(tmp_path.iterdir())


def test_a_number_of_images_that_labels_replace_is_said_not_to_be_used(pipeline: Pipeline) -> None:
    labels = ("model.conditional=true", "generate.labels={1: 50, 2: 25}")
    command = ("generate", "--dry-run", *(part for setting in labels for part in ("--set", setting)))
    unused = "N is not used: labels makes 75 images"
    status, out, _ = pipeline(*command)
    assert (status, unused in out) == (0, False)
    status, out, _ = pipeline(*command, "--set", "generate.count=20")
    assert (status, out.splitlines()[0]) == (0, unused)
    assert "set            75 images" in out


def test_verbose_prints_every_setting(pipeline: Pipeline) -> None:
    assert "deterministic: false" not in pipeline("train", "--dry-run")[1]
    assert "deterministic: false" in pipeline("train", "--dry-run", "--verbose")[1]
