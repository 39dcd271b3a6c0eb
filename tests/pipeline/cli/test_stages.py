"""The stages' commands: what they say first and last, what a dry run says, and what a broken source leaves."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.chain_by_hand import finish

from pipeline.core.chain import artifact_path
from pipeline.recipes.load import load_recipe
from schemas.artifacts.kinds import Examples

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


def test_a_value_that_the_search_chooses_is_said_not_to_be_used(pipeline: Pipeline) -> None:
    value = ("--set", "model.latent_dim=16")
    note = "model.latent_dim of SET is not used: tune's search says the value; add train.use_tuned=false to train with yours"
    assert note in pipeline("all", "--dry-run", *value)[1]
    assert note not in pipeline("all", "--dry-run", *value, "--set", "train.use_tuned=false")[1]
    assert note not in pipeline("train", "--dry-run", *value)[1]  # there is no search
    assert note not in pipeline("tune", "--dry-run", *value)[1]


def test_verbose_prints_every_setting(pipeline: Pipeline) -> None:
    assert "deterministic: false" not in pipeline("train", "--dry-run")[1]
    assert "deterministic: false" in pipeline("train", "--dry-run", "--verbose")[1]


@pytest.mark.usefixtures("stages_in_this_process")
def test_a_command_ends_with_the_place_of_its_result_and_the_next_command(
    pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, runs = load_recipe("demo"), tmp_path / "runs"
    examples = artifact_path(recipe, Examples, runs=runs)
    monkeypatch.setattr("pipeline.core.run.run_process", lambda *_, **__: finish(recipe, runs, "ingest"))
    _, out, _ = pipeline("ingest")
    place = f"{examples}; look at its contact_sheet.png"
    following = (
        f"make train RECIPE=demo RUNS={runs} (make tune RECIPE=demo RUNS={runs} before it searches for better settings)"
    )
    assert out.splitlines()[-3:] == ["ingest    runs: no result yet", f"  result  {place}", f"next: {following}"]
    assert pipeline("ingest")[1].splitlines() == [f"ingest    up to date: {place}", f"next: {following}"]


def test_a_run_lists_only_the_settings_of_the_stages_that_run(pipeline: Pipeline, tmp_path: Path) -> None:
    def sections() -> list[str]:
        return [line.split()[0] for line in pipeline("train", "--dry-run")[1].splitlines() if line.startswith("  ")]

    assert sections() == ["sources", "preprocess", "model", "loss", "train", "settings"]
    finish(load_recipe("demo"), tmp_path / "runs", "ingest")
    assert sections() == ["model", "loss", "train", "settings"]
