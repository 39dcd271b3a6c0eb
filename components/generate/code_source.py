"""Reading of a person's own codes: from a Parquet file of codes, or from images, which are encoded."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from components.generate.derived_codes import DerivedCodes
from components.generate.labels import found_label, shown_labels
from components.images.prepare import prepare_image
from components.images.rejected import Rejected, is_beside, require_image
from components.reporting.console import counted, say
from components.sources import Source, open_source
from components.sources.base import chunks
from schemas.artifacts.generator import Description
from schemas.errors import DataError, UsageError
from schemas.hashing import sha256_of
from schemas.paths import user_path
from schemas.recipe.generate import BLOCK, GenerateSection
from schemas.recipe.preprocess import PreprocessSettings
from schemas.recipe.sources import FolderSource, TarSource, ZipSource

# From images [B, H, W, C] and the numbers of their labels [B] to the means of the posteriors of their codes, [B, D].
Encode = Callable[[NDArray[np.uint8], NDArray[np.int64]], NDArray[np.float32]]


@dataclass(frozen=True)
class _Codes:
    """Codes of a source.

    Attributes:
        means: The codes: [M, D].
        names: Name of the image, or of the table's row, of each.
        labels: Label of each; None where it has none.
    """

    means: NDArray[np.float32]
    names: list[str]
    labels: list[str | None]


def digest_of(section: GenerateSection) -> str:
    """Return the sha256 of the file or images that codes come from.

    Raises:
        UsageError: There is no such file.
    """
    path = _checked_path(section)
    if path.suffix == ".parquet":
        return sha256_of(path)
    return _open_images(path, preprocess=None).digest()


def read_codes(
    section: GenerateSection,
    *,
    description: Description,
    latent_dim: int,
    preprocess: PreprocessSettings,
    encode: Encode,
    deviations: Callable[[int], NDArray[np.float32]] | None,
) -> DerivedCodes:
    """Read the codes that the recipe names.

    Args:
        section: The recipe's `generate` section, in which one of `CODE_SOURCES` is set.
        description: The generator's, with its labels.
        latent_dim: Dimensions of a code, D.
        preprocess: What was done to the training images.
        encode: The generator's encoder.
        deviations: From a label's number to the standard deviations of codes of new images, [D]; for `around` alone.

    Raises:
        UsageError: There is nothing that can be used.
        DataError: A code does not fit the generator.
    """
    path, (kind, source) = _checked_path(section), section.code_source or ("", "")
    number = _numbering(section, description)
    if path.suffix == ".parquet":
        codes = _codes_of_table(path, latent_dim=latent_dim)
    else:
        images = _open_images(path, preprocess=preprocess)
        codes = _codes_of_images(
            images,
            kind,
            source,
            labelled=bool(description.labels) and section.label is None,
            preprocess=preprocess,
            encode=encode,
            number=number,
        )
    numbers = np.array([number(label) for label in codes.labels], np.int64)
    if kind == "between" and len(numbers) < 2:
        raise UsageError(f"generate.between: expected two images or more, found {len(numbers)} in {source}")
    spread = np.zeros_like(codes.means) if deviations is None else np.stack([*map(deviations, numbers.tolist())])
    return DerivedCodes(
        kind,
        means=codes.means,
        deviations=spread,
        labels=numbers,
        names=codes.names,
        strength=section.strength,
        steps=section.steps,
    )


def _checked_path(section: GenerateSection) -> Path:
    kind, source = section.code_source or ("", "")
    path = user_path(source)
    if not path.exists():
        raise UsageError(
            f"generate.{kind}: expected images, or a Parquet file of codes, at {source}, found nothing there"
        )
    return path


def _numbering(section: GenerateSection, description: Description) -> Callable[[str | None], int]:
    """Return the map from a label's name to its number; to -1 where the generator takes no labels."""
    numbers = description.trained_labels

    def number(label: str | None) -> int:
        label = label if section.label is None else section.label
        if not description.labels:
            return -1
        if label is None or label not in numbers:
            kind, source = section.code_source or ("", "")
            problem = "none" if label is None else found_label(label, description)
            raise UsageError(
                f"generate.{kind}: expected a label for each image in {source}, one of {shown_labels(description)}, found "
                f"{problem}; the label is the name of the first folder, or a table's column `label`; or set generate.label"
            )
        return numbers[label]

    return number


