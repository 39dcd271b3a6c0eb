"""`verify` and `status`: a line per artifact and one for all; those that are damaged, lie, or are none are said in one line."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.chain_by_hand import finish

from pipeline.core.chain import artifact_path
from pipeline.recipes.load import load_recipe
from schemas.artifacts.kinds import Examples

Pipeline = Callable[..., tuple[int, str, str]]


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
    lines = [(line[:9].rstrip(), line[10:20].rstrip(), line[22:]) for line in out.splitlines()]
    examples = tmp_path / "runs" / "demo" / "examples"
    assert lines == [
        ("ingest", "up to date", f"{examples}  (0 train, 0 validation and 0 test images)"),
        ("tune", "to run", "no result yet"),
        ("train", "to run", "no result yet"),
        ("evaluate", "to run", "waiting for train"),
        ("export", "to run", "waiting for train"),
        ("generate", "to run", "waiting for export"),
    ]
    (examples / "content.txt").write_text("other")
    _, out, _ = pipeline("status")
    assert out.startswith(f"ingest    damaged     {examples / 'content.txt'}: expected ")


def test_verify_ends_with_a_line_for_all(pipeline: Pipeline, tmp_path: Path) -> None:
    recipe, runs = load_recipe("demo"), tmp_path / "runs"
    finish(recipe, runs, "ingest", "tune")
    _, out, err = pipeline("verify")
    assert out.splitlines()[-1] == "checked 2 artifacts, 2 files, 0.0 MB: all are as they were written"
    assert err == ""
    (artifact_path(recipe, Examples, runs=runs) / "mine.txt").write_text("mine")
    status, out, _ = pipeline("verify")
    assert (status, out.splitlines()[-1]) == (1, "checked 2 artifacts: 1 damaged, with 1 difference")
