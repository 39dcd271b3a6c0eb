"""The compiled pipeline: the SDK's loader reads it, and its steps' commands write the same artifacts as `all`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("kfp", reason="needs the extra tfx: make test-tfx")

import yaml
from helpers.paths import ROOT
from helpers.small_chain import Command, load, words

from pipeline.core.chain import STAGES
from pipeline.orchestrators.kubeflow import compile_pipeline
from schemas.artifacts.kinds import open_artifact

pytestmark = pytest.mark.filterwarnings("default")  # packages of TFX and kfp warn
IMAGE = "example.org/latent-mill:1"
PLACE = re.compile(r"\{\{\$\.(inputs|outputs)\.(parameters|artifacts)\['(\w+)'\](\.path)?\}\}")


def tasks_in(path: Path) -> dict[str, Any]:
    """Return the tasks of a compiled pipeline."""
    spec: dict[str, Any] = yaml.safe_load(path.read_text())["root"]["dag"]["tasks"]
    return spec


class Engine:
    """Runs a compiled pipeline's containers as processes of this machine, with a folder per artifact."""

    def __init__(self, path: Path, folder: Path) -> None:
        self.spec = yaml.safe_load(path.read_text())
        self.folder = folder

    def output(self, task: str, name: str) -> Path:
        return self.folder / task / name

    def resolve(self, task: str, word: str) -> str:
        place = PLACE.fullmatch(word)
        if place is None:
            return word
        side, kind, name, _ = place.groups()
        if side == "outputs":
            return str(self.output(task, name))
        value = self.spec["root"]["dag"]["tasks"][task]["inputs"][kind][name]
        if kind == "parameters":
            return str(value["runtimeValue"]["constant"])
        artifact = value["taskOutputArtifact"]
        return str(self.output(artifact["producerTask"], artifact["outputArtifactKey"]))

    def run(self, task: str, **changed: str) -> subprocess.CompletedProcess[str]:
        """Run a task's container; `changed` replaces arguments, by option."""
        container = self.spec["deploymentSpec"]["executors"][f"exec-{task}"]["container"]
        arguments = [self.resolve(task, word) for word in container["args"]]
        for option, value in changed.items():
            arguments[arguments.index(f"--{option}") + 1] = value
        return subprocess.run(
            [sys.executable, *container["command"][1:], *arguments],
            env={**os.environ, **{item["name"]: item["value"] for item in container["env"]}},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory, command: Command) -> Path:
    """Compile the small chain; return the file."""
    path = tmp_path_factory.mktemp("kubeflow") / "demo.yaml"
    printed = command("tfx", "compile", *words(), "--image", IMAGE, "--out", path).stdout
    assert "loader  kfp" in printed
    return path


def test_a_step_per_stage_in_their_order_and_of_one_image(compiled: Path) -> None:
    spec = yaml.safe_load(compiled.read_text())
    assert set(tasks_in(compiled)) == {stage.name for stage in STAGES}
    for stage in STAGES:
        needs = {other.name for other in STAGES if other.output in stage.inputs}
        assert needs <= set(tasks_in(compiled)[stage.name].get("dependentTasks", []))
    assert {executor["container"]["image"] for executor in spec["deploymentSpec"]["executors"].values()} == {IMAGE}


def test_the_steps_make_what_all_makes(compiled: Path, tmp_path: Path, by_all: dict[str, str]) -> None:
    engine = Engine(compiled, tmp_path)
    for stage in STAGES[:3]:  # the others work in the same way
        done = engine.run(stage.name)
        assert done.returncode == 0, done.stdout + done.stderr
        artifact = open_artifact(engine.output(stage.name, stage.output.TYPE))
        artifact.check(thorough=True)
        assert artifact.digest == by_all[stage.name]


def test_a_container_image_of_other_code_is_refused(compiled: Path, tmp_path: Path) -> None:
    done = Engine(compiled, tmp_path).run("ingest", code="0" * 64)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: --code: expected an image of the code that this pipeline")


def test_a_recipe_that_differs_from_the_parameters_is_refused(compiled: Path, tmp_path: Path) -> None:
    done = Engine(compiled, tmp_path).run("tune", settings="{}")
    assert done.returncode == 2
    assert "expected the recipe that this pipeline was made from, found another one" in done.stderr


def test_beams_options_reach_the_steps_and_decide_nothing(tmp_path: Path) -> None:
    options = "beam.options=[--runner=FlinkRunner,--job_endpoint=flink:8099]"
    compile_pipeline(load(), image=IMAGE, path=tmp_path / "plain.yaml")
    compile_pipeline(load(options), image=IMAGE, path=tmp_path / "flink.yaml")
    assert tasks_in(tmp_path / "plain.yaml") == tasks_in(tmp_path / "flink.yaml")
    executors = yaml.safe_load((tmp_path / "flink.yaml").read_text())["deploymentSpec"]["executors"]
    for executor in executors.values():
        recipe = json.loads(executor["container"]["env"][0]["value"])
        assert recipe["beam"]["options"] == ["--runner=FlinkRunner", "--job_endpoint=flink:8099"]


def folder_recipe(tmp_path: Path, path: str) -> Any:
    """Return the small chain's recipe, with a folder as its source."""
    file = tmp_path / "photos.yaml"
    text = (ROOT / "recipes" / "demo.yaml").read_text()
    file.write_text(
        text.replace("kind: digits", f"kind: folder\n    path: {path}").replace("name: demo", "name: photos")
    )
    from pipeline.recipes.load import load_recipe

    return load_recipe(str(file))


def test_the_engine_copies_images_from_a_bucket_and_does_not_cache_ingest(tmp_path: Path) -> None:
    compile_pipeline(folder_recipe(tmp_path, "s3://mine/photos"), image=IMAGE, path=tmp_path / "photos.kfp.yaml")
    spec = yaml.safe_load((tmp_path / "photos.kfp.yaml").read_text())
    [importer] = [one["importer"] for one in spec["deploymentSpec"]["executors"].values() if "importer" in one]
    assert importer["artifactUri"]["constant"] == "s3://mine/photos"
    assert not tasks_in(tmp_path / "photos.kfp.yaml")["ingest"]["cachingOptions"].get("enableCache")
    assert tasks_in(tmp_path / "photos.kfp.yaml")["train"]["cachingOptions"]["enableCache"]
    arguments = spec["deploymentSpec"]["executors"]["exec-ingest"]["container"]["args"]
    assert "{{$.inputs.artifacts['source'].path}}" in arguments
