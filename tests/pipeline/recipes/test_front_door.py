"""`make recipe` and then `make ingest`, of sources as people have them: their labels and their splits are what comes out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import pytest
from helpers import files_of_people as files
from helpers import folders_of_people as folders
from helpers import sets_of_people as sets

from pipeline.recipes import load, new
from pipeline.recipes.load import load_recipe
from pipeline.recipes.new import new_recipe
from schemas.artifacts.kinds import Examples
from schemas.artifacts.records import read_statistics
from schemas.artifacts.tables import IMAGES, REJECTED, read_table
from schemas.recipe.settings import IngestSettings

pytestmark = pytest.mark.usefixtures("decode_here")

THREE = {"0": 20, "1": 20, "2": 20}
PETS = {"bird": 20, "cat": 20, "dog": 20}


class Outcome(NamedTuple):
    """What came out.

    Attributes:
        labels: Number of images by label; None is no label.
        own: Number of images by the split that the source itself puts them in, as Examples have them: images of its own
            training split may be in any split that it lacks.
        rejected: Number of rejected images by reason.
    """

    labels: dict[str | None, int]
    own: dict[str, int]
    rejected: dict[str, int]


@pytest.fixture
def front_door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], tuple[Outcome, Examples]]:
    """Write a recipe for a source, and ingest what the recipe says."""
    monkeypatch.setattr(new, "FOLDER", tmp_path)
    monkeypatch.setattr(load, "FOLDER", tmp_path)

    def run(source: Path) -> tuple[Outcome, Examples]:
        from components.ingest.component import ingest

        new_recipe("mine", str(source))
        examples = Examples(tmp_path / "examples", work=tmp_path / "work")
        examples.path.mkdir()
        assert examples.work
        examples.work.mkdir()
        ingest(examples, IngestSettings.of(load_recipe("mine")))
        rows = read_table(examples.images_path, IMAGES).to_pylist()
        labels = Counter(row["label"] for row in rows)
        splits = Counter(row["split"] for row in rows)
        rejected = Counter(row["reason"] for row in read_table(examples.rejected_path, REJECTED).to_pylist())
        assert all(splits[split] for split in ("train", "validation", "test"))
        assert dict(read_statistics(examples).rejected) == dict(rejected)
        return Outcome(dict(labels), dict(splits), dict(rejected)), examples

    return run


@pytest.mark.parametrize(
    ("make", "labels", "held_out"),
    [
        (folders.imagefolder_csv, PETS, {}),
        (folders.imagefolder_jsonl, PETS, {}),
        (folders.metadata_csv_itself, PETS, {}),
        (folders.metadata_jsonl_itself, PETS, {}),
        (folders.zipped_folder, PETS, {}),
        (folders.zipped_splits, PETS, {"test": 15}),
        (folders.training_testing, {"glioma": 20, "no tumor": 20, "pituitary": 20}, {"test": 15}),
        (folders.train_val_test, {"king": 30, "pawn": 30, "queen": 30}, {"validation": 15, "test": 15}),
        (folders.img2dataset, {None: 60}, {}),
        (folders.img2dataset_without_tables, {None: 60}, {}),
        (folders.captions, {None: 40}, {}),
        (folders.curated_links, PETS, {}),
        (folders.files_and_links, PETS, {}),
        (folders.png_metadata, {None: 60}, {}),
        (folders.five, {None: 5}, {}),
        (folders.odd_folders, {"1": 22, "10": 22, "2": 22}, {}),
        (folders.two_labels, {"early": 60, "late": 60}, {}),
        (files.hub_cache, THREE, {"test": 12}),
        (files.emnist, {"0": 25, "1": 25, "2": 25}, {"test": 15}),
        (files.qmnist, {"0": 25, "1": 25, "2": 25}, {"test": 15}),
        (files.kmnist, {"0": 25, "1": 25, "2": 25}, {"test": 15}),
        (files.two_unnamed_arrays, THREE, {}),
        (files.pairs_of_arrays, THREE, {"test": 15}),
        (files.cifar10, {"airplane": 20, "bird": 20, "cat": 20}, {}),
        (files.cifar100, {"airplane": 20, "bird": 20, "cat": 20}, {}),
        (files.captioned_parquet, {None: 60}, {}),
        (files.dotted_samples, THREE, {}),
        (files.capital_samples, THREE, {}),
        (files.pandas_csv, {"0": 18, "1": 18, "2": 18, None: 6}, {}),
        (files.excel_csv, THREE, {}),
        (files.backslash_csv, THREE, {}),
        (files.capital_csv, THREE, {}),
        (files.contradicting_csv, THREE, {}),
        (files.odd_names_csv, {"a/b": 20, "../up": 20, "no tumor": 20, "Ünï 猫": 20, "x" * 300: 20}, {}),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_labels_and_own_splits_come_out_as_the_source_has_them(
    tmp_path: Path,
    front_door: Callable[[Path], tuple[Outcome, Examples]],
    make: Callable[[Path], Path],
    labels: dict[str | None, int],
    held_out: dict[str, int],
) -> None:
    root = tmp_path / "source"
    root.mkdir()
    outcome, _ = front_door(make(root))
    assert outcome.labels == labels
    assert outcome.rejected == {}
    assert {split: outcome.own[split] for split in held_out} == held_out


LESIONS = {"benign": 20, "malignant": 20}
CATS = {"cat": 30, "dog": 30}
LETTERS = {"Greek": 15, "Korean": 15, "Latin": 15, "Tibetan": 15}


class Expected(NamedTuple):
    """What must come out of a public set: labels, held-out images, files that are left out, and words of a note.

    The note is one that `recipe` makes. Ingest says what the recipe does not use, too, or that files were left out.
    """

    labels: dict[str | None, int]
    held_out: Mapping[str, int] = MappingProxyType({})
    left_out: int = 0
    note: str = ""


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (
            sets.busi,
            Expected(LESIONS, left_out=44, note="44 masks of other images, the first benign/benign (0)_mask.png"),
        ),
        (sets.voc, Expected({None: 40}, left_out=80, note="80 masks of other images")),
        (
            sets.flat_splits,
            Expected({None: 60}, {"test": 15}, note="names of the files say `test`, `train`: taken as splits"),
        ),
        (sets.two_zips, Expected(CATS, {"test": 15}, note="a, b are each of one split: not taken as labels")),
        (sets.kaggle_zips, Expected({None: 60}, {"test": 15}, note="begin with cat, dog: not taken as labels")),
        (sets.wrong_endings, Expected({None: 60})),
        (sets.network_storage, Expected(CATS, left_out=63)),
        (sets.folds, Expected(CATS, note="not taken as the split, because it holds 'fold0'")),
        (
            sets.omniglot,
            Expected(LETTERS, {"test": 15}, note="If character00, character01, character02 are, set sources.label="),
        ),
        (
            sets.isic,
            Expected({None: 60}, note="ISIC_2019_Training_GroundTruth.csv: it says no labels .it has image, MEL, NV"),
        ),
        (
            sets.chest_xray,
            Expected({None: 60}, note="found Image Index, Finding Labels, Patient Age; rename that of file names"),
        ),
        (
            sets.stanford_dogs,
            Expected(dict.fromkeys(sets.DOGS, 30), note="train_list.mat (MATLAB), which cannot be read"),
        ),
        (sets.celeba, Expected({None: 60}, note="list_attr_celeba.txt, list_eval_partition.txt, which list images")),
        (sets.flowers, Expected({None: 60}, note="imagelabels.mat, setid.mat (MATLAB), which cannot be read")),
        (
            sets.roboflow,
            Expected({None: 60}, {"validation": 10, "test": 10}, left_out=60, note="60 masks of other images"),
        ),
        (sets.faces_in_the_wild, Expected({None: 42}, note="almost as many as the images: not taken as labels")),
        (
            sets.food,
            Expected({"apple_pie": 30, "ramen": 30}, note="meta/test.txt, food-101/meta/train.txt, which list images"),
        ),
        (
            sets.intel,
            Expected({"forest": 25, "sea": 25, None: 10}, {"test": 10}, note="seg_pred, .* are taken for training"),
        ),
        (sets.cats_and_dogs, Expected({None: 60}, note="begin with cat, dog: not taken as labels")),
        (
            sets.tiny_imagenet,
            Expected(
                {"n01440": 23, "n01441": 22, None: 15},
                {"validation": 10, "test": 5},
                note="val_annotations.txt, which lists",
            ),
        ),
        (
            sets.signs,
            Expected(
                {"0": 15, "1": 15, "2": 15, None: 18}, {"test": 15}, note="Test.csv, Train.csv: it says no labels"
            ),
        ),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_public_sets_come_out_right_or_are_said(
    tmp_path: Path,
    front_door: Callable[[Path], tuple[Outcome, Examples]],
    make: Callable[[Path], Path],
    expected: Expected,
) -> None:
    root = tmp_path / "source"
    root.mkdir()
    outcome, examples = front_door(make(root))
    assert outcome.labels == expected.labels
    assert outcome.rejected == {}
    assert {split: outcome.own[split] for split in expected.held_out} == expected.held_out
    statistics = read_statistics(examples)
    assert sum(statistics.left_out.values()) == expected.left_out
    notes = [line for line in (tmp_path / "mine.yaml").read_text().splitlines() if line.startswith("# ")]
    assert any(expected.note in note or re.search(expected.note, note) for note in notes)
    # Ingest finds nothing to say of what the recipe understood: both understand the same.
    assert not [
        text for text in statistics.anomalies if "which the recipe does not use" in text or "By their names" in text
    ]


def test_images_that_were_never_there_are_rejected_as_missing(
    tmp_path: Path, front_door: Callable[[Path], tuple[Outcome, Examples]]
) -> None:
    outcome, _ = front_door(files.missing_csv(tmp_path / "source"))
    assert outcome.labels == {"0": 19, "1": 19, "2": 19}
    assert outcome.rejected == {"missing": 3}


def test_labels_that_are_numbers_are_in_the_order_of_numbers(
    tmp_path: Path, front_door: Callable[[Path], tuple[Outcome, Examples]]
) -> None:
    root = tmp_path / "source"
    root.mkdir()
    _, examples = front_door(folders.odd_folders(root))
    assert read_statistics(examples).labels == ["1", "2", "10"]
