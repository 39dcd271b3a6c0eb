"""Arrays as people save them: other names, pairs of files, ranges and axes; each is one reading, and said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.numpy_files import IMAGES, LABELS, Pixels, endings, save, source_at
from helpers.read_through import images_of, items_of
from hypothesis import given
from hypothesis import strategies as st

from components.sources import Source
from components.sources.array_choice import channels_first
from schemas.artifacts.kinds import Examples
from schemas.artifacts.records import Statistics
from schemas.errors import DataError
from schemas.recipe.sources import ArraySource

WORDS = [str(label) for label in LABELS]
COLOUR = np.arange(6 * 5 * 7 * 3, dtype=np.uint32).astype(np.uint8).reshape(6, 5, 7, 3)


def read(source: Source) -> Pixels:
    """Return all images, read twice: in order, and by their places if they have one."""
    images = images_of(source)
    for item in items_of(source):
        if item.place is not None:
            np.testing.assert_array_equal(source.read(item.place), images[item.key])
    return np.array(list(images.values()))


def labels_and_splits(source: Source) -> list[tuple[str | None, str | None]]:
    """Return every image's label and split."""
    return [(item.label, item.split) for item in items_of(source)]


def test_kmnists_pairs_of_files_simply_work(tmp_path: Path) -> None:
    for split, count in {"train": 6, "test": 2}.items():
        np.savez(tmp_path / f"kmnist-{split}-imgs.npz", IMAGES[:count])
        np.savez(tmp_path / f"kmnist-{split}-labels.npz", LABELS[:count])
    source = source_at(tmp_path)
    assert labels_and_splits(source) == [(word, "test") for word in WORDS[:2]] + [(word, "train") for word in WORDS]
    np.testing.assert_array_equal(read(source), np.concatenate([IMAGES[:2], IMAGES]))
    assert source.remarks() == []
    alone = source_at(tmp_path / "kmnist-train-imgs.npz")
    assert labels_and_splits(alone) == [(word, None) for word in WORDS]


def test_arrays_without_names_are_images_and_labels(tmp_path: Path) -> None:
    np.savez(tmp_path / "both.npz", IMAGES, LABELS)
    source = source_at(tmp_path)
    assert labels_and_splits(source) == [(word, None) for word in WORDS]
    assert source.remarks() == [
        "`both.npz/arr_1` was taken as the labels of `both.npz/arr_0`; `labels: none` takes none."
    ]
    assert {item.label for item in items_of(source_at(tmp_path, labels="none"))} == {None}
    np.savez(tmp_path / "both.npz", IMAGES, LABELS, LABELS + 1)
    assert {item.label for item in items_of(source_at(tmp_path))} == {None}
    assert source_at(tmp_path).remarks() == [
        "Not read: `both.npz/arr_1`, `both.npz/arr_2`; `images` and `labels` name arrays."
    ]


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("x_{}.npy", "y_{}.npy"),
        ("{}_images.npy", "{}_labels.npy"),
        ("X_{}.npy", "Y_{}.npy"),
        ("emnist-letters-{}-images.npy", "emnist-letters-{}-labels.npz"),
        ("{}_data.npz", "{}_targets.npy"),
        ("{}/images.npy", "{}/labels.npy"),
        ("{}/data.npy", "{}/targets.npy"),
    ],
)
@pytest.mark.parametrize("test", ["test", "t10k", "eval"])
def test_pairs_of_files_keep_the_splits_in_their_names(tmp_path: Path, images: str, labels: str, test: str) -> None:
    for split, count in {"train": 6, test: 2}.items():
        save(tmp_path / images.format(split), IMAGES[:count])
        save(tmp_path / labels.format(split), LABELS[:count])
    expected = [(word, "test") for word in WORDS[:2]] + [(word, "train") for word in WORDS]
    assert sorted(labels_and_splits(source_at(tmp_path)), key=str) == sorted(expected, key=str)
    remarks = [remark for remark in source_at(tmp_path).remarks() if "`eval` was taken as the test split" in remark]
    assert len(remarks) == (test == "eval")


def test_labels_beside_the_only_array_are_taken_if_they_fit_and_said(tmp_path: Path) -> None:
    path = save(tmp_path / "photos.npy", IMAGES)
    save(tmp_path / "labels.npy", LABELS)
    assert [item.label for item in items_of(source_at(path))] == WORDS
    assert source_at(path).remarks() == [
        "`labels.npy` was taken as the labels of `photos.npy`; `labels: none` takes none."
    ]
    save(tmp_path / "labels.npy", LABELS[:5])
    assert {item.label for item in items_of(source_at(path))} == {None}
    save(tmp_path / "labels.npy", LABELS)
    save(tmp_path / "drawings.npy", IMAGES)
    assert {item.label for item in items_of(source_at(tmp_path))} == {None}


def test_arrays_that_are_no_images_are_left_out_and_said(tmp_path: Path) -> None:
    save(tmp_path / "photos.npy", IMAGES)
    save(tmp_path / "codes.npy", np.zeros((6, 16)))
    source = source_at(tmp_path)
    assert len(items_of(source)) == 6
    assert source.remarks() == ["Not read: `codes.npy`; `images` and `labels` name arrays."]


