"""IDX files as data sets ship them: other names, labels of other types, several sets in a folder."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers.idx_files import IMAGES, LABELS, Array, WriteIdx, endings, idx
from helpers.read_through import items_of

from schemas.artifacts.kinds import Examples
from schemas.artifacts.records import Statistics
from schemas.recipe.sources import IdxSource


def write_labels(path: Path, values: Array) -> Path:
    """Write an IDX file of labels of any type, big-endian as all of them are."""
    code = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}[values.dtype.str[1:]]
    header = bytes((0, 0, code, values.ndim)) + struct.pack(f">{values.ndim}I", *values.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    data = header + values.astype(values.dtype.newbyteorder(">")).tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("emnist-letters-{}-images-idx3-ubyte.gz", "emnist-letters-{}-labels-idx1-ubyte.gz"),
        ("{}-images.idx3-ubyte", "{}-labels.idx1-ubyte"),
        ("{}-images-idx3-ubyte/{}-images-idx3-ubyte", "{}-labels-idx1-ubyte/{}-labels-idx1-ubyte"),
        ("{}_imgs.gz", "{}_labels.gz"),
        ("{}/images-idx3-ubyte", "{}/labels-idx1-ubyte"),
    ],
    ids=["EMNIST", "with a dot", "Kaggle's folders", "other words", "a folder for each split"],
)
@pytest.mark.parametrize(("train", "test"), [("train", "t10k"), ("train", "test"), ("Training", "eval")])
def test_files_have_other_names_too(
    tmp_path: Path, write_idx: WriteIdx, images: str, labels: str, train: str, test: str
) -> None:
    for word, count in {train: 6, test: 2}.items():
        write_idx(tmp_path / images.format(word, word), IMAGES[:count])
        write_idx(tmp_path / labels.format(word, word), LABELS[:count])
    (tmp_path / "emnist-letters-mapping.txt").write_text("1 65 97\n")
    items = items_of(idx(tmp_path))
    assert [item.label for item in items if item.split == "train"] == ["3", "0", "9", "3", "255", "1"]
    assert [item.label for item in items if item.split == "test"] == ["3", "0"]


@pytest.mark.parametrize("kind", ["u1", "i1", "i2", "i4", "f4", "f8"])
@pytest.mark.parametrize("columns", [0, 1, 8])
@endings
def test_labels_may_be_of_any_type_and_have_further_columns(
    tmp_path: Path, write_idx: WriteIdx, kind: str, columns: int, ending: str
) -> None:
    write_idx(tmp_path / f"qmnist-train-images-idx3-ubyte{ending}", IMAGES)
    values = np.array([3, 0, 9, 3, 25, 1], kind)
    if columns:
        values = np.stack([values, *[values * 0 + 7] * (columns - 1)], axis=1)
    name = f"qmnist-train-labels-idx{values.ndim}-{'int' if kind == 'i4' else 'ubyte'}{ending}"
    write_labels(tmp_path / name, values)
    assert [item.label for item in items_of(idx(tmp_path))] == ["3", "0", "9", "3", "25", "1"]
    remarks = [f"`{name}` has 8 columns, and the first was taken as the label."] if columns == 8 else []
    assert idx(tmp_path).remarks() == remarks


def test_several_sets_in_a_folder_are_said_and_a_pattern_takes_one(tmp_path: Path, write_idx: WriteIdx) -> None:
    for name in ("digits", "letters"):
        for split in ("train", "test"):
            write_idx(tmp_path / f"emnist-{name}-{split}-images-idx3-ubyte", IMAGES)
            write_idx(tmp_path / f"emnist-{name}-{split}-labels-idx1-ubyte", LABELS)
    (remark,) = idx(tmp_path).remarks()
    assert remark.startswith("The files are of 2 sets, and all were taken: `emnist-digits-t")
    letters = idx(tmp_path / "emnist-letters-*")
    assert letters.remarks() == []
    assert [(item.label, item.split) for item in items_of(letters)][::6] == [("3", "test"), ("3", "train")]
    assert len(items_of(letters)) == 12


def test_qmnists_files_become_examples_with_their_split(
    tmp_path: Path, write_idx: WriteIdx, ingest_into: Callable[..., tuple[Examples, dict[str, int]]]
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (30, 8, 8), np.uint8)
    for split, numbers in {"train": range(20), "test": range(20, 30)}.items():
        write_idx(tmp_path / "q" / f"qmnist-{split}-images-idx3-ubyte.gz", images[numbers.start : numbers.stop])
        rows = np.array([[number % 3, 0, number, 0, 0, 0, 0, 0] for number in numbers], "i4")
        write_labels(tmp_path / "q" / f"qmnist-{split}-labels-idx2-int.gz", rows)
    examples, counts = ingest_into(tmp_path / "run", IdxSource(kind="idx", path=str(tmp_path / "q")))
    assert (counts["train"] + counts["validation"], counts["test"], counts["rejected"]) == (20, 10, 0)
    assert Statistics.model_validate_json(examples.statistics_path.read_text()).labels == ["0", "1", "2"]