def _codes_of_table(path: Path, *, latent_dim: int) -> _Codes:
    try:
        table = pq.read_table(path)
        means = _matrix(table["code"])
    except (pa.ArrowException, KeyError, ValueError) as error:
        raise DataError(
            f"{path}: expected a Parquet file with a column `code`, lists of {latent_dim} numbers, found something else "
            f"({str(error).splitlines()[0][:120]})"
        ) from None
    if means.shape[1] != latent_dim or not np.isfinite(means).all():
        problem = f"lists of {means.shape[1]}" if means.shape[1] != latent_dim else "NaN or infinity"
        raise DataError(f"{path}: expected codes of {latent_dim} finite numbers each, found {problem}")
    columns = set(table.column_names)
    name = next((column for column in ("name", "file_name") if column in columns), None)
    names = [f"{path.name}#{row}" for row in range(len(means))] if name is None else table[name].to_pylist()
    labels = table["label"].cast(pa.string()).to_pylist() if "label" in columns else [None] * len(means)
    say(f"reads   {counted(len(means), 'code')} from {path}")
    return _Codes(means, names, labels)


def _matrix(column: pa.ChunkedArray) -> NDArray[np.float32]:
    """Return lists of one length as an array [N, D].

    Raises:
        ValueError: The lists differ in length, or are empty.
    """
    lengths = pc.unique(pc.list_value_length(column)).to_pylist()
    if len(lengths) != 1 or not lengths[0]:
        raise ValueError(f"lists of {', '.join(map(str, lengths[:5])) or 'no'} numbers")
    numbers: NDArray[np.float32] = pc.list_flatten(column).cast(pa.float32()).to_numpy()
    return numbers.reshape(-1, lengths[0])


def _open_images(path: Path, *, preprocess: PreprocessSettings | None) -> Source:
    options: dict[str, Any] = {"path": str(path)}
    name = path.name.lower()
    settings: FolderSource | ZipSource | TarSource
    if path.is_dir():
        settings = FolderSource(kind="folder", **options)
    elif name.endswith(".zip"):
        settings = ZipSource(kind="zip", **options)
    elif ".tar" in name or name.endswith(".tgz"):
        settings = TarSource(kind="tar", **options)
    else:
        raise UsageError(
            f"{path}: expected a folder, a .zip or a .tar of images, or a .parquet of codes, found another file"
        )
    return open_source(settings, preprocess)


def _codes_of_images(
    images: Source,
    kind: str,
    source: str,
    *,
    labelled: bool,
    preprocess: PreprocessSettings,
    encode: Encode,
    number: Callable[[str | None], int],
) -> _Codes:
    names: list[str] = []
    labels: list[str | None] = []
    means, rejected = list[NDArray[np.float32]](), list[str]()

    def usable_images() -> Iterator[NDArray[np.uint8]]:
        for part in images.parts():
            for item, raw in images.images(part.names):
                try:
                    pixels = prepare_image(require_image(raw, key=item.key), preprocess)
                except Rejected as error:
                    if not is_beside(item.key, error):
                        rejected.append(f"{item.key} ({error})")
                    continue
                names.append(item.key)
                # Not as ingest understands folders: here one folder alone says a label, too.
                first, slash, _ = item.key.partition("/")
                labels.append(unicodedata.normalize("NFC", first) if labelled and slash else None)
                yield pixels

    done = 0
    for batch in chunks(usable_images(), BLOCK):
        # In whole blocks, as a network's arithmetic may differ in the last bit between batch sizes.
        pixels = np.zeros((BLOCK, *batch[0].shape), np.uint8)
        pixels[: len(batch)] = batch
        numbers = np.zeros(BLOCK, np.int64)
        numbers[: len(batch)] = [number(label) for label in labels[done:]]
        means.append(encode(pixels, numbers)[: len(batch)])
        done += len(batch)
    if rejected:
        say(f"skips   {counted(len(rejected), 'file')} that cannot be used, the first: {rejected[0]}")
    if not names:
        raise UsageError(f"generate.{kind}: expected images in {source}, found none that can be used")
    say(f"reads   {counted(len(names), 'image')} from {source}")
    return _Codes(np.concatenate(means), names, labels)