@endings
@pytest.mark.parametrize(
    ("values", "said"),
    [
        (IMAGES.astype(np.float32), "0 to 255"),
        (IMAGES.astype(np.float64), "0 to 255"),
        ((IMAGES / 127.5 - 1).astype(np.float32), "−1 to 1"),
        (IMAGES / 127.5 - 1, "−1 to 1"),
        (IMAGES.astype(np.int64), "0 to 255"),
        (IMAGES.astype(np.int32), "0 to 255"),
        (IMAGES.astype(np.uint16), "0 to 255"),
        ((IMAGES / 255).astype(np.float32), None),
        (IMAGES.astype(np.uint16) * 257, None),
        (IMAGES, None),
    ],
)
def test_the_range_is_recognised_and_said(tmp_path: Path, ending: str, values: Pixels, said: str | None) -> None:
    source = source_at(save(tmp_path / f"a{ending}", values))
    np.testing.assert_array_equal(read(source), IMAGES)
    name = "a.npy" if ending == ".npy" else "a.npz/images"
    remark = f"`{name}`: black and white are {said}; `range: [low, high]` says others."
    assert source.remarks() == ([remark] if said else [])


@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.float32, bool, np.uint16])
def test_zeros_and_ones_are_black_and_white(tmp_path: Path, kind: type) -> None:
    source = source_at(save(tmp_path / "a.npy", (IMAGES % 2).astype(kind)))
    np.testing.assert_array_equal(read(source), IMAGES % 2 * 255)


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_a_dark_or_bright_part_of_the_images_is_read_like_the_others(tmp_path: Path, kind: type) -> None:
    whole, part = (IMAGES, IMAGES % 2) if kind is np.uint8 else (IMAGES / 127.5 - 1, IMAGES / 255)
    save(tmp_path / "x_train.npy", whole.astype(kind))
    save(tmp_path / "x_test.npy", part.astype(kind))
    expected = IMAGES % 2 if kind is np.uint8 else (IMAGES / 255 + 1) * 127.5
    np.testing.assert_allclose(read(source_at(tmp_path))[:6], expected, atol=0.51)


def test_a_range_that_the_recipe_says_goes_before_and_cuts(tmp_path: Path) -> None:
    values = np.linspace(-100, 5000, 210).reshape(6, 5, 7)
    source = source_at(save(tmp_path / "a.npy", values.astype(np.int16)), range=[0, 4095])
    expected = np.rint(np.clip(values.astype(np.int16) / 4095, 0, 1) * 255)
    np.testing.assert_array_equal(read(source), expected)
    assert source.remarks() == []
    assert (read(source_at(save(tmp_path / "b.npy", IMAGES), range=[0, 100])) == 255).sum() == (IMAGES >= 100).sum()
    with pytest.raises(ValueError, match="range: expected black below white, found 1 and 0"):
        ArraySource(kind="array", path="a.npy", range=(1, 0))


@endings
@pytest.mark.parametrize("values", [COLOUR, (COLOUR / 255).astype(np.float32)], ids=["uint8", "float32"])
def test_channels_may_come_first(tmp_path: Path, ending: str, values: Pixels) -> None:
    source = source_at(save(tmp_path / f"a{ending}", np.ascontiguousarray(values.transpose(0, 3, 1, 2))))
    np.testing.assert_array_equal(read(source), COLOUR)
    assert source.remarks()[0].endswith("[6, 3, 5, 7] was taken as [N, C, H, W], channels first.")


@given(st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9), st.integers(1, 9)))
def test_channels_come_last_wherever_they_can(shape: tuple[int, ...]) -> None:
    assert channels_first(shape) == (shape[1] in (1, 3, 4) and shape[3] not in (1, 3, 4))


@pytest.mark.parametrize("kind", [np.float32, np.uint8, np.bool_, np.int64])
def test_labels_may_mark_their_class_in_a_row(tmp_path: Path, kind: type) -> None:
    rows = np.eye(10)[[3, 0, 9, 3, 5, 1]].astype(kind)
    path = save(tmp_path / "a.npz", IMAGES, labels=rows)
    assert [item.label for item in items_of(source_at(path))] == ["3", "0", "9", "3", "5", "1"]


def test_what_generate_wrote_as_an_array_has_the_labels_of_its_table(tmp_path: Path) -> None:
    save(tmp_path / "images.npy", IMAGES)
    table = {"file_name": ["images.npy"] * 6, "index": range(6), "label": ["cat", "dog", None, "cat", "cat", "dog"]}
    pq.write_table(pa.table({**table, "code": [[0.5]] * 6}), tmp_path / "metadata.parquet")
    for path in (tmp_path, tmp_path / "images.npy"):
        assert [item.label for item in items_of(source_at(path))] == table["label"]
    before = source_at(tmp_path).digest()
    pq.write_table(pa.table({**table, "label": ["cat"] * 6}), tmp_path / "metadata.parquet")
    assert source_at(tmp_path).digest() != before
    pq.write_table(pa.table({name: values[:5] for name, values in table.items()}), tmp_path / "metadata.parquet")
    with pytest.raises(DataError, match=r"metadata\.parquet: expected 6 rows of images\.npy, found 5"):
        items_of(source_at(tmp_path))
    pq.write_table(pa.table({"file_name": ["a.png"], "label": ["cat"]}), tmp_path / "metadata.parquet")
    assert {item.label for item in items_of(source_at(tmp_path))} == {None}


def test_pairs_of_floats_become_examples_with_their_split(
    tmp_path: Path, ingest_into: Callable[..., tuple[Examples, dict[str, int]]]
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (30, 8, 8, 3)).astype(np.float32)
    for split, part in {"train": slice(20), "test": slice(20, 30)}.items():
        save(tmp_path / "arrays" / f"x_{split}.npy", images[part])
        save(tmp_path / "arrays" / f"y_{split}.npy", np.arange(30)[part] % 3)
    examples, counts = ingest_into(tmp_path / "run", ArraySource(kind="array", path=str(tmp_path / "arrays")))
    assert (counts["train"] + counts["validation"], counts["test"], counts["rejected"]) == (20, 10, 0)
    statistics = Statistics.model_validate_json(examples.statistics_path.read_text())
    assert statistics.labels == ["0", "1", "2"]
    assert statistics.train_mean[0] == pytest.approx(0.5, abs=0.05)
