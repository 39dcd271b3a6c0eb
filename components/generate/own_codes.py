"""Reads the codes that a set is made from: of a Parquet file, or a person's own images, which are encoded."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from components.generate.given import Given
from components.images.prepare import prepare_image
from components.images.rejected import Rejected, require_image
from components.reporting.console import counted, say
from components.sources import Source, open_source
from components.sources.base import chunks
from schemas.errors import DataError, UsageError
from schemas.recipe.generate import BLOCK, GenerateSection
from schemas.recipe.preprocess import PreprocessSettings
from schemas.recipe.sources import FolderSource, TarSource, ZipSource

# Images [B, H, W, C] and their labels' numbers [B] to the means of their codes' posteriors, [B, D].
Encode = Callable[[NDArray[np.uint8], NDArray[np.int64]], NDArray[np.float32]]


def digest_of(wanted: GenerateSection) -> str:
    """Sha256 of what codes are given in.

    Raises:
        UsageError: It is not there.
    """
    path = _checked(wanted)
    if path.suffix == ".parquet":
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    return _source(path, labelled=False, preprocess=None).digest()


def read_codes(
    wanted: GenerateSection,
    *,
    labels: Sequence[str],
    latent_dim: int,
    preprocess: PreprocessSettings,
    encode: Encode,
    deviations: Callable[[int], NDArray[np.float32]] | None,
) -> Given:
    """The codes that `wanted` gives.

    Args:
        wanted: The recipe's `generate` section, in which one of `CODE_SOURCES` is set.
        labels: Names of the labels, where the generator takes them.
        latent_dim: D, of a code.
        preprocess: What was done to the training images.
        encode: The generator's.
        deviations: Of codes of new images of a label, by its number: [D]; for `around` alone.

    Raises:
        UsageError: There is nothing that could be used.
        DataError: A code is not one of the generator's.
    """
    path, (kind, said) = _checked(wanted), wanted.code_source or ("", "")
    if path.suffix == ".parquet":
        found = _of_table(path, kind, latent_dim=latent_dim)
        named = found.pop("labels")
    else:
        source = _source(path, labelled=bool(labels) and wanted.label is None, preprocess=preprocess)
        found, named = _of_images(
            source, kind, said, preprocess=preprocess, encode=encode, number=_numbering(wanted, labels)
        )
    numbers = np.array([_numbering(wanted, labels)(label) for label in named], np.int64)
    if kind == "between" and len(numbers) < 2:
        raise UsageError(f"generate.between: expected two images or more, found {len(numbers)} in {said}")
    spread = np.zeros_like(found["means"]) if deviations is None else np.stack([*map(deviations, numbers.tolist())])
    return Given(kind, labels=numbers, deviations=spread, strength=wanted.strength, steps=wanted.steps, **found)


def _checked(wanted: GenerateSection) -> Path:
    kind, said = wanted.code_source or ("", "")
    path = Path(said).expanduser()
    if not path.exists():
        raise UsageError(
            f"generate.{kind}: expected images, or a Parquet file of codes, at {said}, found nothing there"
        )
    return path


def _numbering(wanted: GenerateSection, labels: Sequence[str]) -> Callable[[str | None], int]:
    """From a label's name to its number; -1 where the generator takes none."""
    places = {label: number for number, label in enumerate(labels)}

    def number(label: str | None) -> int:
        label = label if wanted.label is None else wanted.label
        if not places:
            return -1
        if label not in places:
            kind, said = wanted.code_source or ("", "")
            shown = ", ".join(list(places)[:20])
            found = "none" if label is None else label
            raise UsageError(
                f"generate.{kind}: expected a label of each image in {said}, one of {shown}, found {found}; it is the first "
                "folder's name, or a table's column `label`; or set generate.label"
            )
        return places[label]

    return number


