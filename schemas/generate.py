"""Which synthetic images are made, and in which form."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.section import Section

MOST_INDICES = 10_000_000  # that are named one by one, and so held in memory


class GenerateSection(Section):
    """Which synthetic images are made."""

    count: int = Field(1000, ge=1, description="Images.")
    seed: int = Field(0, ge=0, lt=2**63, description="Image i of a seed is always the same image.")
    indices: str | None = Field(
        None,
        coerce_numbers_to_str=True,
        pattern=r"^\d+(-\d+)?(,\d+(-\d+)?)*$",
        description="Only these images of the seed, such as 0,5,100-199, instead of the first `count`.",
    )
    format: Literal["png", "webp", "parquet", "webdataset", "tfrecord", "npy"] = Field(
        "png", description="png, webp: a file per image. The others: files of many."
    )
    label_folders: bool = Field(False, description="png, webp: each file in a folder of its image's label.")
    shards: int | None = Field(None, ge=1, description="Units of work. Default: one per file of many images.")
    label: str | None = Field(
        None,
        coerce_numbers_to_str=True,  # digits are labels, too
        description="Of every image, from a conditional model. Default: drawn by the labels' shares in training.",
    )
    labels: Literal["balanced"] | dict[str, Annotated[int, Field(ge=1)]] | None = Field(
        None,
        description="balanced: each label in turn. Or how many images of each, one label after the other, instead of `count`: "
        "{cat: 500, dog: 500}.",
    )
    temperature: float = Field(
        1.0,
        ge=0,
        le=10,
        description="How wide codes spread around their centres; below 1: likelier, less varied images.",
    )
    name: str | None = Field(
        None,
        pattern=r"^[\w][\w.-]*$",
        description="Folder under `images/`. Default: from count or indices, seed, label, temperature and format.",
    )

    @property
    def folder(self) -> str:
        """Name of the set's folder below `images/`."""
        label = "" if self.label is None else re.sub(r"[^\w.-]+", "-", f"{self.label}-")
        warmth = "" if self.temperature == 1 else f"t{self.temperature:g}-"
        chosen = "" if self.indices is None else f"only-{hashlib.sha256(self.indices.encode()).hexdigest()[:8]}-"
        if self.labels == "balanced":
            label = "balanced-"
        elif self.labels:
            said = json.dumps(list(self.labels.items()), ensure_ascii=False)
            label = f"labels-{hashlib.sha256(said.encode()).hexdigest()[:8]}-"
        return self.name or f"{len(self.wanted)}-{chosen}seed{self.seed}-{label}{warmth}{self.format}"

    @property
    def wanted(self) -> Sequence[int]:
        """Indices of the images, ascending."""
        if self.indices is None:
            return range(sum(self.labels.values()) if isinstance(self.labels, dict) else self.count)
        found: set[int] = set()
        for part in self.indices.split(","):
            first, _, last = part.partition("-")
            found.update(range(int(first), int(last or first) + 1))
        return sorted(found)

    @model_validator(mode="after")
    def _stretches_run_upwards(self) -> Self:
        images = 0
        for part in (self.indices or "").split(","):
            first, _, last = part.partition("-")
            if last and int(last) < int(first):
                raise ValueError(f"indices: expected stretches such as 100-199, found {part}")
            images += 1 + (int(last) - int(first) if last else 0)
        if images > MOST_INDICES:
            raise ValueError(f"indices: expected at most {MOST_INDICES:,} images, found {images:,}")
        return self

    @model_validator(mode="after")
    def _labels_are_said_once(self) -> Self:
        if self.labels is not None and self.label is not None:
            raise ValueError(f"labels: expected label or labels, found both: {self.label}, {self.labels}")
        if isinstance(self.labels, dict) and (images := sum(self.labels.values())) <= max(self.wanted):
            raise ValueError(f"indices: expected numbers below {images:,}, the labels' sum, found {max(self.wanted):,}")
        return self

    @model_validator(mode="after")
    def _folders_hold_files(self) -> Self:
        if self.label_folders and self.format not in ("png", "webp"):
            raise ValueError(f"label_folders: expected format png or webp, found {self.format}")
        return self
