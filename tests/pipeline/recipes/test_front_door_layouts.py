"""Whatever the layout and its container, what `recipe` writes is the layout's own truth, and `ingest` makes it so."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest
from helpers.small_images import png
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.recipes import load, new
from pipeline.recipes.kind import source_at
from pipeline.recipes.load import load_recipe
from pipeline.recipes.look import look
from pipeline.recipes.new import new_recipe
from schemas.artifacts.kinds import Examples
from schemas.artifacts.tables import IMAGES, read_table
from schemas.recipe.settings import IngestSettings

pytestmark = pytest.mark.usefixtures("decode_here")

SPELLINGS = {
    "train": ("train", "Training", "TRAIN", "train_images"),
    "validation": ("val", "valid", "Validation", "dev", "val_set"),
    "test": ("test", "Testing", "TEST", "test_set"),
}
BESIDE = ("notes.txt", "labels/box.xml", "Thumbs.db", "stats.json", ".DS_Store", "README")


class Truth(NamedTuple):
    """A layout: the label and the own split of each image, by its name, and the names of the files beside them."""

    images: dict[str, tuple[str | None, str | None]]
    beside: list[str]
    container: str


@st.composite
def truths(draw: st.DrawFn) -> Truth:
    """Draw splits × classes × wrapping folders × files beside × containers."""
    classes = draw(st.sampled_from([[None], ["cat", "dog"], ["1", "2", "10"], ["no tumor", "Ünï [x]", "z"]]))
    held_out = draw(st.sampled_from([(), ("test",), ("validation",), ("validation", "test")]))
    spelled: dict[str | None, str | None] = {None: None}
    if held_out:
        spelled = {split: draw(st.sampled_from(SPELLINGS[split])) for split in ("train", *held_out)}
    split_first = draw(st.booleans())
    wrapping = draw(st.lists(st.sampled_from(["data", "my set", "archive (1)"]), max_size=2))
    images: dict[str, tuple[str | None, str | None]] = {}
    for split, split_folder in spelled.items():
        for number, label in enumerate(classes):
            parts = [split_folder, label] if split_first else [label, split_folder]
            for image in range(6 + 2 * number):
                name = "/".join([*wrapping, *(part for part in parts if part), f"{split or 'x'}-{number}-{image}.png"])
                images[name] = (label, split)
    beside = ["/".join([*wrapping, name]) for name in draw(st.lists(st.sampled_from(BESIDE), unique=True))]
    return Truth(images, beside, draw(st.sampled_from(["folder", "zip", "tar", "tar.gz"])))


def write(truth: Truth, root: Path) -> Path:
    """Write the layout into its container; return the path of that."""
    folder = root / "source"
    for number, name in enumerate([*truth.images, *truth.beside]):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(png(number) if name in truth.images else b"words, and no image")
    if truth.container == "folder":
        return folder
    path = root / f"source.{truth.container}"
    if truth.container == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name in [*truth.beside, *truth.images]:
                archive.write(folder / name, name)
    else:
        with tarfile.open(path, "w:gz" if truth.container == "tar.gz" else "w") as archive:
            archive.add(folder, ".")
    shutil.rmtree(folder)
    return path


def labels_of(truth: Truth) -> dict[str, int]:
    """Count the images of each label."""
    return dict(Counter(label for label, _ in truth.images.values() if label))


@given(truths())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_recipe_understands_every_layout_in_every_container(truth: Truth) -> None:
    with TemporaryDirectory() as folder:
        seen = look(source_at(str(write(truth, Path(folder)))), choose=True)
    hidden = sum(name.rpartition("/")[2].startswith(".") for name in truth.beside)
    assert seen.images == len(truth.images)
    assert seen.beside.total() == len(truth.beside) - hidden
    assert dict(seen.labels) == labels_of(truth)
    assert dict(seen.splits) == dict(Counter(split for _, split in truth.images.values() if split))
    assert not seen.rejected


@given(truths())
@settings(max_examples=4, suppress_health_check=[HealthCheck.too_slow])
def test_ingest_makes_what_recipe_wrote(truth: Truth) -> None:
    from components.ingest.component import ingest

    with TemporaryDirectory() as name:
        folder = Path(name)
        before = new.FOLDER, load.FOLDER
        new.FOLDER = load.FOLDER = folder
        try:
            new_recipe("mine", str(write(truth, folder)))
            recipe = load_recipe("mine")
        finally:
            new.FOLDER, load.FOLDER = before
        examples = Examples(folder / "examples", work=folder / "work")
        for path in (examples.path, folder / "work"):
            path.mkdir()
        ingest(examples, IngestSettings.of(recipe))
        rows = read_table(examples.images_path, IMAGES).to_pylist()
    assert {row["key"]: row["label"] for row in rows} == {key: label for key, (label, _) in truth.images.items()}
    own = {split for _, split in truth.images.values()}
    for row in rows:
        split = truth.images[row["key"]][1]
        # Images of its own training split fill the splits that the source lacks.
        assert row["split"] == split or split is None or (split == "train" and row["split"] not in own)