def _of_table(path: Path, kind: str, *, latent_dim: int) -> dict[str, Any]:
    try:
        table = pq.read_table(path)
        codes = _matrix(table["code"])
    except (pa.ArrowException, KeyError, ValueError) as error:
        raise DataError(
            f"{path}: expected a Parquet file with a column `code`, lists of {latent_dim} numbers, found something else "
            f"({str(error).splitlines()[0][:120]})"
        ) from None
    if codes.shape[1] != latent_dim or not np.isfinite(codes).all():
        found = f"lists of {codes.shape[1]}" if codes.shape[1] != latent_dim else "others"
        raise DataError(f"{path}: expected codes of {latent_dim} finite numbers each, found {found}")
    has = set(table.column_names)
    name = next((column for column in ("name", "file_name") if column in has), None)
    names = [f"{path.name}#{row}" for row in range(len(codes))] if name is None else table[name].to_pylist()
    labels = table["label"].cast(pa.string()).to_pylist() if "label" in has else [None] * len(codes)
    say(f"reads   {counted(len(codes), 'code')} from {path}")
    return {"means": codes, "names": names, "labels": labels}


def _matrix(column: pa.ChunkedArray) -> NDArray[np.float32]:
    """Lists of one length: [N, D]. ValueError where they are not."""
    lengths = pc.unique(pc.list_value_length(column)).to_pylist()
    if len(lengths) != 1 or not lengths[0]:
        raise ValueError(f"lists of {', '.join(map(str, lengths[:5])) or 'no'} numbers")
    found: NDArray[np.float32] = pc.list_flatten(column).cast(pa.float32()).to_numpy()
    return found.reshape(-1, lengths[0])


def _source(path: Path, *, labelled: bool, preprocess: PreprocessSettings | None) -> Source:
    said: dict[str, Any] = {"path": str(path), "label": "first_folder" if labelled else "none"}
    name = path.name.lower()
    settings: FolderSource | ZipSource | TarSource
    if path.is_dir():
        settings = FolderSource(kind="folder", **said)
    elif name.endswith(".zip"):
        settings = ZipSource(kind="zip", **said)
    elif ".tar" in name or name.endswith(".tgz"):
        settings = TarSource(kind="tar", **said)
    else:
        raise UsageError(
            f"{path}: expected a folder, a .zip or a .tar of images, or a .parquet of codes, found another file"
        )
    return open_source(settings, preprocess)


def _of_images(
    source: Source,
    kind: str,
    said: str,
    *,
    preprocess: PreprocessSettings,
    encode: Encode,
    number: Callable[[str | None], int],
) -> tuple[dict[str, Any], list[str | None]]:
    names: list[str] = []
    labels: list[str | None] = []
    means, rejected = list[NDArray[np.float32]](), list[str]()

    def usable_ones() -> Iterator[NDArray[np.uint8]]:
        for part in source.parts():
            for item, raw in source.images(part.names):
                try:
                    pixels = prepare_image(require_image(raw), preprocess)
                except Rejected as error:
                    rejected.append(f"{item.key} ({error})")
                    continue
                names.append(item.key)
                labels.append(item.label)
                yield pixels

    done = 0
    for images in chunks(usable_ones(), BLOCK):
        # In whole blocks, as a network's arithmetic may differ in the last bit between batch sizes.
        pixels = np.zeros((BLOCK, *images[0].shape), np.uint8)
        pixels[: len(images)] = images
        numbers = np.zeros(BLOCK, np.int64)
        numbers[: len(images)] = [number(label) for label in labels[done:]]
        means.append(encode(pixels, numbers)[: len(images)])
        done += len(images)
    if rejected:
        say(f"skips   {counted(len(rejected), 'file')} that cannot be used, the first: {rejected[0]}")
    if not names:
        raise UsageError(f"generate.{kind}: expected images in {said}, found none that can be used")
    say(f"reads   {counted(len(names), 'image')} from {said}")
    return {"means": np.concatenate(means), "names": names}, labels
