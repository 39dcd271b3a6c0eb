"""Examples as tf.data: complete, in an order that can be resumed, and clear about broken shards."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from helpers.numbered_examples import CHANNELS, COUNT, HEIGHT, WIDTH, image, numbers_of, write_examples

from components.examples.dataset import (
    batch_count,
    batches,
    images_at_once,
    keys_of_batches,
    labelled_batches,
    readable,
    training_batches,
)
from schemas.artifacts.kinds import Examples
from schemas.artifacts.records import encode_example, frame, read_statistics
from schemas.errors import DataError


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Examples:
    """Whole Examples; no test changes them."""
    return write_examples(tmp_path_factory.mktemp("examples"))


def order(examples: Examples, **changes: Any) -> list[int]:
    """Return the order in which training sees the images."""
    arguments = {"batch_size": 8, "seed": 7, "first_epoch": 0, "epochs": 1, **changes}
    return numbers_of(list(training_batches(examples, **arguments).as_numpy_iterator()))


def test_statistics_are_read_from_the_examples(examples: Examples) -> None:
    assert read_statistics(examples).labels == ["cat", "dog"]


def test_a_split_comes_as_it_is_stored(examples: Examples) -> None:
    stored = list(batches(examples, "test", batch_size=8).as_numpy_iterator())
    assert [len(batch) for batch in stored] == [8, 8, 8, 8, 3]
    assert numbers_of(stored) == list(range(COUNT))
    np.testing.assert_array_equal(np.concatenate(stored), [image(number) for number in range(COUNT)])


def test_batches_have_a_static_shape_and_type(examples: Examples) -> None:
    expected = tf.TensorSpec((None, HEIGHT, WIDTH, CHANNELS), tf.uint8)
    assert batches(examples, "test", batch_size=8).element_spec == expected
    assert training_batches(examples, batch_size=8, seed=0, first_epoch=0, epochs=1).element_spec == expected
    pixels, labels = labelled_batches(examples, "test", batch_size=8).element_spec
    assert (pixels, labels) == (expected, tf.TensorSpec((None,), tf.int64))


def test_every_image_comes_with_its_label(examples: Examples) -> None:
    stored = list(labelled_batches(examples, "test", batch_size=8).as_numpy_iterator())
    numbers = numbers_of([pixels for pixels, _ in stored])
    assert numbers == list(range(COUNT))
    assert np.concatenate([labels for _, labels in stored]).tolist() == [number % 3 - 1 for number in numbers]


@pytest.mark.parametrize("batch_size", [4, 8, 35])
def test_a_conditional_model_gets_each_image_with_its_own_label(examples: Examples, batch_size: int) -> None:
    stored = batches(examples, "train", batch_size=batch_size, labelled=True)
    shuffled = training_batches(
        examples, batch_size=batch_size, seed=1, first_epoch=0, epochs=2, limit=None, labelled=True
    )
    for data, epochs in ((stored, 1), (shuffled, 2)):
        all_numbers = []
        for inputs in data:
            assert set(inputs) == {"pixels", "labels"}
            numbers = inputs["pixels"].numpy()[:, 0, 0, 0]
            np.testing.assert_array_equal(inputs["labels"].numpy(), numbers.astype(int) % 3 - 1)
            assert batch_count(inputs) == batch_count(inputs["pixels"]) == len(numbers)
            all_numbers += numbers.tolist()
        assert sorted(all_numbers) == sorted([*range(COUNT)] * epochs)


@pytest.mark.parametrize("limit", [1, 8, 13, COUNT, COUNT + 100])
def test_a_limit_takes_the_first_images_of_a_split(examples: Examples, limit: int) -> None:
    first = list(range(min(limit, COUNT)))
    assert numbers_of(list(batches(examples, "test", batch_size=8, limit=limit).as_numpy_iterator())) == first
    labelled = labelled_batches(examples, "test", batch_size=8, limit=limit).as_numpy_iterator()
    assert numbers_of([pixels for pixels, _ in labelled]) == first
    for epoch in range(2):
        assert sorted(order(examples, limit=limit, first_epoch=epoch, epochs=epoch + 1)) == first


def test_every_epoch_is_a_permutation_of_all_images_and_no_two_are_alike(examples: Examples) -> None:
    numbers = order(examples, epochs=4)
    epochs = [numbers[start : start + COUNT] for start in range(0, 4 * COUNT, COUNT)]
    assert all(sorted(epoch) == list(range(COUNT)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in [*epochs, list(range(COUNT))]}) == 5


def test_no_batch_straddles_two_epochs(examples: Examples) -> None:
    shuffled = training_batches(examples, batch_size=8, seed=7, first_epoch=0, epochs=2).as_numpy_iterator()
    assert [len(batch) for batch in shuffled] == [8, 8, 8, 8, 3] * 2


@pytest.mark.parametrize("limit", [None, 13])
def test_a_resumed_training_sees_the_order_of_an_uninterrupted_one(examples: Examples, limit: int | None) -> None:
    size = limit or COUNT
    whole = order(examples, epochs=4, limit=limit)
    for epoch in range(4):
        assert order(examples, first_epoch=epoch, epochs=4, limit=limit) == whole[epoch * size :]


def test_a_seed_gives_the_same_order_for_any_batch_size(examples: Examples) -> None:
    assert order(examples) == order(examples, batch_size=3)
    assert order(examples, seed=2**31 - 1) == order(examples, seed=2**31 - 1)
    assert len({tuple(order(examples, seed=seed)) for seed in (0, 1, 7, 2**31 - 1)}) == 4


def test_the_order_does_not_depend_on_tensorflows_global_seed(examples: Examples) -> None:
    orders = set()
    for seed in (1, 2):
        tf.random.set_seed(seed)
        orders.add(tuple(order(examples)))
    assert len(orders) == 1


def test_normalised_values_give_back_the_same_pixels(examples: Examples, tmp_path: Path) -> None:
    normalised = write_examples(tmp_path, store="float32")
    assert normalised.shards("train")[0].stat().st_size > examples.shards("train")[0].stat().st_size
    [expected] = batches(examples, "test", batch_size=COUNT).as_numpy_iterator()
    [pixels] = batches(normalised, "test", batch_size=COUNT).as_numpy_iterator()
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, expected)
    assert order(normalised) == order(examples)


def read_all(examples: Examples) -> None:
    """Do what a stage does with Examples."""
    with readable(examples):
        for _ in training_batches(examples, batch_size=8, seed=0, first_epoch=0, epochs=1):
            pass


def assert_broken(examples: Examples) -> None:
    """Check that reading ends with the line that a person can use."""
    path = re.escape(str(examples.path))
    expected = f"^{path}: expected whole TFRecord shards, found a broken one .* remove {path}$"
    with pytest.raises(DataError, match=expected):
        read_all(examples)


def test_whole_shards_are_readable(examples: Examples) -> None:
    read_all(examples)


@pytest.mark.parametrize("missing", [1, 10, 40])
def test_a_truncated_shard_is_an_error_that_names_the_examples(tmp_path: Path, missing: int) -> None:
    examples = write_examples(tmp_path)
    shard = examples.shards("train")[2]
    shard.write_bytes(shard.read_bytes()[:-missing])
    assert_broken(examples)


@pytest.mark.parametrize("place", [0, 9, 40, -1], ids=["length", "checksum_of_length", "data", "checksum_of_data"])
def test_a_flipped_byte_is_an_error_that_names_the_examples(tmp_path: Path, place: int) -> None:
    examples = write_examples(tmp_path)
    shard = examples.shards("train")[2]
    content = bytearray(shard.read_bytes())
    content[place] ^= 0x10
    shard.write_bytes(content)
    assert_broken(examples)


def test_an_image_of_another_size_is_an_error_that_names_the_examples(tmp_path: Path) -> None:
    examples = write_examples(tmp_path)
    record = encode_example(np.zeros((1, 1, 1), np.uint8), key="tiny.png", label=-1)
    examples.shards("train")[2].write_bytes(frame(record))
    assert_broken(examples)


def test_a_lost_shard_is_an_error_that_names_the_examples(tmp_path: Path) -> None:
    examples = write_examples(tmp_path)
    examples.shards("train")[-1].unlink()
    assert_broken(examples)


def test_a_shard_that_lost_its_last_record_is_an_error_that_names_the_examples(tmp_path: Path) -> None:
    examples = write_examples(tmp_path)
    shard = examples.shards("train")[0]
    records = [bytes(record) for record in tf.data.TFRecordDataset(str(shard)).as_numpy_iterator()]
    shard.write_bytes(b"".join(map(frame, records[:-1])))
    assert_broken(examples)


def test_an_empty_split_has_no_batches(examples: Examples) -> None:
    assert list(batches(examples, "validation", batch_size=8)) == []


def test_other_errors_pass_through_unchanged(examples: Examples) -> None:
    with pytest.raises(KeyError, match="mine"), readable(examples):
        raise KeyError("mine")


@pytest.mark.parametrize("epoch", [0, 3])
def test_the_keys_of_a_step_are_those_of_the_images_that_it_sees(examples: Examples, epoch: int) -> None:
    numbers = order(examples, first_epoch=epoch, epochs=epoch + 1)
    for first, count in ((0, 1), (2, 2), (4, 1)):
        keys = keys_of_batches(examples, batch_size=8, seed=7, epoch=epoch, first=first, count=count)
        assert keys == [f"{number}.png" for number in numbers[8 * first : 8 * (first + count)]]


def test_large_images_come_in_small_batches() -> None:
    assert images_at_once(28, 28) == images_at_once(64, 64) == 256
    assert images_at_once(256, 256) == 16
    assert images_at_once(1024, 1024) == 1
