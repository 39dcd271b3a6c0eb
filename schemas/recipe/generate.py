"""Which synthetic images are made, and in which form."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import PurePath
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.recipe.section import Section

# Images that are decoded together: with more, activations leave a processor's cache (docs/generate.md). An image is only ever
# decoded at its place in its block, because a network's arithmetic may differ in the last bit between batch sizes.
BLOCK = 64
MOST_INDICES = 10_000_000  # that are named one by one, and so held in memory
CODE_SOURCES = ("codes", "around", "between")  # ways to give codes instead of having them drawn


class GenerateSection(Section):
    """Which synthetic images are made."""

    count: int = Field(1000, ge=1, description="Images. With `codes` or `between`, there are as many as these give.")
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
    sampler: Literal["auto", "normal", "prior", "uniform", "mixture", "posterior"] = Field(
        "auto",
        description="Where codes are drawn from. auto: what evaluate chose. posterior: only where that was chosen.",
    )
    codes: str | None = Field(
        None,
        description="Codes to decode: a Parquet file with a column `code`; or images of yours, to be reconstructed.",
    )
    around: str | None = Field(
        None, description="Images of yours, in a folder, a zip or a tar: each new image is near one of them, in turn."
    )
    strength: float = Field(
        0.5,
        ge=0,
        le=10,
        description="How far, for `around`, in standard deviations of new images' codes; 0: reconstructions.",
    )
    between: str | None = Field(
        None, description="Images of yours, as for `around`: from each to the next, along the line between their codes."
    )
    steps: int = Field(12, ge=2, le=10_000, description="Images of each such way, both ends included.")
    drop_near_copies: bool = Field(
        False, description="Leave out new images that are near copies of training images; others take their place."
    )
    drop_unlikely: float = Field(
        0.0,
        ge=0,
        le=0.9,
        description="Leave out this share, those with the least likely codes; others take their place.",
    )
    name: str | None = Field(
        None,
        pattern=r"^[\w][\w.-]*$",
        description="Folder under `images/`. Default: from count or indices, seed, label, temperature and format.",
    )

    @property
    def code_source(self) -> tuple[str, str] | None:
        """One of `CODE_SOURCES`, and its path; None where codes are drawn."""
        return next(((kind, path) for kind in CODE_SOURCES if (path := getattr(self, kind)) is not None), None)

    @property
    def has_filters(self) -> bool:
        """Whether some images are left out."""
        return self.drop_near_copies or self.drop_unlikely > 0

    @property
    def folder(self) -> str:
        """Name of the set's folder below `images/`."""
        if self.name:
            return self.name
        count = "" if self._listed else f"{len(self.indices_of(None))}-"
        chosen = "" if self.indices is None else f"only-{_short(self.indices)}-"
        seed = "" if self._listed else f"seed{self.seed}-"
        parts = [count, chosen, seed, self._way, self._labelled]
        if self.temperature != 1:
            parts.append(f"t{self.temperature:g}-")
        if self.drop_near_copies:
            parts.append("nocopies-")
        if self.drop_unlikely:
            parts.append(f"likely{1 - self.drop_unlikely:g}-")
        return "".join([*parts, self.format])

    @property
    def _listed(self) -> bool:
        """Whether what codes are given from says how many images there are."""
        return self.codes is not None or self.between is not None

    @property
    def _way(self) -> str:
        if self.code_source is None:
            return "" if self.sampler == "auto" else f"{self.sampler}-"
        kind, path = self.code_source
        amount = {"codes": "", "around": f"x{self.strength:g}-", "between": f"by{self.steps}-"}[kind]
        return f"{kind}-{_plain(PurePath(path).stem)}-{amount}"

    @property
    def _labelled(self) -> str:
        if self.labels == "balanced":
            return "balanced-"
        if self.labels:
            return f"labels-{_short(json.dumps(list(self.labels.items()), ensure_ascii=False))}-"
        return "" if self.label is None else _plain(f"{self.label}-")

    def indices_of(self, available: int | None) -> Sequence[int]:
        """Numbers of the images, ascending.

        Args:
            available: How many there are; None where there is no end to them.
        """
        if self.indices is None:
            count = sum(self.labels.values()) if isinstance(self.labels, dict) else self.count
            return range(count if available is None else available)
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
        if isinstance(self.labels, dict) and self.indices is not None:
            images, last = sum(self.labels.values()), self.indices_of(None)[-1]
            if last >= images:
                raise ValueError(f"indices: expected numbers below {images:,}, the labels' sum, found {last:,}")
        return self

    @model_validator(mode="after")
    def _folders_hold_files(self) -> Self:
        if self.label_folders and self.format not in ("png", "webp"):
            raise ValueError(f"label_folders: expected format png or webp, found {self.format}")
        return self

    @model_validator(mode="after")
    def _codes_come_from_one_place(self) -> Self:
        given = [kind for kind in CODE_SOURCES if getattr(self, kind) is not None]
        if not given:
            return self
        others = given[1:] + [
            key
            for key in ("sampler", "temperature", "labels", "drop_unlikely")
            if getattr(self, key) != type(self).model_fields[key].default
        ]
        if others:
            raise ValueError(f"{others[0]}: expected it not beside {given[0]}, which gives the codes; found both")
        return self

    @model_validator(mode="after")
    def _others_can_take_the_place(self) -> Self:
        if self.has_filters and (self._listed or self.indices is not None):
            key = "drop_near_copies" if self.drop_near_copies else "drop_unlikely"
            found = "indices" if self.indices is not None else "codes" if self.codes is not None else "between"
            raise ValueError(f"{key}: expected images that others can take the place of, found {found}")
        return self


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _plain(text: str) -> str:
    return re.sub(r"[^\w.-]+", "-", text)
