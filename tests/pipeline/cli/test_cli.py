"""The command line's errors: one line, an exit status, and no artifact that looks finished."""

from __future__ import annotations

import hashlib
import importlib.abc
import json
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.chain_by_hand import finish
from helpers.paths import ROOT
from PIL import Image

from pipeline.core.chain import STAGES, artifact_path
from pipeline.recipes.load import load_recipe
from schemas.artifacts.kinds import Examples

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


def test_verbose_prints_every_setting(pipeline: Pipeline) -> None:
    assert "deterministic: false" not in pipeline("train", "--dry-run")[1]
    assert "deterministic: false" in pipeline("train", "--dry-run", "--verbose")[1]


@pytest.mark.usefixtures("stages_in_this_process")
def test_a_changed_byte_is_found_by_verify_and_stops_the_next_stage(pipeline: Pipeline, tmp_path: Path) -> None:
    recipe, runs = load_recipe("demo"), tmp_path / "runs"
    finish(recipe, runs, "ingest")
    status, out, _ = pipeline("verify")
    assert (status, out.split()[0]) == (0, "whole")
    examples = artifact_path(recipe, Examples, runs=runs)
    file = examples / "content.txt"
    file.write_bytes(file.read_bytes().replace(b"ingest", b"INGEST"))

    status, out, err = pipeline("verify")
    assert (status, out.split()[0]) == (1, "damaged")
    assert f"{file}: expected sha256" in err

    status, _, err = pipeline("train")
    assert status == 1
    assert f"{file}: expected sha256" in err
    assert f"to make it again, remove {examples}" in err
    assert not (runs / "demo" / "model").exists()


@pytest.mark.parametrize(
    ("name", "actual"),
    [
        ("../outside.txt", "one outside of the artifact"),
        ("{tmp_path}/outside.txt", "one outside of the artifact"),
        ("link.txt", "one outside of the artifact"),
        ("linked/outside.txt", "one outside of the artifact"),
        ("pipe", "something else"),
        ("loop", "none"),
        ("a\0b", "none"),
        ("a" * 300, "none"),
    ],
)
def test_a_file_outside_of_its_folder_is_none_of_an_artifact(
    pipeline: Pipeline, tmp_path: Path, name: str, actual: str
) -> None:
    (tmp_path / "outside.txt").write_text("content")
    finish(load_recipe("demo"), tmp_path / "runs", "ingest")
    examples = tmp_path / "runs" / "demo" / "examples"
    name = name.replace("{tmp_path}", str(tmp_path))
    (examples / "link.txt").symlink_to(tmp_path / "outside.txt")
    (examples / "linked").symlink_to(tmp_path)
    (examples / "loop").symlink_to("loop")
    os.mkfifo(examples / "pipe")
    manifest = json.loads((examples / "manifest.json").read_text())
    manifest["files"][name] = {"size": 7, "sha256": hashlib.sha256(b"content").hexdigest()}
    (examples / "manifest.json").write_text(json.dumps(manifest))
    status, out, err = pipeline("verify")
    assert (status, out.split()[0]) == (1, "damaged")
    assert f"expected a file of 7 bytes, found {actual}" in err
    assert err.count("\n") == 1
    if name != "link.txt":
        assert f"{examples / 'link.txt'}: expected no such file, the manifest does not list it" in out


@pytest.mark.parametrize("kind", ["a pipe", "a device", "nested", "missing"])
def test_a_manifest_that_cannot_be_read_is_one_line(pipeline: Pipeline, tmp_path: Path, kind: str) -> None:
    manifest = tmp_path / "artifact" / "manifest.json"
    manifest.parent.mkdir()
    if kind == "a pipe":
        os.mkfifo(manifest)
    elif kind == "a device":
        manifest.symlink_to("/dev/zero")
    elif kind == "nested":
        manifest.write_text('{"type": ' + "[" * 100_000)
    status, out, err = pipeline("verify", tmp_path / "artifact")
    assert (status, out) == (1, "")
    assert err.startswith(f"error: {tmp_path / 'artifact'}")
    assert err.count("\n") == 1


