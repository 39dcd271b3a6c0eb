"""What cannot be compared: one line where something is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.runs_by_hand import seal

from schemas.artifacts.kinds import Generator
from schemas.recipe.recipe import Recipe


@pytest.mark.parametrize(
    ("words", "status", "line"),
    [
        ([], 2, 'compare: expected two runs or more, found none; set RUNS="a b"'),
        (["grey"], 2, 'compare: expected two runs or more, found grey alone; set RUNS="a b"'),
        (
            ["grey", "twyn"],
            2,
            "twyn: expected a run with an evaluation, found no folder {runs}/twyn; did you mean twin?",
        ),
        (["grey", "{runs}/grey"], 2, "{runs}/grey: expected runs that differ, found the same one twice (grey)"),
        (
            ["grey", "{runs}/grey/evaluation/metrics.json"],
            2,
            "metrics.json: expected the folder of a run, found a file",
        ),
        (
            ["grey", "empty"],
            1,
            "{runs}/empty/evaluation: expected a ModelEvaluation, found none; run make evaluate RECIPE",
        ),
        (["", "grey"], 2, "RUNS: expected names of runs, found an empty one"),
        (["grey", "twin", "--out", "a.png"], 2, "--out a.png: expected a name that ends in .html, found a.png"),
        (
            ["grey", "twin", "--out", "{runs}/grey/evaluation/a.html"],
            2,
            "expected a place outside artifacts, which hold",
        ),
    ],
)
def test_bad_input_is_one_line(
    words: list[str], status: int, line: str, compare: Callable[..., tuple[int, str, str]], shelf: Path
) -> None:
    actual, out, err = compare(*(word.format(runs=shelf) for word in words))
    assert (actual, out) == (status, "")
    assert err.count("\n") == 1
    assert line.format(runs=shelf) in err


@pytest.mark.parametrize(
    "damaged",
    [
        "evaluation/metrics.json",
        "generator/saved_model/saved_model.pb",
        "examples/Split-test/data_tfrecord-00000-of-00001",
    ],
)
def test_a_damaged_artifact_is_one_line(
    damaged: str, compare: Callable[..., tuple[int, str, str]], copied: Path
) -> None:
    path = copied / "grey" / damaged
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1  # of the same size
    path.write_bytes(data)
    status, out, err = compare("grey", "twin", runs=copied)
    assert (status, out) == (1, "")
    assert err.count("\n") == 1
    assert f"{path}: expected " in err


@pytest.mark.process
def test_a_generator_that_tensorflow_cannot_load_is_one_line(
    compare: Callable[..., tuple[int, str, str]], copied: Path
) -> None:
    generator = Generator(copied / "grey" / "generator")
    (generator.saved_model_path / "saved_model.pb").write_bytes(b"none")
    seal(generator, Recipe.model_validate(generator.manifest.recipe), inputs=generator.manifest.inputs)
    assert compare("grey", "bare", runs=copied)[0] == 2  # this machine did not make it
    status, _, err = compare("grey", "bare", "--trust", runs=copied)
    assert status == 1
    assert err.startswith("error: compare: ended unexpectedly (status 1): ")
    assert not (copied / "compare-grey-bare.html").exists()
