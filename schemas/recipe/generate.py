"""The settings of a recipe's `generate` section: which synthetic images to make, and in which form."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import PurePath
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.recipe.file_names import file_name, short_hash
from schemas.recipe.patterns import FILE_NAME, INDICES, MAX_NAME
from schemas.recipe.section import Section
from schemas.recipe.values import shown

# Number of images that are decoded together: with more, activations leave a processor's cache (docs/benchmarks.md). An image is
# always decoded at the same position of its block, because the last bit of its pixels may depend on the batch size.
BLOCK = 64
MAX_INDICES = 10_000_000  # images listed one by one, because the list is held in memory
MAX_IMAGES = 10**15  # of a seed: the counters of their noise (components/latents/noise.py) stay far below 2**64
CODE_SOURCES = ("codes", "around", "between")  # settings from which codes are read, instead of being drawn


class GenerateSection(Section):
    """Which synthetic images to make, and in which form."""

    count: int = Field(
        1000,
        ge=1,
        le=MAX_IMAGES,
        description="Number of images. Ignored with `codes` and `between`, which set the number themselves.",
    )
    seed: int = Field(
        0, ge=0, lt=2**63, description="Seed of the random codes. With the same seed, image i is always the same image."
    )
    indices: str | None = Field(
        None,
        coerce_numbers_to_str=True,
        pattern=INDICES,
        description="Make only the images with these numbers, such as 0,5,100-199, instead of the first `count`.",
    )
    format: Literal["png", "webp", "parquet", "webdataset", "tfrecord", "npy"] = Field(
        "png", description="File format. png, webp: one file per image. The others: many images per file."
    )
    label_folders: bool = Field(False, description="Sort png or webp files into one folder per label.")
    shards: int | None = Field(
        None,
        ge=1,
        description="Number of shards, the units that run in parallel. Default: one per file of many images.",
    )
    label: str | None = Field(
        None,
        coerce_numbers_to_str=True,  # digits are labels, too
        description="Label of every image (conditional models only). Default: labels are drawn as often as in the "
        "training images.",
    )
    labels: Literal["balanced"] | dict[str, Annotated[int, Field(ge=1)]] | None = Field(
        None,
        description="Labels of the images (conditional models only). balanced: each label in turn. Or the number of "
        "images of each label, instead of `count`, such as {cat: 500, dog: 500}.",
    )
    temperature: float = Field(
        1.0,
        ge=0,
        le=10,
        description="Factor of the spread of codes around their centres. Below 1: more likely, less varied images.",
    )
    sampler: Literal["auto", "normal", "prior", "uniform", "mixture", "flow", "posterior"] = Field(
        "auto",
        description="Distribution that codes are drawn from. auto: the one that evaluate chose. posterior is only "
        "available if evaluate chose it.",
    )
    codes: str | None = Field(
        None,
        description="Path of codes to decode, a Parquet file with a column `code`; or of your images, to reconstruct "
        "them.",
    )
    around: str | None = Field(
        None,
        description="Path of your images, in a folder, a zip or a tar. Each new image varies one of them, in turn.",
    )
    strength: float = Field(
        0.5,
        ge=0,
        le=10,
        description="With `around`: how much new images vary, in standard deviations of new images' codes. 0: "
        "reconstructions.",
    )
    between: str | None = Field(
        None,
        description="Path of your images, as for `around`. New images go from each of them to the next, along the "
        "line between their codes.",
    )
    steps: int = Field(
        12,
        ge=2,
        le=10_000,
        description="With `between`: number of images from one of your images to the next, both included.",
    )
    drop_near_copies: bool = Field(
        False, description="Replace new images that are near copies of training images by other new ones."
    )
    drop_unlikely: float = Field(
        0.0,
        ge=0,
        le=0.9,
        description="Replace this share of the new images, those with the least likely codes, by other new ones.",
    )
    name: str | None = Field(
        None,
        pattern=FILE_NAME,
        max_length=MAX_NAME,
        description="Name of the folder below `images/`. Default: made from count or indices, seed, label, "
        "temperature and format.",
    )

    @model_validator(mode="before")
    @classmethod
    def _read_labels(cls, data: object) -> object:
        """Read counts of labels as people write them: numbers as labels, and no space after a colon.

        YAML takes `{cat:500}` for a label `cat:500` without a count.
        """
        labels = data.get("labels") if isinstance(data, dict) else None
        if isinstance(data, dict) and labels is not None and labels != "balanced":
            return {**data, "labels": _counts_of_labels(labels)}
        return data

    @property
    def code_source(self) -> tuple[str, str] | None:
        """The setting that names the codes, one of `CODE_SOURCES`, and its path; None if codes are drawn."""
        return next(((kind, path) for kind in CODE_SOURCES if (path := getattr(self, kind)) is not None), None)

    @property
    def label_setting(self) -> tuple[str, str, str] | None:
        """The setting that only a conditional model allows: its key, the value for other models, and what was found."""
        if self.label is not None:
            return "label", "none", self.label
        if self.labels:
            return "labels", "none", self.labels if self.labels == "balanced" else next(iter(self.labels))
        return ("label_folders", "false", "true") if self.label_folders else None

    @property
    def has_filters(self) -> bool:
        """Whether some images are replaced by others."""
        return self.drop_near_copies or self.drop_unlikely > 0

    @property
    def folder(self) -> str:
        """Name of the image set's folder below `images/`."""
        if self.name:
            return self.name
        count = "" if self._fixed_count else f"{len(self.indices_of(None))}-"
        selection = "" if self.indices is None else f"only-{short_hash(self.indices)}-"
        seed = "" if self._fixed_count else f"seed{self.seed}-"
        parts = [count, selection, seed, self._code_part, self._label_part]
        if self.temperature != 1:
            parts.append(f"t{self.temperature:g}-")
        if self.drop_near_copies:
            parts.append("nocopies-")
        if self.drop_unlikely:
            parts.append(f"likely{1 - self.drop_unlikely:g}-")
        if self.label_folders:
            parts.append("label-folders-")
        return "".join([*parts, self.format])

    @property
    def _fixed_count(self) -> bool:
        """Whether the file or images that codes come from set the number of new images."""
        return self.codes is not None or self.between is not None

    @property
    def _code_part(self) -> str:
        """The part of the folder's name that says where codes come from."""
        if self.code_source is None:
            return "" if self.sampler == "auto" else f"{self.sampler}-"
        kind, path = self.code_source
        amount = {"codes": "", "around": f"x{self.strength:g}-", "between": f"by{self.steps}-"}[kind]
        return f"{kind}-{file_name(PurePath(path).stem)}-{amount}"

    @property
    def _label_part(self) -> str:
        """The part of the folder's name that names the labels."""
        if self.labels == "balanced":
            return "balanced-"
        if self.labels:
            return f"labels-{short_hash(json.dumps(list(self.labels.items()), ensure_ascii=False))}-"
        return "" if self.label is None else f"{file_name(self.label)}-"

    def indices_of(self, available: int | None) -> Sequence[int]:
        """Return the numbers of the images, ascending.

        Args:
            available: Number of images that the codes allow; None if there is no limit.
        """
        if self.indices is None:
            count = sum(self.labels.values()) if isinstance(self.labels, dict) else self.count
            return range(count if available is None else available)
        numbers: set[int] = set()
        for part in self.indices.split(","):
            first, _, last = part.partition("-")
            numbers.update(range(int(first), int(last or first) + 1))
        return sorted(numbers)

    @model_validator(mode="after")
    def _check_indices(self) -> Self:
        images = 0
        for part in (self.indices or "0").split(","):
            first, _, last = part.partition("-")
            for number in filter(None, (first, last)):
                if len(number) > len(str(MAX_IMAGES)) or int(number) >= MAX_IMAGES:
                    shown = number if len(number) <= 30 else f"a number of {len(number):,} digits"
                    raise ValueError(f"indices: expected numbers below {MAX_IMAGES:,}, found {shown}")
            if last and int(last) < int(first):
                raise ValueError(f"indices: expected ranges such as 100-199, found {part}")
            images += 1 + (int(last) - int(first) if last else 0)
        if images > MAX_INDICES:
            raise ValueError(f"indices: expected at most {MAX_INDICES:,} images, found {images:,}")
        return self

    @model_validator(mode="after")
    def _check_labels(self) -> Self:
        if self.labels is not None and self.label is not None:
            raise ValueError(f"labels: expected only one of label and labels, found both: {self.label}, {self.labels}")
        if isinstance(self.labels, dict) and (images := sum(self.labels.values())) > MAX_IMAGES:
            raise ValueError(f"labels: expected at most {MAX_IMAGES:,} images, found {images:,}")
        if isinstance(self.labels, dict) and self.indices is not None:
            images, last = sum(self.labels.values()), self.indices_of(None)[-1]
            if last >= images:
                raise ValueError(f"indices: expected numbers below {images:,}, the labels' sum, found {last:,}")
        return self

    @model_validator(mode="after")
    def _check_label_folders(self) -> Self:
        if self.label_folders and self.format not in ("png", "webp"):
            raise ValueError(f"label_folders: expected format png or webp, found {self.format}")
        return self

    @model_validator(mode="after")
    def _check_code_source(self) -> Self:
        sources = [kind for kind in CODE_SOURCES if getattr(self, kind) is not None]
        if not sources:
            return self
        conflicts = sources[1:] + [
            key
            for key in ("sampler", "temperature", "labels", "drop_unlikely")
            if getattr(self, key) != type(self).model_fields[key].default
        ]
        if conflicts:
            raise ValueError(f"{conflicts[0]}: expected no value together with {sources[0]}, found both")
        return self

    @model_validator(mode="after")
    def _check_filters(self) -> Self:
        if self.has_filters and (self._fixed_count or self.indices is not None):
            key = "drop_near_copies" if self.drop_near_copies else "drop_unlikely"
            conflict = "indices" if self.indices is not None else "codes" if self.codes is not None else "between"
            raise ValueError(
                f"{key}: expected images that can be replaced by others, found {conflict}, which fixes them"
            )
        return self


def _counts_of_labels(counts: object) -> dict[str, int]:
    """Return how many images of each label are asked for, from what YAML has read.

    Raises:
        ValueError: It is something else.
    """
    if not isinstance(counts, dict):
        raise ValueError(
            f"labels: expected balanced, or numbers of images such as {{cat: 500, dog: 500}}, found {shown(counts)}"
        )
    labels: dict[str, int] = {}
    for key, count in counts.items():
        if isinstance(key, bool) or not isinstance(key, str | int):
            raise ValueError(f"labels: expected text as a label, found {shown(key)}; put it in quotes")
        label = str(key)
        if count is None:
            label, colon, digits = label.rpartition(":")
            if not colon or not digits.strip().isdecimal():
                hint = "; put a space after the colon" if isinstance(key, int) else ""  # YAML reads 1:50 as 110
                raise ValueError(f"labels: expected a number of images for each label, found none for {key}{hint}")
            label, count = label.strip(), int(digits)
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise ValueError(f"labels: expected at least 1 image of {label}, found {shown(count)}")
        if label in labels:
            raise ValueError(f"labels: expected each label once, found {label} twice")
        labels[label] = count
    return labels
