"""The command line's errors: one line, an exit status, and no artifact that looks finished."""

from __future__ import annotations

import importlib.abc
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.paths import ROOT

Pipeline = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize(
    ("arguments", "status", "expected"),
    [
        (
            ["train", "--set", "train.epoch=3"],
            2,
            "--set train.epoch: expected a key that exists (did you mean epochs?)",
        ),
        (["train", "--set", "train.epochs=0"], 2, "--set train.epochs: expected at least 1, found 0"),
        (["train", "--recipe", "dem"], 2, "did you mean demo?"),
        (["ingest", "--recipe", "fashion_bn"], 2, "set SOURCE="),
        (["ingest", "--recipe", "fashion_bn", "--source", "/nowhere"], 2, "found nothing at /nowhere"),
        (["ingest", "--recipe", "fashion_bn", "--source", "~nobody-here/p"], 2, "~nobody-here, which is nobody's home"),
        (["train", "--recipe", "~nobody-here/p.yaml"], 2, "~nobody-here, which is nobody's home"),
        (["mix", "~nobody-here/a.png", "b.png"], 2, "~nobody-here, which is nobody's home"),
        (["compare", "~nobody-here/a", "b"], 2, "~nobody-here, which is nobody's home"),
        (
            ["ingest", "--recipe", "fashion_bn", "--source", ""],
            2,
            "SOURCE: expected the path of your images, found an empty",
        ),
        (["verify"], 1, "expected artifacts, found none"),
        (["figures"], 1, "expected the manifest of Examples, found no file"),
    ],
)
def test_bad_input_is_one_line_and_a_status(
    arguments: list[str], status: int, expected: str, pipeline: Pipeline, tmp_path: Path
) -> None:
    ended, out, err = pipeline(*arguments)
    assert ended == status
    assert expected in err
    assert len(err.strip().splitlines()) == 1
    assert "Traceback" not in err + out
    assert not list(tmp_path.rglob("manifest.json"))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["explore", "--port", "abc"], "--port: expected a whole number, found abc"),
        (["explore", "--port", "70000"], "--port: expected at most 65535, found 70000"),
        (["trian"], "trian: expected a command that exists (did you mean train?); see "),
        (["tfx", "rnu"], "rnu: expected a command that exists (did you mean run?); see "),
        (["train", "--recip", "x"], "--recip: expected an option that exists (did you mean --recipe?); see "),
        (["train", "-x"], "-x: expected an option that exists; see "),
        (["train", "demo"], "train: expected no further word, found demo; see "),
        (["mix", "a.png"], "B: expected a value, found none"),
        (["recipe"], "--name: expected a value, found none"),
        (["train", "--recipe"], "--recipe: expected a value, found none"),
        (["train", "--dry-run=3"], "--dry-run: expected no value, found one"),
    ],
)
def test_a_mistake_in_the_command_line_is_one_line_in_the_projects_words(
    words: list[str], expected: str, pipeline: Pipeline
) -> None:
    status, out, err = pipeline(*words, runs=None)
    assert (status, out) == (2, "")
    assert err.startswith(f"error: {expected}")
    assert err.count("\n") == 1


@pytest.mark.parametrize(("words", "status"), [([], 2), (["--help"], 0), (["train", "--help"], 0)])
def test_help_is_no_error(words: list[str], status: int, pipeline: Pipeline) -> None:
    ended, out, err = pipeline(*words, runs=None)
    assert (ended, err) == (status, "")
    assert "Usage: " in out


@pytest.mark.process
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_an_output_without_room_is_named() -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        command = [sys.executable, "-m", "pipeline", "recipes"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stderr) == (1, "error: the output, or a file: No space left on device\n")


@pytest.mark.process
def test_the_module_ends_with_the_status_and_the_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "train", "--recipe", "dem"], capture_output=True, text=True, cwd=ROOT, check=False
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stdout == ""
    assert re.fullmatch(r"error: RECIPE=dem: expected a recipe, found no .*; did you mean demo\?\n", done.stderr)


def test_an_interrupted_command_says_how_to_resume(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pipeline.core.run.run_stages", interrupt)
    status, _, err = pipeline("train")
    assert status == 130
    assert err == "\nstopped; run the same command again to resume\n"


def test_a_command_that_is_interrupted_while_it_is_loaded_says_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Interrupt(importlib.abc.MetaPathFinder):
        def find_spec(self, name: str, *_: object) -> None:
            if name == "pipeline.cli.app":
                raise KeyboardInterrupt

    monkeypatch.setattr(sys, "meta_path", [Interrupt(), *sys.meta_path])
    monkeypatch.delitem(sys.modules, "pipeline.cli.app")
    with pytest.raises(SystemExit) as end:
        runpy.run_module("pipeline", run_name="__main__")
    assert end.value.code == 130
    assert capsys.readouterr().err == "\nstopped; run the same command again to resume\n"


@pytest.mark.process
def test_make_prints_help_with_targets_variables_and_values() -> None:
    done = subprocess.run(["make", "RECIPE=fashion_bn"], capture_output=True, text=True, cwd=ROOT, check=True)
    for word in ("demo", "ingest", "generate", "status", "verify", "clean", "SOURCE", "fashion_bn"):
        assert word in done.stdout


def test_a_file_that_the_system_refuses_is_one_line(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "/a/file")

    monkeypatch.setattr("pipeline.core.run.run_stages", refuse)
    assert pipeline("train") == (1, "", "error: /a/file: Permission denied\n")
