"""The explorer's folder: whole, made again only when something changed, and never in the place of something else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from helpers.by_hand import seal
from helpers.chain_by_hand import Make, finish

from pipeline.core.chain import artifact_path
from pipeline.tools.explorer import folder
from pipeline.tools.explorer.folder import DESCRIPTION, PAGE, build
from schemas.artifacts.kinds import Generator
from schemas.errors import DataError, UsageError
from schemas.recipe.recipe import Recipe


@pytest.fixture
def recipe(make: Make, runs: Path) -> Recipe:
    """Return a recipe whose Examples and Generator, with ONNX files, are sealed below `runs`."""
    finish(make(), runs, "ingest")
    generator = Generator(artifact_path(make(), Generator, runs=runs))
    (generator.path / "onnx").mkdir(parents=True)
    (generator.path / "onnx" / "decode.onnx").write_bytes(b"a decoder")
    seal(generator, make())
    return make()


@pytest.fixture(autouse=True)
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[list[Path]]:
    """Collect the calls that would encode images in a process; each writes what the page was made from alone."""
    calls: list[list[Path]] = []

    def run_module(module: str, arguments: list[Path], *, stdin: bytes, **_: Any) -> None:
        assert module == "pipeline.tools.explorer.data"
        calls.append(arguments)
        arguments[2].mkdir()
        (arguments[2] / "explorer.json").write_text(json.dumps({"made_from": json.loads(stdin)}))

    monkeypatch.setattr(folder, "run_module", run_module)
    return calls


def test_it_has_the_page_unpacked_and_the_data(recipe: Recipe, runs: Path, encoded: list[list[Path]]) -> None:
    built = build(recipe, runs=runs, out=None)
    assert built == runs / "photos" / "explorer"
    assert (built / "index.html").read_bytes() == (PAGE / "index.html").read_bytes()
    assert list(built.rglob("*.wasm"))
    assert not list(built.rglob("*.gz"))
    generator = Generator(runs / "photos" / "generator")
    assert json.loads((built / DESCRIPTION).read_text())["made_from"]["generator"] == generator.digest
    assert [path.name for path in encoded[0]] == ["generator", "examples", "data"]
    assert not list((runs / "photos").glob(".explorer-*"))


def test_a_strangers_generator_is_not_loaded_before_a_yes(
    recipe: Recipe, runs: Path, tmp_path: Path, encoded: list[list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "somebody"))
    with pytest.raises(UsageError, match="expected a generator that this machine made"):
        build(recipe, runs=runs, out=None)
    assert not encoded
    build(recipe, runs=runs, out=None, trust=True)
    assert len(encoded) == 1


def test_it_is_made_again_only_when_something_changed(recipe: Recipe, runs: Path, encoded: list[list[Path]]) -> None:
    build(recipe, runs=runs, out=None)
    build(recipe, runs=runs, out=None)
    assert len(encoded) == 1
    finish(recipe, runs, "ingest", content="other pixels")
    built = build(recipe, runs=runs, out=None)
    assert len(encoded) == 2
    assert (built / "index.html").is_file()


def test_another_folder_is_not_replaced(recipe: Recipe, runs: Path, tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    assert build(recipe, runs=runs, out=tmp_path / "site") == tmp_path / "site"  # an empty one is used
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "letter.txt").write_text("Dear reader")
    with pytest.raises(UsageError, match=r"letters: expected an explorer or an empty folder, found something else"):
        build(recipe, runs=runs, out=tmp_path / "letters")


def test_a_generator_without_onnx_files_is_one_line(recipe: Recipe, runs: Path) -> None:
    generator = Generator(runs / "photos" / "generator")
    (generator.path / "onnx" / "decode.onnx").unlink()
    seal(generator, recipe)
    with pytest.raises(DataError, match=r"expected ONNX files, which browsers run, found none; run make export RECIPE"):
        build(recipe, runs=runs, out=None)
