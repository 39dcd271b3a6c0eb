"""The stages under TFX's LocalDagRunner: what runs, what is cached, and what ML Metadata records."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("tfx", reason="needs the extra tfx: make test-tfx")

from helpers.small_chain import Command, load, words

from pipeline.core.chain import STAGES
from schemas.artifacts.kinds import open_artifact

pytestmark = pytest.mark.filterwarnings("default")  # packages of TFX and kfp warn
ORDER = [stage.name for stage in STAGES]


def summary(done: subprocess.CompletedProcess[str]) -> dict[str, tuple[str, str]]:
    """Return the last lines of a run: of each component, whether it ran or was cached, and its artifact's folder."""
    rows = [line.split() for line in done.stdout.splitlines()[-len(STAGES) :]]
    return {row[0]: (row[1], row[3]) for row in rows}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of runs."""
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def first(home: Path, command: Command) -> dict[str, tuple[str, str]]:
    """Run the pipeline for the first time; return its last lines."""
    return summary(command("tfx", "run", *words(), "--runs", home))


def test_six_components_run_and_make_what_all_makes(first: dict[str, tuple[str, str]], by_all: dict[str, str]) -> None:
    assert list(first) == ORDER
    assert {word for word, _ in first.values()} == {"ran"}
    artifacts = {name: open_artifact(Path(path)) for name, (_, path) in first.items()}
    for artifact in artifacts.values():
        artifact.check(thorough=True)
    assert {name: artifact.digest for name, artifact in artifacts.items()} == by_all


def test_a_setting_that_does_not_decide_the_output_leaves_the_cache_valid(
    home: Path, first: dict[str, tuple[str, str]], command: Command
) -> None:
    again = summary(command("tfx", "run", *words("beam.workers=1"), "--runs", home))
    assert again == {name: ("cached", path) for name, (_, path) in first.items()}


def test_a_change_of_train_runs_train_again_and_what_follows(
    home: Path, first: dict[str, tuple[str, str]], command: Command
) -> None:
    changed = summary(command("tfx", "run", *words("train.patience=4"), "--runs", home))
    assert {name: word for name, (word, _) in changed.items()} == {
        **dict.fromkeys(["ingest", "tune"], "cached"),
        **dict.fromkeys(["train", "evaluate", "export", "generate"], "ran"),
    }
    # The earlier artifacts still exist: TFX gives every execution a folder of its own.
    open_artifact(Path(first["train"][1])).check(thorough=True)


def test_ml_metadata_leads_back_to_the_images_as_the_manifests_do(
    home: Path, first: dict[str, tuple[str, str]], command: Command
) -> None:
    images = Path(first["generate"][1])
    printed = command("tfx", "lineage", images, "--runs", home).stdout
    for name, (_, path) in first.items():
        assert open_artifact(Path(path)).digest[:12] in printed, name
    sources = open_artifact(Path(first["ingest"][1])).manifest.inputs["sources"]
    assert f"{sources[:12]}  from outside" in printed
    assert "the manifests of all 6 artifacts agree" in printed


def test_a_manifest_that_differs_from_ml_metadata_is_an_error(
    home: Path, first: dict[str, tuple[str, str]], command: Command, tmp_path: Path
) -> None:
    metadata = home / "demo" / "tfx" / "metadata.sqlite"
    before = metadata.read_bytes()
    digest = open_artifact(Path(first["generate"][1])).digest
    with sqlite3.connect(metadata) as store:
        store.execute("UPDATE ArtifactProperty SET string_value = ? WHERE string_value = ?", ("0" * 64, digest))
    store.close()
    try:
        done = command("tfx", "lineage", first["generate"][1], "--runs", home, check=False)
    finally:
        metadata.write_bytes(before)
    assert done.returncode == 1
    assert f"expected digest {'0' * 64}, from ML Metadata, found {digest}" in done.stderr


def test_a_failure_is_one_line_and_the_same_command_resumes(
    home: Path, first: dict[str, tuple[str, str]], command: Command
) -> None:
    broken = Path(first["export"][1]) / "generator.json"
    before = broken.read_bytes()
    broken.write_bytes(before + b" ")
    try:
        done = command("tfx", "run", *words("generate.seed=9"), "--runs", home, check=False)
    finally:
        broken.write_bytes(before)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert "generator.json: expected" in line
    mended = summary(command("tfx", "run", *words("generate.seed=9"), "--runs", home))
    assert mended["generate"][0] == "ran"


def test_the_standard_types_are_taken_where_the_full_tfx_is(monkeypatch: pytest.MonkeyPatch) -> None:
    from tfx.types import standard_artifacts

    from pipeline.orchestrators import tfx

    own = {stage.output.TYPE: tfx.tfx_type(stage.output) for stage in STAGES}
    assert {kind.TYPE_NAME for kind in own.values()} == set(own)
    assert own["Model"] is not standard_artifacts.Model
    monkeypatch.setattr(tfx.importlib.util, "find_spec", lambda name: object())
    for name in ("Examples", "HyperParameters", "Model", "ModelEvaluation"):
        kind = next(stage.output for stage in STAGES if name == stage.output.TYPE)
        assert tfx.tfx_type(kind) is getattr(standard_artifacts, name)


def test_parameters_hold_what_decides_and_nothing_else() -> None:
    from pipeline.orchestrators.tfx import PARAMETERS, parameters_of

    for stage in STAGES:
        plain, other = parameters_of(stage, load()), parameters_of(stage, load("beam.workers=2"))
        assert set(plain) == set(PARAMETERS)
        assert plain == other
        assert json.loads(plain["settings"]) == stage.settings.of(load()).content()
