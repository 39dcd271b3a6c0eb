"""Records are in TensorFlow's format, although TensorFlow does not write them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from helpers.by_hand import describe
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from tensorflow_metadata.proto.v0 import schema_pb2

from schemas.artifacts.records import IMAGE, KEY, LABEL, Statistics, decode_example, encode_example, frame, schema_text

Array = np.ndarray[Any, Any]
small_shapes = array_shapes(min_dims=3, max_dims=3, max_side=8)
pixels = arrays(np.uint8, small_shapes)
values = arrays(np.float32, small_shapes, elements=st.floats(-4, 4, width=32))
keys = st.text()
labels = st.integers(-1, 2**63 - 1)


def make_statistics(**changes: Any) -> Statistics:
    """Return the statistics of a data set of 4 × 6 RGB images with two labels."""
    images = {"train": 2, "validation": 1, "test": 1}
    labels: dict[str, Any] = {"labels": ["cat", "dog"], "images_per_label": {"train": {"cat": 1, "dog": 1}}}
    return describe(4, 6, 3, **{"images": images, **labels, **changes})


def parse(store: str) -> schema_pb2.Schema:
    """Return the schema of records in this store, parsed from its text."""
    return text_format.Parse(schema_text(make_statistics(store=store)), schema_pb2.Schema())


@given(image=pixels, key=keys, label=labels)
@example(image=np.zeros((1, 1, 1), np.uint8), key="", label=-1)
def test_pixels_key_and_label_are_decoded_unchanged(image: Array, key: str, label: int) -> None:
    data, decoded_key, decoded_label = decode_example(encode_example(image, key=key, label=label))
    assert isinstance(data, bytes)
    assert np.array_equal(np.frombuffer(data, np.uint8).reshape(image.shape), image)
    assert (decoded_key, decoded_label) == (key, label)


@given(image=values, key=keys, label=labels)
def test_normalised_values_are_decoded_bit_for_bit(image: Array, key: str, label: int) -> None:
    data, decoded_key, decoded_label = decode_example(encode_example(image, key=key, label=label))
    assert np.array_equal(np.array(data, np.float32).reshape(image.shape), image)
    assert (decoded_key, decoded_label) == (key, label)


@given(image=pixels)
def test_the_layout_in_memory_does_not_matter(image: Array) -> None:
    by_columns = np.asfortranarray(image)
    assert encode_example(by_columns, key="k", label=0) == encode_example(image, key="k", label=0)


@given(image=pixels | values, key=keys, label=labels)
def test_tensorflow_serialises_the_same_bytes(image: Array, key: str, label: int) -> None:
    data = encode_example(image, key=key, label=label)
    assert tf.train.Example.FromString(data).SerializeToString(deterministic=True) == data


@given(records=st.lists(st.binary(max_size=200), max_size=5))
def test_a_shard_is_byte_for_byte_what_tensorflow_writes(records: list[bytes]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "shard"
        with tf.io.TFRecordWriter(str(path)) as writer:
            for record in records:
                writer.write(record)
        assert path.read_bytes() == b"".join(map(frame, records))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_tensorflow_reads_our_records(tmp_path: Path, dtype: type) -> None:
    images: Array = np.arange(5 * 4 * 6 * 3).reshape(5, 4, 6, 3).astype(dtype)
    names = [f"folder/Bild {index} 図.png" for index in range(5)]
    path = tmp_path / "data_tfrecord-00000-of-00001"
    path.write_bytes(
        b"".join(
            frame(encode_example(image, key=name, label=index - 1))
            for index, (image, name) in enumerate(zip(images, names, strict=True))
        )
    )
    image_feature = (
        tf.io.FixedLenFeature([], tf.string) if dtype is np.uint8 else tf.io.FixedLenFeature((4, 6, 3), tf.float32)
    )
    spec = {
        IMAGE: image_feature,
        KEY: tf.io.FixedLenFeature([], tf.string),
        LABEL: tf.io.FixedLenFeature([], tf.int64),
    }
    [batch] = [tf.io.parse_example(records, spec) for records in tf.data.TFRecordDataset(str(path)).batch(5)]
    decoded = batch[IMAGE]
    if dtype is np.uint8:
        decoded = tf.reshape(tf.io.decode_raw(decoded, tf.uint8), (5, 4, 6, 3))
    assert np.array_equal(decoded.numpy(), images)
    assert [name.decode() for name in batch[KEY].numpy()] == names
    assert batch[LABEL].numpy().tolist() == [-1, 0, 1, 2, 3]


@pytest.mark.process
def test_encoding_does_not_import_tensorflow_and_gives_the_same_bytes_in_another_process() -> None:
    program = (
        "import sys; import numpy as np; from schemas.artifacts.records import encode_example, frame\n"
        "pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)\n"
        "print(frame(encode_example(pixels, key='é', label=3)).hex())\n"
        "assert 'tensorflow' not in sys.modules, 'TensorFlow was imported'\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    here = frame(encode_example(np.arange(24, dtype=np.uint8).reshape(2, 4, 3), key="é", label=3))
    assert bytes.fromhex(done.stdout) == here


@pytest.mark.parametrize("store", ["uint8", "float32"])
def test_the_schema_names_and_describes_every_feature_of_a_record(store: str) -> None:
    schema = parse(store)
    record = encode_example(np.zeros((4, 6, 3), store), key="k", label=0)
    assert {feature.name for feature in schema.feature} == set(tf.train.Example.FromString(record).features.feature)
    for feature in schema.feature:
        assert feature.presence.min_fraction == 1.0
        assert feature.annotation.comment


def test_the_schema_gives_type_and_shape() -> None:
    kinds = {"bytes_list": schema_pb2.BYTES, "float_list": schema_pb2.FLOAT, "int64_list": schema_pb2.INT}
    for store in ("uint8", "float32"):
        record = tf.train.Example.FromString(encode_example(np.zeros((4, 6, 3), store), key="k", label=0))
        for feature in parse(store).feature:
            written = record.features.feature[feature.name]
            kind = written.WhichOneof("kind")
            assert feature.type == kinds[kind]
            assert [dim.size for dim in feature.shape.dim] == [len(getattr(written, kind).value)]


def test_the_schema_bounds_the_label() -> None:
    [label] = [feature for feature in parse("uint8").feature if feature.name == LABEL]
    assert (label.int_domain.min, label.int_domain.max) == (-1, 1)


def test_the_schema_has_the_stored_size_and_not_the_cropped_size() -> None:
    schema = schema_text(make_statistics(store="float32", stored_height=5, stored_width=8))
    assert "5 × 8 × 3" in text_format.Parse(schema, schema_pb2.Schema()).feature[0].annotation.comment[0]


def test_statistics_read_back_equal() -> None:
    statistics = make_statistics(mean=[0.1, 0.2, 0.3], rejected={"empty": 2})
    assert Statistics.model_validate_json(statistics.model_dump_json()) == statistics


def test_findings_that_are_empty_are_no_part_of_the_statistics_and_others_read_back_equal() -> None:
    empty = make_statistics()
    some = make_statistics(two_labels=2, beside={".txt": 3}, left_out={"a link to a folder": 1})
    added = some.model_dump().keys() - empty.model_dump().keys()
    assert added == {"two_labels", "beside", "left_out"}
    for statistics in (empty, some):
        assert Statistics.model_validate_json(statistics.model_dump_json(indent=1)) == statistics
