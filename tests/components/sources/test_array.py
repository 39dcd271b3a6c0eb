"""NumPy's files as a source: `.npy` read by place, `.npz` read through."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from helpers.numpy_files import IMAGES, LABELS, Pixels, endings, save, source_at
from helpers.read_through import images_of, items_of
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from components.images.decode import decode
from components.sources import Source
from components.sources import array as module
from schemas.errors import UsageError
from schemas.recipe.preprocess import PreprocessSettings

images = arrays(np.uint8, array_shapes(min_dims=3, max_dims=3, min_side=5, max_side=9))


def read(source: Source) -> Pixels:
    """All images."""
    return np.array(list(images_of(source).values()))


@endings
@pytest.mark.parametrize("channels", [(), (1,), (3,), (4,)])
def test_images_come_in_the_arrays_order(tmp_path: Path, ending: str, channels: tuple[int, ...]) -> None:
    values = (
        np.arange(6 * 5 * 7 * np.prod((1, *channels)), dtype=np.uint64).astype(np.uint8).reshape(6, 5, 7, *channels)
    )
    path = save(tmp_path / f"photos{ending}", values)
    np.testing.assert_array_equal(read(source_at(path)), values)
    prefix = "photos.npy" if ending == ".npy" else "photos.npz/images"
    assert list(images_of(source_at(path))) == [f"{prefix}#{number:06d}" for number in range(6)]


@given(values=images, packed=st.booleans(), part=st.integers(1, 4))
def test_what_is_written_is_read_back_and_again_by_its_place(values: Pixels, packed: bool, part: int) -> None:
    values[-1, -1, -1] = 2  # for images of 0 and 1 are black and white
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_IMAGES_PER_PART", part)
        source = source_at(save(Path(folder) / ("a.npz" if packed else "a.npy"), values))
        np.testing.assert_array_equal(read(source), values)
        places = [item.place for item in items_of(source)]
        if packed:
            assert set(places) == {None}
        else:
            np.testing.assert_array_equal([source.read(place or "") for place in places], values)


@endings
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (IMAGES % 2 == 0, np.where(IMAGES % 2 == 0, 255, 0)),
        (IMAGES.astype("<u2") * 257 + 3, IMAGES),
        (IMAGES.astype(">u2") * 257, IMAGES),
        ((IMAGES / 255).astype(np.float32), IMAGES),
        ((IMAGES / 255).astype(np.float64), IMAGES),
        ((IMAGES / 255).astype(np.float16), IMAGES),
    ],
    ids=["bool", "uint16", "uint16, other bytes first", "float32", "float64", "float16"],
)
def test_other_types_are_scaled_to_one_byte(tmp_path: Path, ending: str, values: Pixels, expected: Pixels) -> None:
    source = source_at(save(tmp_path / f"a{ending}", values))
    assert read(source).dtype == np.uint8
    np.testing.assert_array_equal(read(source), expected)
    for item in items_of(source):
        if item.place is not None:
            np.testing.assert_array_equal(source.read(item.place), images_of(source)[item.key])


def test_kerass_mnist_simply_works(tmp_path: Path) -> None:
    path = tmp_path / "mnist.npz"
    np.savez(path, x_train=IMAGES, y_train=LABELS, x_test=IMAGES[:2] + 1, y_test=LABELS[4:])
    items = items_of(source_at(path))
    assert [(item.key, item.label, item.split) for item in items[:3]] == [
        ("mnist.npz/x_test#000000", "255", "test"),
        ("mnist.npz/x_test#000001", "1", "test"),
        ("mnist.npz/x_train#000000", "3", "train"),
    ]
    np.testing.assert_array_equal(read(source_at(path)), np.concatenate([IMAGES[:2] + 1, IMAGES]))


def test_medmnists_files_simply_work(tmp_path: Path) -> None:
    path = tmp_path / "pathmnist.npz"
    sets = {f"{split}_images": IMAGES for split in ("train", "val", "test")}
    np.savez(path, **sets, **{f"{split}_labels": LABELS[:, None] for split in ("train", "val", "test")})
    items = items_of(source_at(path))
    assert {item.key.split("/")[1][:4]: item.split for item in items} == {
        "test": "test",
        "trai": "train",
        "val_": "validation",
    }
    assert [item.label for item in items] == 3 * [str(label) for label in LABELS]


def test_the_only_array_of_images_has_the_labels_beside_it(tmp_path: Path) -> None:
    words = np.array(["a", "b", "c", "é", "e", "f"])
    for name in ("labels", "label", "y"):
        np.savez(tmp_path / "a.npz", data=IMAGES, ids=np.arange(6), **{name: words})
        assert [item.label for item in items_of(source_at(tmp_path / "a.npz"))] == words.tolist()
    assert {item.label for item in items_of(source_at(tmp_path / "a.npz", labels="none"))} == {None}
    assert [item.label for item in items_of(source_at(tmp_path / "a.npz", labels="ids"))] == list("012345")


def test_labels_of_an_npy_are_in_the_one_beside_it(tmp_path: Path) -> None:
    for name, values in {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES[:2], "y_test": LABELS[:2]}.items():
        save(tmp_path / f"{name}.npy", values)
    items = items_of(source_at(tmp_path))
    assert [(item.label, item.split) for item in items] == [
        *((str(label), "test") for label in LABELS[:2]),
        *((str(label), "train") for label in LABELS),
    ]
    alone = items_of(source_at(tmp_path / "x_train.npy"))
    assert [(item.label, item.split) for item in alone] == [(str(label), None) for label in LABELS]
    assert {item.label for item in items_of(source_at(tmp_path / "x_train.npy", labels="none"))} == {None}
    with pytest.raises(UsageError, match=rf"sources\.labels: .* found nothing at {tmp_path}/words\.npy"):
        items_of(source_at(tmp_path / "x_train.npy", labels="words"))


def test_files_of_a_folder_are_one_source_and_keep_the_splits_in_their_names(tmp_path: Path) -> None:
    save(tmp_path / "deep" / "train.npy", IMAGES)
    np.savez(tmp_path / "test.npz", IMAGES[:1])
    assert {item.key.split("#")[0]: item.split for item in items_of(source_at(tmp_path))} == {
        "deep/train.npy": "train",
        "test.npz/arr_0": "test",
    }
    assert len(items_of(source_at(tmp_path / "**" / "*.npy"))) == 6


def test_of_a_packed_array_one_image_is_in_memory(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", np.random.default_rng(0).integers(0, 256, (400, 200, 300), np.uint8))
    source = source_at(path)
    tracemalloc.start()
    try:
        for part in source.parts():
            for _ in source.images(part.names):
                pass
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_the_digest_is_the_names_and_the_contents_of_images_and_labels(tmp_path: Path) -> None:
    for folder in ("one", "same"):
        save(tmp_path / folder / "x.npy", IMAGES)
        save(tmp_path / folder / "y.npy", LABELS)
    before = source_at(tmp_path / "one" / "x.npy").digest()
    assert source_at(tmp_path / "same" / "x.npy").digest() == source_at(tmp_path / "same").digest() == before
    save(tmp_path / "one" / "y.npy", LABELS + 1)
    assert source_at(tmp_path / "one" / "x.npy").digest() != before


@pytest.mark.parametrize("channels", [1, 3])
def test_grey_images_with_an_axis_of_their_own_can_be_decoded(tmp_path: Path, channels: int) -> None:
    source = source_at(save(tmp_path / "a.npy", IMAGES[..., None]))
    for raw, expected in zip(images_of(source).values(), IMAGES, strict=True):
        pixels = decode(raw, PreprocessSettings(channels=channels))
        np.testing.assert_array_equal(pixels, np.repeat(expected[..., None], channels, axis=2))
