"""`why` prints where an image comes from and makes it again; if it cannot, one line says why."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.by_hand import MIXED_SIZE
from PIL import Image

from components.generate.component import generate
from pipeline.cli.app import app, guarded
from pipeline.core import trust
from schemas.artifacts import tables
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
    if isinstance(artifact, Generator):
        trust.remember(artifact)


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
        (
            "png/images/0000/00000001.png",
            ["--index", "5"],
            "--index: expected none with the file of one image, found 5",
        ),
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


def table_of(sets: Path, **changes: pa.Array) -> pa.Table:
    """Return the table of the set of PNG files with some columns changed; None removes one."""
    table = pq.read_table(sets / "png" / "metadata.parquet")
    for name, column in changes.items():
        place = table.schema.get_field_index(name)
        table = table.remove_column(place) if column is None else table.set_column(place, name, column)
    return table


HOSTILE: dict[str, Callable[[Path], pa.Table | bytes | str]] = {
    "broken": lambda _: b"PAR1" + bytes(100) + b"PAR1",
    "empty": lambda _: b"",
    "cut off": lambda sets: (sets / "png" / "metadata.parquet").read_bytes()[:-500],
    "without a column": lambda sets: table_of(sets, sha256=None),
    "of another type": lambda sets: table_of(sets, index=pa.array([str(n) for n in range(300)])),
    "without values": lambda sets: table_of(sets, file_name=pa.nulls(300, pa.string())),
    "a link that leads out": lambda _: "/etc/hosts",
    "a device": lambda _: "/dev/zero",
    "not UTF-8": lambda sets: table_of(sets, sampler=pa.array([b"\xff"] * 300, pa.binary()).view(pa.string())),
}


@pytest.fixture
def hostile(sets: Path, tmp_path: Path) -> Path:
    """Return a copy of the set of PNG files and of its generator, which a test makes hostile."""
    shutil.copytree(sets.parent / "generator", tmp_path / "grey" / "generator")
    return Path(shutil.copytree(sets / "png", tmp_path / "grey" / "images" / "png"))


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_table_is_one_line(sets: Path, hostile: Path, why: Why, kind: str) -> None:
    content = HOSTILE[kind](sets)
    path = hostile / "metadata.parquet"
    path.unlink()
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, str):
        path.symlink_to(content)
    else:
        pq.write_table(content, path)
    status, _, err = why(hostile, "--index", "3")
    assert status == 1
    assert err.startswith(f"error: {path}: expected ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("what", ["rows", "values", "bytes"])
def test_a_table_that_would_fill_the_memory_is_not_read(
    sets: Path, hostile: Path, why: Why, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = {"rows": "MAX_ROWS", "values": "MAX_VALUES", "bytes": "MAX_COLUMN_BYTES"}[what]
    monkeypatch.setattr(tables, limit, 299)
    assert "row group 0: expected at most " in why(hostile, "--index", "3")[2]


@pytest.mark.parametrize("index", [-1, 10**30])
def test_an_index_that_no_image_has_is_one_line(hostile: Path, why: Why, index: int) -> None:
    status, _, err = why(hostile, f"--index={index}")
    assert status in (1, 2)
    assert err.count("\n") == 1


@pytest.mark.parametrize("name", ["../../../outside.png", "images/link.png", "images/pipe.png"])
def test_an_image_outside_of_the_set_is_not_read(
    sets: Path, hostile: Path, why: Why, tmp_path: Path, name: str
) -> None:
    (tmp_path / "outside.png").write_bytes(b"secret")
    (hostile / "images" / "link.png").symlink_to(tmp_path / "outside.png")
    os.mkfifo(hostile / "images" / "pipe.png")
    pq.write_table(table_of(sets, file_name=pa.array([name] * 300)), hostile / "metadata.parquet")
    status, _, err = why(hostile, "--index", "0")
    assert status == 1
    assert "expected a file of the set" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "settings", [{}, {"generate": None}, {"generate": {"count": "many"}}, {"generate": {"a": [[]]}}]
)
def test_settings_of_a_set_that_are_none_are_one_line(hostile: Path, why: Why, settings: dict[str, object]) -> None:
    reseal(ImageSet(hostile), inputs={"Generator": "12ab"}, settings=settings)
    status, _, err = why(hostile, "--index", "0")
    assert status == 1
    assert "manifest.json: expected the settings of a set, found something else" in err
    assert err.count("\n") == 1


def test_a_set_without_a_generators_digest_has_no_parents(hostile: Path, why: Why) -> None:
    reseal(ImageSet(hostile), inputs={}, settings=ImageSet(hostile).manifest.settings)
    status, _, err = why(hostile, "--index", "0")
    assert status == 1
    assert "expected the generator that made it beside its set, found none" in err


@pytest.mark.usefixtures("stages_in_this_process")
def test_a_strangers_generator_is_not_loaded_before_a_yes(
    sets: Path, why: Why, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    image = sets / "png" / "images" / "0000" / "00000000.png"
    status, out, err = why(image)
    assert status == 2
    assert "made      as image 0 of seed 7" in out
    assert "a SavedModel is a program: if you know who made it, add --trust" in err
    assert why(image, "--trust")[0] == 0
    assert why(image)[0] == 0  # it is remembered


def test_a_file_of_another_artifact_is_no_image_of_a_set(sets: Path, why: Why) -> None:
    status, _, err = why(sets.parent / "generator" / "generator.json")
    assert status == 1
    assert "expected an artifact of type ImageSet, found Generator" in err
