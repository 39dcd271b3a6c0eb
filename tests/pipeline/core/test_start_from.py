"""The model that a training starts from: it counts by its content, is checked before any stage, and stands in the lineage."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from helpers.chain_by_hand import finish, stale

from pipeline.core.chain import STAGES
from pipeline.core.run import run_stages
from pipeline.recipes.load import load_recipe
from pipeline.tools import why
from schemas.artifacts.kinds import Examples, Generator, ImageSet, Model
from schemas.errors import UsageError
from schemas.recipe.recipe import Recipe


def demo(*overrides: str, name: str = "demo") -> Recipe:
    """Return the demo's recipe under a name, with other settings."""
    return load_recipe("demo", overrides=[f"name={name}", "train.use_tuned=false", *overrides])


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Return a folder of runs with the model of a recipe `base`."""
    finish(demo(name="base"), tmp_path, "ingest", "train")
    return tmp_path


def test_train_is_stale_where_the_other_models_content_changes_and_not_its_place(runs: Path) -> None:
    recipe = demo(f"train.start_from={runs}/base")
    finish(recipe, runs, "ingest", "train")
    first = Model(runs / "demo" / "model").manifest
    assert first.inputs["start_from"] == Model(runs / "base" / "model").digest
    assert str(runs) not in first.model_dump_json(exclude={"recipe"})  # `published` sees to the recipe
    shutil.copytree(runs / "base" / "model", runs / "moved")
    stages = [stage for stage in STAGES if stage.name in ("ingest", "train")]
    assert stale(demo(f"train.start_from={runs}/moved"), runs, stages=stages) == {}
    finish(demo(name="base"), runs, "train", content="trained again")
    assert stale(recipe, runs, stages=stages)["train"].startswith("start_from changed: ")
    assert "start_from changed: " in stale(demo(), runs, stages=stages)["train"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["train.start_from={runs}/nowhere"], r"^train\.start_from: expected the folder of a run or of its model, found no"),
        (["train.start_from={runs}/demo"], r"^train\.start_from: expected another recipe's model, found this one's own"),
        (["train.start_from={runs}/base", "model.latent_dim=7"], r"^model\.latent_dim: expected \d+, as in .*, found 7$"),
        (["train.start_from={runs}/base", "preprocess.height=20"], r"^preprocess\.height: expected 28, as in .*, found 20$"),
        (["train.start_from={runs}/nd"], r"^train\.start_from: .* allows derivatives, found CC-BY-ND-4\.0"),
    ],
    ids=["missing", "own", "model", "images", "licence"],
)  # fmt: skip
def test_what_does_not_fit_is_said_before_any_stage_runs(overrides: list[str], message: str, runs: Path) -> None:
    finish(demo(name="demo"), runs, "ingest", "train")
    finish(demo("export.licence=CC-BY-ND-4.0", name="nd"), runs, "ingest", "train")
    shutil.rmtree(runs / "demo" / "examples")
    recipe = demo(*(text.format(runs=runs) for text in overrides))
    with pytest.raises(UsageError, match=message):
        run_stages(recipe, list(STAGES), runs=runs, dry_run=True, verbose=False)


def test_why_names_the_model_that_the_training_started_from(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inputs = {"Examples": "12ab", "start_from": "34cd"}
    artifacts: list[Any] = [
        Model(tmp_path / "model"),
        Generator(tmp_path / "generator"),
        ImageSet(tmp_path / "images" / "a"),
    ]
    for artifact in artifacts:
        artifact.path.mkdir(parents=True)
        artifact.seal(
            inputs=inputs, settings={}, counts={}, recipe={}, versions={}, duration_seconds=0.0, created="today"
        )
        inputs = {artifact.TYPE: artifact.digest}
    why._parents(artifacts[-1])
    lines = capsys.readouterr().out.splitlines()
    place = lines.index("started   from the weights of the model 34cd")
    assert lines[place - 1].startswith(f"Model     {artifacts[0].digest}")
    assert lines[place + 1].startswith(f"{Examples.TYPE}  12ab")
