"""A stage in a container: its command line, its checks, and where its artifact goes. TFX and kfp are not needed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from helpers.chain_by_hand import STAGE, Make, finish

from pipeline.core.chain import artifact_path
from pipeline.orchestrators import container_step
from pipeline.orchestrators.code_digest import code_digest
from pipeline.orchestrators.container_step import RECIPE, main
from schemas.artifacts.kinds import Examples, HyperParameters
from schemas.recipe.recipe import Recipe


@pytest.fixture
def tasks(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Collect the tasks that steps run; each writes a tiny sealed artifact instead of its work."""
    collected: list[dict[str, Any]] = []

    def run(task: dict[str, Any]) -> None:
        collected.append(task)
        artifact = STAGE[task["stage"]].output(Path(task["final"]))
        artifact.path.mkdir()
        artifact.seal(
            inputs=task["digests"], settings={}, counts={}, recipe={}, versions={}, duration_seconds=0, created="today"
        )

    monkeypatch.setattr(container_step, "run_task", run)
    return collected


def arguments(stage: str, recipe: Recipe, output: Path, **changes: str) -> list[str]:
    settings = STAGE[stage].settings.of(recipe).content()
    options = {
        "stage": stage,
        "settings": json.dumps(settings),
        "external": "{}",
        "code": code_digest(STAGE[stage]),
        "output": str(output),
        **changes,
    }
    return [word for option, value in options.items() for word in (f"--{option}", value)]


def test_a_step_gets_its_inputs_and_puts_its_artifact_where_the_engine_wants_it(
    make: Make, runs: Path, tasks: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    finish(make(), runs, "ingest")
    examples = Examples(artifact_path(make(), Examples, runs=runs))
    output = runs / "bucket"
    output.mkdir()  # as a mounted folder is
    monkeypatch.setenv(RECIPE, make().model_dump_json())
    assert main([*arguments("tune", make(), output), "--input", "Examples", str(examples.path)]) == 0
    [task] = tasks
    assert task["artifacts"] == {"Examples": str(examples.path)}
    assert task["digests"] == {"Examples": examples.digest}
    assert capsys.readouterr().out == f"HyperParameters {HyperParameters(output).digest}  {output}\n"


def test_images_that_the_engine_copied_are_the_source(
    make: Make, runs: Path, source_folder: Path, tasks: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = make(path=Path("s3://mine/photos"))
    monkeypatch.setenv(RECIPE, recipe.model_dump_json())
    words = arguments("ingest", recipe, runs / "examples", external="null", source=str(source_folder))
    assert main(words) == 0
    assert tasks[0]["settings"]["sources"][0]["path"] == str(source_folder)
    assert tasks[0]["recipe"]["sources"][0]["path"] is None
    assert len(tasks[0]["digests"]["sources"]) == 64


@pytest.mark.parametrize(
    ("recipe_is_set", "changes", "expected"),
    [
        (False, {}, f"{RECIPE}: expected the resolved recipe as JSON in the environment, found nothing"),
        (True, {"settings": "{}"}, f"{RECIPE}: expected the recipe that this pipeline was made from, found another"),
        (True, {"code": "0" * 64}, "--code: expected an image of the code that this pipeline was compiled with (0000"),
        (True, {"external": "null"}, "sources: expected a path in the container, or a URI that the engine knows"),
    ],
)
def test_bad_input_is_one_line_and_a_status(
    recipe_is_set: bool, changes: dict[str, str], expected: str, make: Make, runs: Path,
    tasks: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    recipe = make(path=None)
    if recipe_is_set:
        monkeypatch.setenv(RECIPE, recipe.model_dump_json())
    assert main(arguments("ingest", recipe, runs / "examples", **changes)) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"error: {expected}")
    assert err.count("\n") == 1
    assert tasks == []
