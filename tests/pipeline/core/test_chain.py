"""A stage runs when what it reads has changed, and says what. Content decides; clocks and places do not."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from helpers.chain_by_hand import NAMES, STAGE, Make, finish, stale

from pipeline.core import chain, run
from pipeline.core.chain import STAGES, Status, all_statuses, artifact_path, stages_for
from schemas.artifacts import locks
from schemas.artifacts.kinds import Examples, HyperParameters, ImageSet, Model
from schemas.artifacts.manifest import MANIFEST
from schemas.artifacts.staging import Staging
from schemas.errors import DataError, UsageError
from schemas.recipe.recipe import Recipe


def status_in(name: str, recipe: Recipe, runs: Path) -> Status:
    """How one stage of all stands."""
    return next(item for item in all_statuses(recipe, list(STAGES), runs=runs) if item.stage.name == name)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("ingest", ["ingest"]),
        ("tune", ["ingest", "tune"]),
        ("train", ["ingest", "train"]),
        ("evaluate", ["ingest", "train", "evaluate"]),
        ("export", ["ingest", "train", "evaluate", "export"]),
        ("generate", ["ingest", "train", "evaluate", "export", "generate"]),
        ("all", NAMES),
    ],
)
def test_a_target_needs_the_stages_before_it_and_only_all_needs_tune(target: str, expected: list[str]) -> None:
    assert [stage.name for stage in stages_for(target)] == expected


def test_every_artifact_and_every_image_set_has_a_place_of_its_own(make: Make, runs: Path) -> None:
    paths = [artifact_path(make(), stage.output, runs=runs) for stage in STAGES]
    for change in ({"generate.seed": 1}, {"generate.count": 7}, {"generate.format": "parquet"}):
        paths.append(artifact_path(make(change), ImageSet, runs=runs))
    assert len(set(paths)) == len(STAGES) + 3
    assert all(path.is_relative_to(runs / "photos") for path in paths)


def test_at_first_ingest_never_ran_and_the_others_wait(make: Make, runs: Path) -> None:
    reasons = stale(make(), runs)
    assert reasons["ingest"] == "no result yet"
    assert list(reasons) == NAMES
    assert all(reason.startswith("waiting for ") for name, reason in reasons.items() if name != "ingest")


def test_when_everything_ran_nothing_is_stale_however_beam_runs(make: Make, runs: Path) -> None:
    finish(make(), runs, *NAMES)
    assert stale(make(), runs) == stale(make({"beam.workers": 7}), runs) == {}


@pytest.mark.parametrize("name", ["", "notes.txt"])
def test_what_somebody_has_put_in_the_place_of_an_artifact_is_not_replaced(make: Make, runs: Path, name: str) -> None:
    place = artifact_path(make(), Examples, runs=runs)
    own = place / name
    own.parent.mkdir(parents=True)
    own.write_text("mine")
    with pytest.raises(DataError, match=rf"^{place}: expected .*; move it to another place$"):
        run.run_stages(make(), [STAGE["ingest"]], runs=runs, dry_run=False, verbose=False)
    with pytest.raises(DataError, match=rf"^{place}: expected .*; move it to another place$"):
        Staging(place, "0" * 64).open(Examples)
    assert own.read_text() == "mine"


def test_a_stage_that_was_interrupted_resumes(make: Make, runs: Path) -> None:
    status_in("ingest", make(), runs).staging().open(Examples)
    assert stale(make(), runs)["ingest"] == "was interrupted; resumes"
    assert stale(make({"preprocess.height": 32}), runs)["ingest"] == "no result yet"


def test_a_stage_that_another_run_is_making_is_not_called_interrupted(make: Make, runs: Path) -> None:
    status = status_in("ingest", make(), runs)
    status.staging().open(Examples)
    with locks.writing(status.output.path):
        assert stale(make(), runs)["ingest"] == "another run is making it"
    assert stale(make(), runs)["ingest"] == "was interrupted; resumes"


@pytest.mark.parametrize(
    ("changes", "stage", "reason", "fresh"),
    [
        ({"preprocess.height": 32}, "ingest", "preprocess.height changed: 28 → 32", []),
        ({"preprocess.crop": "baked"}, "ingest", "preprocess.crop changed: none → baked", []),
        ({"tune.max_trials": 3}, "tune", "tune.max_trials changed: 8 → 3", ["ingest"]),
        ({"train.epochs": 3}, "train", "train.epochs changed: 10 → 3", ["ingest", "tune"]),
        ({"train.learning_rate": 0.01}, "train", "train.learning_rate changed: 0.001 → 0.01", ["ingest", "tune"]),
        ({"model": {"network": "conv", "latent_dim": 5}}, "tune", "model.latent_dim changed: 2 → 5", ["ingest"]),
        ({"evaluate.scatter_images": 9}, "evaluate", "evaluate.scatter_images changed: 5000 → 9", NAMES[:3]),
        ({"export.tolerance": 0.1}, "export", "export.tolerance changed: 1e-05 → 0.1", NAMES[:4]),
    ],
)
def test_a_setting_that_changed_is_named_with_its_values_and_stales_nothing_before_it(
    make: Make, runs: Path, changes: dict[str, Any], stage: str, reason: str, fresh: list[str]
) -> None:
    finish(make(), runs, *NAMES)
    reasons = stale(make(changes), runs)
    assert reasons[stage] == reason
    assert not set(fresh) & set(reasons)


def test_the_setting_of_a_source_that_changed_is_named_by_its_key(make: Make, runs: Path, source_folder: Path) -> None:
    finish(make(), runs, "ingest")
    source = {"kind": "folder", "path": str(source_folder), "label": "first_folder"}
    assert stale(make({"sources": [source]}), runs)["ingest"] == "sources.0.label changed: none → first_folder"


def test_later_stages_wait_for_a_stale_one(make: Make, runs: Path) -> None:
    finish(make(), runs, *NAMES)
    reasons = stale(make({"train.epochs": 3}), runs)
    assert list(reasons) == ["train", "evaluate", "export", "generate"]
    assert reasons["evaluate"] == "waiting for train"
    assert reasons["generate"] == "waiting for export"


def test_the_first_of_several_changes_is_named_and_the_others_are_counted(make: Make, runs: Path) -> None:
    finish(make(), runs, "ingest")
    reason = stale(make({"preprocess.height": 32, "preprocess.width": 32, "seed": 3}), runs)["ingest"]
    assert re.fullmatch(r"\S+ changed: \w+ → \w+ \(and 2 more\)", reason)


@pytest.mark.parametrize(
    "changes",
    [
        {"beam.workers": 2},
        {"beam.options": ["--runner=FlinkRunner"]},
        {"train.epochs": 3},
        {"loss": {"likelihood": "mse", "weight": 2.0}},
        {"title": "other", "evaluate.scatter_images": 3, "export.tolerance": 0.5, "generate.count": 3},
    ],
    ids=lambda changes: " ".join(changes),
)
def test_what_ingest_does_not_read_does_not_make_it_stale(make: Make, runs: Path, changes: dict[str, Any]) -> None:
    finish(make(), runs, "ingest")
    assert "ingest" not in stale(make(changes), runs)


def test_modification_times_decide_nothing(make: Make, runs: Path, source_folder: Path) -> None:
    finish(make(), runs, *NAMES)
    for moment, root in ((4_000_000_000, source_folder), (1, runs)):
        for path in [root, *root.rglob("*")]:
            os.utime(path, (moment, moment))
    assert stale(make(), runs) == {}


@pytest.mark.parametrize("change", ["edited", "added", "renamed"])
def test_sources_that_changed_make_ingest_stale(make: Make, runs: Path, source_folder: Path, change: str) -> None:
    finish(make(), runs, *NAMES)
    if change == "renamed":
        (source_folder / "a.png").rename(source_folder / "b.png")
    else:
        (source_folder / ("a.png" if change == "edited" else "b.png")).write_bytes(b"b")
    assert re.fullmatch(r"sources changed: \w{8}… → \w{8}…", stale(make(), runs)["ingest"])


def test_the_same_images_in_another_place_make_nothing_stale(
    make: Make, runs: Path, source_folder: Path, tmp_path: Path
) -> None:
    finish(make(), runs, *NAMES)
    source_folder.rename(tmp_path / "elsewhere")
    assert stale(make(path=tmp_path / "elsewhere"), runs) == {}


def test_examples_whose_source_is_no_longer_given_stay_fresh(make: Make, runs: Path) -> None:
    finish(make(), runs, *NAMES)
    assert stale(make(path=None), runs) == {}
    assert stale(make({"preprocess.height": 32}, path=None), runs)["ingest"].startswith("preprocess.height changed")


def test_without_source_and_examples_the_error_says_to_set_source(make: Make, runs: Path) -> None:
    message = "sources: expected the path of your images, found none; set SOURCE=… (or --source …)"
    with pytest.raises(UsageError, match=re.escape(message)):
        chain.status_of(STAGE["ingest"], make(path=None), runs=runs, before=[])
    assert stale(make(path=None), runs)["ingest"] == message


def test_an_input_of_another_content_is_named(make: Make, runs: Path) -> None:
    finish(make(), runs, *NAMES)
    finish(make(), runs, "ingest", content="other pixels")
    reasons = stale(make(), runs)
    assert re.fullmatch(r"Examples changed: \w{8}… → \w{8}…", reasons["tune"])
    assert reasons["train"] == "waiting for tune"
    assert stale(make(), runs, stages=stages_for("train"))["train"].startswith("Examples changed: ")


def test_an_input_that_was_made_again_alike_makes_nothing_stale(make: Make, runs: Path) -> None:
    finish(make(), runs, *NAMES)
    finish(make(), runs, "ingest")
    assert stale(make(), runs) == {}


@pytest.mark.parametrize("damage", ["removed", "truncated", "no manifest", "a manifest of another type", "rewritten"])
@pytest.mark.parametrize("path_is_given", [True, False], ids=["with SOURCE", "without"])
def test_a_damaged_artifact_is_the_reason(make: Make, runs: Path, damage: str, path_is_given: bool) -> None:
    finish(make(), runs, *NAMES)
    examples = artifact_path(make(), Examples, runs=runs)
    if damage == "removed":
        (examples / "content.txt").unlink()
    elif damage == "truncated":
        (examples / "content.txt").write_text("ing")
    elif damage == "no manifest":
        (examples / MANIFEST).write_text("no JSON")
    elif damage == "rewritten":
        (examples / MANIFEST).write_text((examples / MANIFEST).read_text().replace('"seed": 0', '"seed": 1'))
    else:
        (examples / MANIFEST).write_bytes((artifact_path(make(), Model, runs=runs) / MANIFEST).read_bytes())
    recipe = make() if path_is_given else make(path=None)
    now = status_in("ingest", recipe, runs)
    assert now.damaged
    assert re.match(rf"damaged: {re.escape(str(examples))}/.*: expected .*, found ", now.reason)
    assert stale(recipe, runs)["train"] == "waiting for ingest"


def test_hyperparameters_that_are_damaged_do_not_hide_how_the_stages_stand(make: Make, runs: Path) -> None:
    finish(make(), runs, *NAMES)
    (artifact_path(make(), HyperParameters, runs=runs) / MANIFEST).write_text("no JSON")
    assert stale(make(), runs)["tune"].startswith("damaged: ")
