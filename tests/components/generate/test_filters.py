"""Near copies of training images, and unlikely images, are dropped and listed; other images replace them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.table_rows import table_rows
from PIL import Image

from components.generate import filters
from schemas.artifacts.kinds import Examples, Generator, ImageSet
from schemas.errors import DataError, UsageError

MakeImages = Callable[..., ImageSet]
Array = np.ndarray[Any, Any]


@pytest.fixture(scope="module")
def planted(
    make_images: MakeImages,
    write_photos: Callable[..., Path],
    ingest_into: Callable[..., tuple[Examples, dict[str, int]]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Examples:
    """Examples of noise, and of every seventh image of the set that the generator makes."""
    folder = tmp_path_factory.mktemp("planted")
    photos = write_photos(folder / "photos", 60, height=8, width=8)
    for index, image in enumerate(np.load(make_images(folder / "set", count=300, format="npy").path / "images.npy")):
        if index % 7 == 0:
            Image.fromarray(image[..., 0]).save(photos / f"planted-{index}.png")
    return ingest_into(folder, photos, channels=1)[0]


def training(examples: Examples) -> dict[str, Array]:
    """Return the training images by key, read from their files of 8 × 8 pixels."""
    folder = examples.path.parent / "photos"
    keys = [row["key"] for row in table_rows(examples.images_path) if row["split"] == "train"]
    return {key: np.asarray(Image.open(folder / key).convert("L"), np.float64) / 255 for key in keys}


def copies_by_hand(images: Array, examples: Examples) -> dict[int, str]:
    """Return which images [N, 8, 8] are near copies, and of what, by the definition, one pair at a time."""
    known = training(examples)
    copies = {}
    for index, image in enumerate(images.astype(np.float64) / 255):
        distances = {key: np.sqrt(np.mean((image - other) ** 2)) for key, other in known.items()}
        nearest = min(distances, key=lambda key: distances[key])
        others = [np.sqrt(np.mean((known[nearest] - other) ** 2)) for other in known.values()]
        gap = min(distance for distance in others if distance > 0.5 / 255)
        if distances[nearest] < max(0.5 / 255, 0.5 * gap):
            copies[index] = nearest
    return copies


def test_near_copies_are_dropped_and_listed(make_images: MakeImages, planted: Examples, tmp_path: Path) -> None:
    everything = np.load(make_images(tmp_path / "all", count=400, format="npy").path / "images.npy")[..., 0]
    copies = copies_by_hand(everything, planted)
    own = [key for key in training(planted) if key.startswith("planted")]
    assert len(own) > 20
    assert set(own) <= set(copies.values())  # the planted images are near copies by the definition

    images = make_images(tmp_path / "kept", count=250, drop_near_copies=True, examples=planted, format="npy")
    indices = [row["index"] for row in table_rows(images.metadata_path)]
    assert indices == [index for index in range(400) if index not in copies][:250]
    np.testing.assert_array_equal(np.load(images.path / "images.npy")[..., 0], everything[indices])
    dropped = table_rows(images.dropped_path)
    assert {row["index"]: row["training_image"] for row in dropped} == {
        index: key for index, key in copies.items() if index < indices[-1]
    }
    assert all(row["found"] < row["limit"] and row["reason"] == "near_copy" for row in dropped)


def test_unlikely_images_are_dropped_and_listed(
    make_images: MakeImages, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = make_images(tmp_path / "kept", count=600, drop_unlikely=0.2)
    more = make_images(tmp_path / "all", count=900)
    squared = {row["index"]: float(np.square(row["code"]).sum()) for row in table_rows(more.metadata_path)}
    indices, dropped = [row["index"] for row in table_rows(images.metadata_path)], table_rows(images.dropped_path)
    assert len(indices) == 600
    assert sorted(indices + [row["index"] for row in dropped]) == list(range(indices[-1] + 1))
    # The least likely codes of N(0, I) are those farthest from 0.
    assert max(squared[index] for index in indices) < min(squared[row["index"]] for row in dropped)
    assert len(dropped) / (len(indices) + len(dropped)) == pytest.approx(0.2, abs=0.05)
    assert {row["reason"] for row in dropped} == {"unlikely"}
    assert f"  filters dropped {len(dropped)} unlikely ones\n" in capsys.readouterr().out


def test_a_larger_set_begins_with_a_smaller_one(make_images: MakeImages, tmp_path: Path) -> None:
    few, many = (
        [
            row["sha256"]
            for row in table_rows(make_images(tmp_path / str(count), count=count, drop_unlikely=0.3).metadata_path)
        ]
        for count in (100, 500)
    )
    assert many[:100] == few


@pytest.mark.parametrize("labels", [{"left": 40, "right": 90}, "balanced"])
def test_each_label_keeps_its_number(
    conditional: Generator, make_images: MakeImages, labels: Any, tmp_path: Path
) -> None:
    images = make_images(tmp_path, of=conditional, labels=labels, count=130, sampler="mixture", drop_unlikely=0.3)
    expected = {"left": 65, "right": 65} if labels == "balanced" else labels
    assert Counter(row["label"] for row in table_rows(images.metadata_path)) == expected
    assert table_rows(images.dropped_path)


@pytest.mark.parametrize(
    ("sampler", "expected"),
    [("uniform", "some of whose codes are likelier than others"), ("flow", "that says how likely a code is")],
)
def test_a_box_and_a_flow_have_no_unlikely_codes(
    sampler: str, expected: str, make_images: MakeImages, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=f"drop_unlikely: expected a sampler {expected}, found {sampler}"):
        make_images(tmp_path, sampler=sampler, drop_unlikely=0.1)


def test_no_set_is_made_if_hardly_any_image_passes(
    make_images: MakeImages, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(filters, "MIN_ACCEPTANCE", 0.5)
    monkeypatch.setattr(filters, "MIN_CHECKED", 512)
    with pytest.raises(
        DataError, match=r"generate\.drop_unlikely: expected at least 50% of the images to pass, found \d+ of 5,056"
    ):
        make_images(tmp_path, count=5000, drop_unlikely=0.9)
