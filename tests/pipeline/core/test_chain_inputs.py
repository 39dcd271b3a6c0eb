"""Which artifacts and which external data a stage reads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from helpers.chain_by_hand import NAMES, STAGE, Make, finish, stale

from pipeline.core.chain import inputs_of, stages_for
from schemas.errors import UsageError
from schemas.recipe.recipe import Recipe
from schemas.recipe.settings import GenerateSettings


def reads_hyperparameters(recipe: Recipe, runs: Path) -> bool:
    """Return whether train reads HyperParameters."""
    inputs = inputs_of(STAGE["train"], recipe, runs=runs)
    assert list(inputs) == ["Examples", "HyperParameters"]
    return inputs["HyperParameters"] is not None


def test_train_reads_existing_hyperparameters_unless_the_recipe_turns_it_off(make: Make, runs: Path) -> None:
    finish(make(), runs, "ingest")
    assert not reads_hyperparameters(make(), runs)
    finish(make(), runs, "tune")
    assert reads_hyperparameters(make(), runs)
    assert not reads_hyperparameters(make({"train.use_tuned": False}), runs)


def test_hyperparameters_for_other_examples_are_not_read(make: Make, runs: Path) -> None:
    finish(make(), runs, "ingest", "tune")
    finish(make(), runs, "ingest", content="other pixels")
    assert not reads_hyperparameters(make(), runs)


def test_hyperparameters_that_come_later_make_the_model_stale(make: Make, runs: Path) -> None:
    finish(make(), runs, "ingest", "train")
    assert stale(make(), runs, stages=stages_for("train")) == {}
    finish(make(), runs, "tune")
    assert re.fullmatch(r"HyperParameters changed: none → \w{8}…", stale(make(), runs)["train"])


def test_where_all_stages_run_train_waits_for_a_search_that_is_stale(make: Make, runs: Path) -> None:
    finish(make(), runs, *NAMES)
    new_search = {"tune.max_trials": 3}
    assert stale(make(new_search), runs)["train"] == "waiting for tune"
    assert "train" not in stale(make(new_search), runs, stages=stages_for("train"))


def test_train_does_not_wait_for_a_search_that_never_ran(make: Make, runs: Path) -> None:
    finish(make(), runs, "ingest", "train", "evaluate")
    assert list(stale(make(), runs)) == ["tune", "export", "generate"]


def test_train_does_not_wait_for_a_search_whose_result_it_does_not_use(make: Make, runs: Path) -> None:
    own = {"train.use_tuned": False}
    finish(make(own), runs, *NAMES)
    assert list(stale(make({**own, "tune.max_trials": 3}), runs)) == ["tune"]


def test_evaluate_reads_the_search_that_the_model_was_trained_with(make: Make, runs: Path) -> None:
    finish(make(), runs, "ingest", "train", "evaluate")
    assert inputs_of(STAGE["evaluate"], make(), runs=runs)["HyperParameters"] is None
    assert "evaluate" not in stale(make(), runs)
    finish(make(), runs, "tune", "train", "evaluate")
    assert inputs_of(STAGE["evaluate"], make(), runs=runs)["HyperParameters"] is not None
    assert "evaluate" not in stale(make(), runs)


def test_a_search_whose_result_is_not_taken_makes_no_evaluation_stale(make: Make, runs: Path) -> None:
    own = {"train.use_tuned": False}
    finish(make(own), runs, "ingest", "train", "evaluate")
    finish(make(own), runs, "tune")
    assert inputs_of(STAGE["evaluate"], make(own), runs=runs)["HyperParameters"] is None
    assert "evaluate" not in stale(make(own), runs)
    assert "evaluate" not in stale(make({**own, "tune.max_trials": 3}), runs)


def test_generate_takes_training_images_only_to_leave_out_copies_of_them(make: Make, runs: Path) -> None:
    finish(make(), runs, *NAMES)
    assert inputs_of(STAGE["generate"], make(), runs=runs)["Examples"] is None
    filtered = make({"generate.drop_near_copies": True, "generate.name": "filtered"})
    assert inputs_of(STAGE["generate"], filtered, runs=runs)["Examples"] is not None


def test_codes_count_by_their_content_and_not_by_their_path(make: Make, source_folder: Path, tmp_path: Path) -> None:
    def settings(path: Path) -> GenerateSettings:
        return GenerateSettings.of(make({"generate.around": str(path), "generate.name": "near"}))

    def read(path: Path) -> dict[str, str | None]:
        assert STAGE["generate"].external is not None
        return dict(STAGE["generate"].external(settings(path)))

    before, content = read(source_folder), settings(source_folder).content()
    moved = source_folder.rename(tmp_path / "moved")
    assert (read(moved), settings(moved).content()) == (before, content)
    (moved / "a.png").write_bytes(b"other pixels")
    assert read(moved) != before
    with pytest.raises(
        UsageError, match=r"generate\.around: expected images, or a Parquet file of codes, at .*photos, found"
    ):
        read(source_folder)
