"""`why` prints where an image comes from and makes it again; if it cannot, one line says why."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers.by_hand import MIXED_SIZE
from PIL import Image

from components.generate.component import generate
from pipeline.cli.app import app, guarded
from schemas.artifacts.kinds import Generator, ImageSet
from schemas.recipe.generate import GenerateSection
from schemas.recipe.recipe import BeamSection
from schemas.recipe.settings import GenerateSettings

Why = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def sets(home: Path) -> Path:
    """Return a folder of sets of an untrained generator: PNG files, a Parquet file, and images near a person's own."""
    generator = Generator(home / "runs" / "grey" / "generator")
    reseal(generator, inputs={"Model": "12ab"}, settings={}, recipe=generator.manifest.recipe)
    folder = home / "runs" / "grey" / "images"
    photos = home / "photos"
    photos.mkdir()
    for level in (20, 200):
        Image.fromarray(np.full((MIXED_SIZE, MIXED_SIZE), level, np.uint8)).save(photos / f"{level}.png")
    for name, section in (
        ("png", {"format": "png"}),
        ("parquet", {"format": "parquet"}),
        ("near", {"format": "parquet", "around": str(photos)}),
    ):
        images = ImageSet(folder / name, work=folder / f".work-{name}")
        for path in (images.path, images.work):
            path.mkdir(parents=True)
        settings = GenerateSettings(GenerateSection(count=300, seed=7, **section), BeamSection(workers=1))
        generate(generator, None, images, settings)
        reseal(images, inputs={"Generator": generator.digest}, settings=settings.content())
    return folder


def reseal(artifact: Generator | ImageSet, **manifest: dict[str, object]) -> None:
    """Seal an artifact as the pipeline does."""
    defaults = {"counts": {"images": 300}, "recipe": {}, "versions": {}}
    artifact.seal(**{**defaults, **manifest}, duration_seconds=0.0, created="today")  # type: ignore[arg-type]


@pytest.fixture
def why(capsys: pytest.CaptureFixture[str]) -> Why:
    """Run the command: ``why(image)`` → status, standard output, standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        status = guarded(lambda: app(["why", *map(str, arguments)]))
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


@pytest.mark.usefixtures("stages_in_this_process")
def test_an_image_has_its_lineage_as_far_as_that_exists_and_is_made_again(sets: Path, why: Why) -> None:
    status, out, err = why(sets / "png" / "images" / "0000" / "00000299.png")
    assert (status, err) == (0, "")
    assert "made      as image 299 of seed 7, code from normal\n" in out
    assert f"Generator {Generator(sets.parent / 'generator').digest}  {sets.parent / 'generator'}" in out
    assert f"Model     12ab  ({sets.parent / 'model'}: does not exist any more)" in out
    assert "again     the same bytes, sha256 " in out


@pytest.mark.usefixtures("stages_in_this_process")
def test_an_image_in_a_file_of_many_is_chosen_by_its_index(sets: Path, why: Why) -> None:
    file = sets / "parquet" / "data" / "images-00000-of-00001.parquet"
    status, out, _ = why(file, "--index", "12")
    assert status == 0
    assert "as image 12 of seed 7" in out
    assert "again     the same bytes" in out


@pytest.mark.usefixtures("stages_in_this_process")
def test_an_image_near_a_photo_is_made_again_without_the_photo(sets: Path, why: Why, home: Path) -> None:
    (home / "photos" / "200.png").unlink()
    status, out, _ = why(sets / "near", "--index", "297")
    assert status == 0
    assert "as image 297 of seed 7, code from around: 200.png" in out
    assert "again     the same bytes" in out


def test_an_image_file_that_was_changed_is_an_error(sets: Path, why: Why, tmp_path: Path) -> None:
    shutil.copytree(sets.parent, tmp_path / "grey")
    image = tmp_path / "grey" / "images" / "png" / "images" / "0000" / "00000001.png"
    image.write_bytes(image.read_bytes() + b"\0")
    status, _, err = why(image)
    assert status == 1
    assert err.startswith(f"error: {image}: expected sha256 ")
    assert "the file was changed after it was made" in err


@pytest.mark.parametrize("generator_now", ["none", "another"])
def test_without_its_generator_it_cannot_be_made_again(
    generator_now: str, sets: Path, why: Why, tmp_path: Path
) -> None:
    shutil.copytree(sets.parent, tmp_path / "grey")
    generator = Generator(tmp_path / "grey" / "generator")
    if generator_now == "none":
        shutil.rmtree(generator.path)
    else:
        reseal(generator, inputs={"Model": "cd34"}, settings={})
    image = tmp_path / "grey" / "images" / "png" / "images" / "0000" / "00000001.png"
    status, out, err = why(image)
    assert status == 1
    assert "error" in err
    assert "expected the generator that made it beside its set" in err
    assert ("does not exist any more" if generator_now == "none" else "now ") in out


@pytest.mark.parametrize(
    ("image", "arguments", "message"),
    [
        ("parquet", [], "expected --index, the index of one of its images"),
        ("parquet", ["--index", "300"], "found none with index 300"),
        ("png/contact_sheet.png", [], "expected an image of "),
        ("../../..", [], "expected an image in a set of `make generate`, found no manifest.json"),
    ],
)
def test_a_path_that_is_no_image_of_a_set_is_one_line(
    image: str, arguments: list[str], message: str, sets: Path, why: Why
) -> None:
    status, _, err = why(sets / image, *arguments)
    assert status == 2
    assert message in err
    assert err.count("\n") == 1


def test_a_file_of_another_artifact_is_no_image_of_a_set(sets: Path, why: Why) -> None:
    status, _, err = why(sets.parent / "generator" / "generator.json")
    assert status == 1
    assert "expected an artifact of type ImageSet, found Generator" in err
