"""The records of Examples: the tf.Example of an image, its tensorflow-metadata schema, and the statistics of the data set.

Records are written without TensorFlow, so that workers start in milliseconds: the message is declared to protobuf here, and
framed as a TFRecord (https://www.tensorflow.org/tutorials/load_data/tfrecord: length, masked CRC-32C of the length, data,
masked CRC-32C of the data).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer

from schemas.artifacts.kinds import Examples
from schemas.errors import DataError

SPLITS = ("train", "validation", "test")

_FINDINGS = ("two_labels", "beside", "left_out")  # fields of the statistics that are left out where they are empty

IMAGE = "image"  # uint8: the pixels' bytes, height × width × channels; float32: the same number of normalised values
KEY = "key"  # the image's key in images.parquet
LABEL = "label"  # index into Statistics.labels, or -1


class Sizes(BaseModel):
    """Smallest, median and largest width and height of images before resizing, in pixels."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    width: tuple[int, int, int]
    height: tuple[int, int, int]


class Moments(BaseModel):
    """Mean and standard deviation of stored pixels, per channel, on the scale 0 to 1."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mean: list[float]
    deviation: list[float]


class Statistics(BaseModel):
    """Shapes, counts, moments and constants of Examples.

    The network sees ``x = (pixel / 255 - mean) / deviation`` per channel; `mean` and `deviation` are the constants of
    the chosen normalisation, `train_mean` and `train_deviation` what was measured on the training split (scale 0 to 1).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    height: int  # pixels, of the images that the network sees
    width: int
    channels: int
    stored_height: int  # pixels, of the images in the records: larger if training crops
    stored_width: int
    store: Literal["uint8", "float32"]
    normalise: Literal["unit", "symmetric", "standardise"]
    mean: list[float]
    deviation: list[float]
    train_mean: list[float]
    train_deviation: list[float]
    labels: list[str]
    images: dict[str, int]  # per split
    records: dict[str, int]  # per split; more than images if crops are baked
    images_per_label: dict[str, dict[str, int]]  # per split
    rejected: dict[str, int]  # per reason
    duplicates: int = 0  # images left out because another image has the same bytes
    sizes: dict[str, Sizes] = {}  # per split that has images: before resizing
    moments: dict[str, Moments] = {}  # per split that has images: of the stored pixels
    anomalies: list[str] = []  # warnings about the images, one sentence each
    two_labels: int = 0  # different images that stand under several labels
    beside: dict[str, int] = {}  # files beside the images that are no images, per ending; "" without one
    left_out: dict[str, int] = {}  # paths that were not looked at, per reason

    @classmethod
    def of_shape(cls, height: int, width: int, channels: int, *, labels: Sequence[str] = ()) -> Statistics:
        """Return what a network needs to know of images of this shape that are not there, such as to measure its speed.

        Each label has one training image.
        """
        counts = {"train": len(labels), "validation": 0, "test": 0}
        return cls(
            height=height,
            width=width,
            channels=channels,
            stored_height=height,
            stored_width=width,
            store="uint8",
            normalise="unit",
            mean=[0.0] * channels,
            deviation=[1.0] * channels,
            train_mean=[0.5] * channels,
            train_deviation=[0.3] * channels,
            labels=list(labels),
            images=counts,
            records=counts,
            images_per_label={"train": dict.fromkeys(labels, 1)},
            rejected={},
        )

    @model_serializer(mode="wrap")
    def _without_empty(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out findings that are empty: Examples without them keep the digest that they had before there were any."""
        fields: dict[str, Any] = serialise(self)
        return {name: value for name, value in fields.items() if value or name not in _FINDINGS}


def read_statistics(examples: Examples) -> Statistics:
    """Return the statistics that ingest wrote beside the images."""
    return Statistics.model_validate_json(examples.statistics_path.read_bytes())


@cache
def _example_class() -> Any:
    """Return the message class of tf.Example, in a descriptor pool of its own, which does not conflict with TensorFlow's."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="latent_mill_example.proto", package="tensorflow", syntax="proto3")
    kind = descriptor_pb2.FieldDescriptorProto

    def message(name: str, *fields: tuple[str, int, int, bool, str | None]) -> Any:
        descriptor = file.message_type.add(name=name)
        for field_name, number, field_type, repeated, type_name in fields:
            descriptor.field.add(
                name=field_name,
                number=number,
                type=field_type,
                label=kind.LABEL_REPEATED if repeated else kind.LABEL_OPTIONAL,
                type_name=type_name,
            )
        return descriptor

    message("BytesList", ("value", 1, kind.TYPE_BYTES, True, None))
    message("FloatList", ("value", 1, kind.TYPE_FLOAT, True, None))
    message("Int64List", ("value", 1, kind.TYPE_INT64, True, None))
    feature = message(
        "Feature",
        ("bytes_list", 1, kind.TYPE_MESSAGE, False, ".tensorflow.BytesList"),
        ("float_list", 2, kind.TYPE_MESSAGE, False, ".tensorflow.FloatList"),
        ("int64_list", 3, kind.TYPE_MESSAGE, False, ".tensorflow.Int64List"),
    )
    feature.oneof_decl.add(name="kind")
    for field in feature.field:
        field.oneof_index = 0
    features = message("Features", ("feature", 1, kind.TYPE_MESSAGE, True, ".tensorflow.Features.FeatureEntry"))
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=kind.TYPE_STRING, label=kind.LABEL_OPTIONAL)
    entry.field.add(
        name="value", number=2, type=kind.TYPE_MESSAGE, label=kind.LABEL_OPTIONAL, type_name=".tensorflow.Feature"
    )
    message("Example", ("features", 1, kind.TYPE_MESSAGE, False, ".tensorflow.Features"))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tensorflow.Example"))


