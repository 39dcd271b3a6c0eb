"""Images dealt to splits and shards as ingest does, from rows of a listing."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import strategies as st

from components.ingest.catalogue import LISTED, Catalogue
from components.ingest.plan import assign_splits, fill_empty_splits, plan_shards
from schemas.artifacts import tables
from schemas.recipe.preprocess import PreprocessSettings

SPLITS = ("train", "validation", "test")
contents = st.lists(st.binary(max_size=8), max_size=60)
Row = dict[str, Any]


def sha256(content: bytes) -> str:
    """Return the hash of an image, in hex digits."""
    return hashlib.sha256(content).hexdigest()


def row(number: int, content: bytes, *, own_split: str | None = None, perceptual: int | None = None) -> Row:
    """Return an image of the listing."""
    return {"key": f"{number:05d}.png", "sha256": sha256(content), "own_split": own_split, "perceptual": perceptual}


def rows_of(images: Sequence[bytes]) -> list[Row]:
    """Images with these contents, named by their place."""
    return [row(number, content) for number, content in enumerate(images)]


@dataclass(frozen=True)
class Shard:
    """A planned shard."""

    split: str
    name: str
    stem: str
    rows: tuple[Row, ...]


def plan(rows: Sequence[Row], *, seed: int = 0, **settings: Any) -> list[Shard]:
    """Deals images to shards; duplicates are kept unless the settings say otherwise."""
    preprocess = PreprocessSettings(**{"duplicates": "keep", **settings})
    fixed = {"source": 0, "format": "PNG", "width": 3, "height": 5, "bytes": 7}
    with TemporaryDirectory() as name:
        folder = Path(name)
        tables.write_rows(folder / "listed.parquet", [{**fixed, **row} for row in rows], LISTED)
        with Catalogue(folder / "catalogue.sqlite") as catalogue:
            catalogue.add(folder / "listed.parquet")
            assign_splits(catalogue, preprocess, seed=seed)
            fill_empty_splits(catalogue, preprocess)
            units = plan_shards(catalogue, preprocess, folder=folder)
        assert all(unit.images == len(unit.rows()) and unit.pixels == 15 * unit.images for unit in units)
        return [Shard(unit.split, unit.name, unit.stem, tuple(unit.rows())) for unit in units]


def splits_by_key(units: Sequence[Shard]) -> dict[str, str]:
    """Return the split of each image."""
    return {row["key"]: unit.split for unit in units for row in unit.rows}
