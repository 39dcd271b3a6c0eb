"""The next command, with what the last one got, so that it finds the same things up to date."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.cli.next_step import next_step
from pipeline.recipes.setting_list import split_settings
from schemas.artifacts.kinds import Generator


def after(target: str, **options: Any) -> str:
    defaults: dict[str, Any] = {
        "recipe": "demo",
        "source": None,
        "overrides": [],
        "runs": Path("runs"),
        "generator": Generator(Path("none")),
    }
    return next_step(target, **{**defaults, **options})


@pytest.mark.parametrize(
    ("target", "line"),
    [
        ("ingest", "next: make train RECIPE=demo (make tune RECIPE=demo before it searches for better settings)"),
        ("tune", "next: make train RECIPE=demo"),
        ("train", "next: make evaluate RECIPE=demo"),
        ("evaluate", "next: make generate RECIPE=demo"),
        ("export", "next: make generate RECIPE=demo"),
        ("generate", "next: make generate RECIPE=demo N=10000"),
        ("all", "next: make generate RECIPE=demo N=10000"),
    ],
)
def test_each_command_leads_to_another_one(target: str, line: str) -> None:
    assert after(target) == line


def test_a_generator_with_onnx_files_leads_to_the_explorer(tmp_path: Path) -> None:
    (tmp_path / "onnx").mkdir()
    (tmp_path / "onnx" / "decode.onnx").write_bytes(b"")
    line = after("all", generator=Generator(tmp_path), overrides=["train.epochs=5"], source="/photos")
    assert line == "next: walk from image to image in your browser: make explore RECIPE=demo"


@pytest.mark.parametrize(
    "overrides",
    [
        ["train.epochs=5", "generate.labels={1: 50, 2: 25}"],
        ["title=My photos, and yours", "generate.name=it's"],
        ['evaluate.inception="/a b/i.pt"', 'title=$HOME `x`; "y"'],
    ],
)
def test_the_next_command_gets_the_same_variables_through_a_shell(overrides: list[str]) -> None:
    line = after(
        "train", overrides=overrides, source="/o'brien pics", runs=Path("/tmp/my runs"), recipe="my recipe.yaml"
    )
    words = shlex.split(line.removeprefix("next: "))
    assert words[:2] == ["make", "evaluate"]
    variables = dict(word.split("=", 1) for word in words[2:])
    assert {name: variables[name] for name in ("RECIPE", "SOURCE", "RUNS")} == {
        "RECIPE": "my recipe.yaml",
        "SOURCE": "/o'brien pics",
        "RUNS": "/tmp/my runs",
    }
    settings = [override.partition("=")[::2] for override in split_settings(variables["SET"])]
    expected = [override.partition("=")[::2] for override in overrides]
    assert [key for key, _ in settings] == [key for key, _ in expected]
    assert [yaml.safe_load(value) for _, value in settings] == [yaml.safe_load(value) for _, value in expected]
