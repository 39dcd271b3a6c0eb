"""Images in memory are those of the shards, in the same order; images that do not fit are read from the shards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from helpers.numbered_examples import COUNT, image, numbers_of, write_examples
from hypothesis import given, settings
from hypothesis import strategies as st

from components.examples import memory, training_images
from components.examples.dataset import readable
from components.examples.training_images import TrainingImages
from schemas.artifacts.kinds import Examples
from schemas.artifacts.records import frame
from schemas.errors import DataError


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Examples:
    """Whole Examples; no test changes them."""
    return write_examples(tmp_path_factory.mktemp("examples"))


@pytest.fixture(scope="module")
def both(examples: Examples) -> tuple[TrainingImages, TrainingImages]:
    """Return the same images, in memory and in shards."""
    in_memory, in_shards = TrainingImages(examples), TrainingImages(examples)
    in_shards.resident = False
    assert in_memory.resident
    return in_memory, in_shards


def content(data: tf.data.Dataset) -> list[bytes]:
    """All of its batches."""
    return [b"".join(np.asarray(part).tobytes() for part in tf.nest.flatten(batch)) for batch in data]


@settings(max_examples=5)
@given(
    batch_size=st.integers(1, COUNT + 1),
    seed=st.integers(0, 2**31 - 1),
    first_epoch=st.integers(0, 2),
    limit=st.none() | st.integers(1, COUNT + 1),
    labelled=st.booleans(),
)
def test_training_sees_the_same_batches_from_memory_and_from_shards(
    both: tuple[TrainingImages, TrainingImages], **order: Any
) -> None:
    in_memory, in_shards = (images.training(epochs=3, **order) for images in both)
    assert in_memory.element_spec == in_shards.element_spec
    assert in_memory.cardinality() == in_shards.cardinality()
    assert content(in_memory) == content(in_shards)


@pytest.mark.parametrize("limit", [None, 10])
def test_every_image_is_seen_once_an_epoch_in_an_order_of_its_own(
    limit: int | None, both: tuple[TrainingImages, TrainingImages]
) -> None:
    numbers = numbers_of(list(both[0].training(batch_size=4, seed=1, epochs=2, limit=limit).as_numpy_iterator()))
    first, second = numbers[: len(numbers) // 2], numbers[len(numbers) // 2 :]
    assert sorted(first) == sorted(second) == list(range(limit or COUNT))
    assert first != second


@pytest.mark.parametrize("limit", [None, 7])
@pytest.mark.parametrize("labelled", [False, True])
def test_images_to_measure_and_to_validate_come_as_they_are_stored(
    limit: int | None, labelled: bool, both: tuple[TrainingImages, TrainingImages]
) -> None:
    for of in (
        lambda images: images.measured(count=limit or COUNT, batch_size=4, labelled=labelled),
        lambda images: images.validation(batch_size=4, limit=limit, labelled=labelled),
    ):
        in_memory, in_shards = (of(images) for images in both)
        assert content(in_memory) == content(in_shards)


@pytest.mark.parametrize("read", [1, 3, 256])
@pytest.mark.parametrize("limit", [7, 8])
def test_a_limit_keeps_the_first_images_alone(
    limit: int, read: int, examples: Examples, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("components.examples.dataset.READ", read)  # the limit may lie before a shard's last records
    images = TrainingImages(examples, limit=limit)
    assert images.count == limit
    batches = images.training(batch_size=4, seed=1, epochs=1, limit=limit)
    assert sorted(numbers_of(list(batches.as_numpy_iterator()))) == list(range(limit))
    [pixels] = images.measured(count=100, batch_size=16).as_numpy_iterator()
    np.testing.assert_array_equal(pixels, [image(number) for number in range(limit)])


def test_images_too_large_for_their_share_of_memory_stay_in_the_shards(
    examples: Examples, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = TrainingImages(examples).bytes
    monkeypatch.setattr(training_images, "memory_bytes", lambda: 4 * needed)
    assert TrainingImages(examples).resident
    assert not TrainingImages(examples, processes=2).resident
    assert TrainingImages(examples, limit=COUNT // 2, processes=2).resident
    monkeypatch.setattr(training_images, "memory_bytes", lambda: 4 * needed - 4)
    assert not TrainingImages(examples).resident


@pytest.mark.parametrize("limit", ["max\n", "9223372036854771712\n"])
def test_a_container_without_a_limit_has_the_machines_memory(
    limit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "LIMITS", ())
    machine = memory.memory_bytes()
    assert machine > 100 << 20
    (tmp_path / "limit").write_text(limit)
    monkeypatch.setattr(memory, "LIMITS", (tmp_path / "limit", tmp_path / "none"))
    assert memory.memory_bytes() == machine


def test_a_containers_limit_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "limit").write_text("1048576\n")
    monkeypatch.setattr(memory, "LIMITS", (tmp_path / "none", tmp_path / "limit"))
    assert memory.memory_bytes() == 1 << 20


@pytest.mark.parametrize("change", [-1, 1], ids=["one_lost", "one_too_many"])
def test_another_number_of_records_than_there_should_be_is_a_line(change: int, tmp_path: Path) -> None:
    examples = write_examples(tmp_path)
    shard = examples.shards("train")[2]
    records = [bytes(record) for record in tf.data.TFRecordDataset(str(shard)).as_numpy_iterator()]
    shard.write_bytes(b"".join(map(frame, records[:-1] if change < 0 else [*records, records[0]])))
    with pytest.raises(DataError, match=f"whole TFRecord shards, .* {COUNT} records in train, found {COUNT + change}"):
        TrainingImages(examples).training(batch_size=4, seed=1, epochs=1)


def test_a_broken_shard_is_a_line(tmp_path: Path) -> None:
    examples = write_examples(tmp_path)
    shard = examples.shards("train")[2]
    shard.write_bytes(shard.read_bytes()[:-10])
    with pytest.raises(DataError, match="whole TFRecord shards, found a broken one"), readable(examples):
        TrainingImages(examples).training(batch_size=4, seed=1, epochs=1)