def test_a_name_cannot_command_the_terminal(pipeline: Pipeline, tmp_path: Path) -> None:
    finish(load_recipe("demo"), tmp_path / "runs", "ingest")
    (tmp_path / "runs" / "demo" / "examples" / "\x1b]0;owned\x07[bold]\u202e\n").write_text("unlisted")
    _, out, err = pipeline("verify")
    for text in (out, err):
        assert "\x1b" not in text
        assert "examples/�]0;owned�[bold]��: expected no such file" in text
    assert err.count("\n") == 1


def test_a_folder_with_the_wrong_manifest_is_refused(pipeline: Pipeline, tmp_path: Path) -> None:
    finish(load_recipe("demo"), tmp_path / "runs", "ingest")
    manifest = tmp_path / "runs" / "demo" / "examples" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"Examples"', '"Model"', 1))
    status, _, err = pipeline("ingest")
    assert status == 1
    assert "expected an artifact of type Examples, found Model" in err


def test_a_file_instead_of_the_folder_of_runs_is_refused(pipeline: Pipeline, tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("mine")
    for command in ("status", "train", "verify"):
        assert pipeline(command) == (2, "", f"error: --runs {tmp_path / 'runs'}: expected a folder, found a file\n")


def test_status_has_a_line_per_stage(pipeline: Pipeline, tmp_path: Path) -> None:
    finish(load_recipe("demo"), tmp_path / "runs", "ingest")
    status, out, _ = pipeline("status")
    assert status == 0
    lines = [line.split(maxsplit=2) for line in out.splitlines()]
    assert [line[0] for line in lines] == [stage.name for stage in STAGES]
    assert [line[1] for line in lines] == ["fresh", *["stale"] * 5]
    assert lines[3][2] == "waiting for train"


def test_recipes_are_listed_with_their_titles(pipeline: Pipeline) -> None:
    _, out, _ = pipeline("recipes", runs=None)
    columns = set()
    for name, title in (("demo", "MNIST's"), ("fashion_mnist_conditional", "Fashion-MNIST, by label")):
        line = next(line for line in out.splitlines() if line.startswith(f"{name} "))
        columns.add(line.index(title))
    assert len(columns) == 1  # titles stand below each other


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


def test_a_recipe_is_written_and_the_next_command_is_named(
    pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.recipes.new.FOLDER", tmp_path)
    monkeypatch.setattr("pipeline.recipes.load.FOLDER", tmp_path)
    photos = tmp_path / "photos"
    for name in ("train/cat/1.png", "train/dog/1.png", "test/cat/1.png"):
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (28, 28)).save(photos / name)
    (photos / "notes.txt").write_text("words")
    status, out, _ = pipeline("recipe", "--name", "mine", "--source", photos, runs=None)
    assert status == 0
    expected = [
        f"  source      folder {photos}",
        "  images      3 (3 tried, all usable)",
        "  size        28 × 28 pixels, grey; the network gets 28 × 28",
        "  labels      2, from folders: cat (2), dog (1)",
        "              the model does not use them; with model.conditional=true, generate makes images by label",
        "  splits      2 train, 1 test, the source's own; validation is taken from train",
        "  not images  1 .txt",
    ]
    sheet = "runs/mine/examples/contact_sheet.png"
    last = f"wrote {tmp_path / 'mine.yaml'}; next: make ingest RECIPE=mine, look at {sheet}, then make all RECIPE=mine"
    assert out.splitlines() == [*expected, last]
    status, out, _ = pipeline("recipe", "--check", "--name", "mine", runs=None)
    assert (status, out.splitlines()) == (0, ["recipe mine", *expected])


def test_a_recipe_is_not_written_for_an_empty_source(pipeline: Pipeline) -> None:
    status, _, err = pipeline("recipe", "--name", "new", "--source", "", runs=None)
    assert status == 2
    assert err == "error: SOURCE: expected the path of your images, found none; set SOURCE=… (or --source …)\n"


def test_the_schema_is_written(pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.cli.recipes.FOLDER", tmp_path)
    path = tmp_path / "recipe.schema.json"
    assert pipeline("schema", runs=None) == (0, f"wrote {path}\n", "")
    assert path.read_bytes() == (ROOT / "recipes" / "recipe.schema.json").read_bytes()