def encode_example(pixels: np.ndarray[Any, Any], *, key: str, label: int) -> bytes:
    """Serialise one image as a tf.Example.

    Args:
        pixels: [height, width, channels], uint8 or float32.
        key: The image's key.
        label: Index of its label, or -1 if it has none.
    """
    example = _example_class()()
    feature = example.features.feature
    if pixels.dtype == np.uint8:
        feature[IMAGE].bytes_list.value.append(pixels.tobytes())
    else:
        feature[IMAGE].float_list.value.extend(pixels.astype(np.float32).ravel().tolist())
    feature[KEY].bytes_list.value.append(key.encode())
    feature[LABEL].int64_list.value.append(label)
    # Deterministic, so that the same image is the same bytes everywhere: maps are sorted.
    return bytes(example.SerializeToString(deterministic=True))


def decode_example(data: bytes) -> tuple[bytes | list[float], str, int]:
    """Return pixels (bytes or normalised values), key and label of a serialised tf.Example."""
    feature = _example_class().FromString(data).features.feature
    image = feature[IMAGE]
    pixels = image.bytes_list.value[0] if image.HasField("bytes_list") else list(image.float_list.value)
    return pixels, feature[KEY].bytes_list.value[0].decode(), int(feature[LABEL].int64_list.value[0])


def frame(record: bytes) -> bytes:
    """Return the bytes of a record in a TFRecord file."""
    length = struct.pack("<Q", len(record))
    return b"".join((length, _masked_crc(length), record, _masked_crc(record)))


def _masked_crc(data: bytes) -> bytes:
    import google_crc32c

    crc = google_crc32c.value(data)
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


def schema_text(statistics: Statistics) -> str:
    """Return the tensorflow-metadata schema of the records, as text protobuf."""
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    schema = schema_pb2.Schema()

    def add(name: str, kind: Any, size: int, doc: str) -> Any:
        feature = schema.feature.add(name=name, type=kind)
        feature.presence.min_fraction = 1.0
        feature.shape.dim.add(size=size)
        feature.annotation.comment.append(doc)
        return feature

    shape = (statistics.stored_height, statistics.stored_width, statistics.channels)
    size = "{} × {} × {}".format(*shape)
    if statistics.store == "uint8":
        image = add(IMAGE, schema_pb2.BYTES, 1, f"{size} uint8 pixels, row by row")
        image.image_domain.SetInParent()
    else:
        image = add(IMAGE, schema_pb2.FLOAT, shape[0] * shape[1] * shape[2], f"{size} normalised values, row by row")
    add(KEY, schema_pb2.BYTES, 1, "key in images.parquet")
    label = add(LABEL, schema_pb2.INT, 1, "index of the label in statistics.json, or -1")
    label.int_domain.min = -1
    label.int_domain.max = len(statistics.labels) - 1
    return str(text_format.MessageToString(schema))


def read_records(path: Path) -> Iterator[bytes]:
    """Yield the records of a TFRecord file.

    Raises:
        DataError: A checksum is wrong, or the file ends early.
    """
    with path.open("rb") as file:
        yield from records_in(file, name=str(path))


def records_in(file: IO[bytes], *, name: str) -> Iterator[bytes]:
    """Yield the records of an open TFRecord file; messages begin with its name.

    Raises:
        DataError: A checksum is wrong, or the file ends early.
    """
    while header := file.read(12):
        length = struct.unpack("<Q", header[:8])[0] if header[8:] == _masked_crc(header[:8]) else None
        record = b"" if length is None else file.read(length)
        if length is None or len(record) != length or file.read(4) != _masked_crc(record):
            raise DataError(f"{name}: expected whole TFRecords, found a broken one")
        yield record
