"""Writes a recipe for a person's own images, after a look at them."""

from __future__ import annotations

import re
from pathlib import Path
from statistics import median
from typing import Any, Protocol

import yaml

from components.sources import files
from pipeline.recipes.kind import UNREADABLE, not_read, source_at
from pipeline.recipes.load import FOLDER
from pipeline.recipes.look import Look, look, span
from pipeline.recipes.proposal import Facts, Proposal, propose
from schemas import atomic
from schemas.errors import UsageError
from schemas.recipe.patterns import IN_WORDS, MAX_NAME, RECIPE_NAME
from schemas.recipe.recipe import Recipe

_NOT_IN_YAML = re.compile("[^\t\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
SIZES = (32, 64, 128)  # that a laptop can train on


class Rate(Protocol):
    """Measures the speed of training; see `pipeline.recipes.speed.images_per_second`."""

    def __call__(
        self, sections: dict[str, Any], *, height: int, width: int, channels: int, labels: int
    ) -> float | None:
        """Return images per second."""


def new_recipe(
    name: str, source: str, *, image: str | None = None, label: str | None = None, rate: Rate | None = None
) -> tuple[Path, Look, Proposal]:
    """Write ``recipes/<name>.yaml``; return its path, what was seen in the source, and what is proposed for it.

    Args:
        name: Name of the recipe.
        source: Path of the images.
        image: Name of the column of images, of a table or Parquet.
        label: Name of the column of labels.
        rate: See `pipeline.recipes.speed.images_per_second`; None: the speed of this machine is not measured.

    Raises:
        UsageError: The name exists or is not valid, or the source has no image that can be used.
        DataError: The source is broken.
    """
    if not re.fullmatch(RECIPE_NAME, name):
        raise UsageError(f"NAME={name}: expected {IN_WORDS[RECIPE_NAME]}, found other characters")
    if len(name) > MAX_NAME:
        raise UsageError(f"NAME={name[:MAX_NAME]}…: expected at most {MAX_NAME} characters, found {len(name):,}")
    path = FOLDER / f"{name}.yaml"
    if path.exists():
        raise UsageError(f"NAME={name}: expected a new name, found {path}; remove it, or set another NAME")
    settings = source_at(source, image=image, label=label)
    seen = look(settings, choose=True)
    seen.remarks += not_read(settings, source)
    if not seen.sizes:
        raise UsageError(f"SOURCE={source}: expected images, found none that can be used{_why_none(seen)}")
    data, proposal = _recipe(name, seen, rate=rate)
    Recipe.model_validate(data)
    atomic.write_text(path, _text(data, seen, proposal))
    return path, seen, proposal


def _why_none(seen: Look) -> str:
    """Return the reasons why no image can be used, by count, as a clause."""
    reasons = [f"{reason} {count:,} ({first})" for reason, (count, first) in seen.rejected.items()]
    beside = [f"{count:,} {ending or 'without ending'}" for ending, count in seen.beside.most_common()]
    unreadable = sorted({UNREADABLE[ending] for ending in seen.beside if ending in UNREADABLE})
    if beside:
        reasons.append(f"files that are no images: {', '.join(beside)}")
    return "".join(f"; {reason}" for reason in [*reasons, *unreadable])


def _recipe(name: str, seen: Look, *, rate: Rate | None) -> tuple[dict[str, Any], Proposal]:
    source = seen.settings
    smaller_side = median(map(min, seen.sizes))
    if all(size == (28, 28) for size in seen.sizes):
        size = 28
    else:
        size = max((choice for choice in SIZES if choice <= smaller_side), default=SIZES[0])
    training, validation = _training(seen)
    facts = Facts(
        size=size,
        channels=1 if seen.grey else 3,
        training=training,
        validation=validation,
        labels=tuple(sorted(int(count * training / seen.listed) for count in seen.labels.values())),
        every_label=sum(seen.labels.values()) == seen.listed,
    )
    shape = {"height": size, "width": size, "channels": facts.channels, "labels": len(facts.labels)}
    proposal = propose(facts, measure=None if rate is None else lambda sections: rate(sections, **shape))
    data = {
        "name": name,
        "title": f"{files.quote(Path(getattr(source, 'path', '') or name).name)}, {seen.images:,} images",
        "sources": [source.model_dump(mode="json", exclude_defaults=True)],
        "preprocess": {
            "height": size,
            "width": size,
            "channels": 1 if seen.grey else 3,
            "validation": 0.1,
            "test": 0.1,
        },
        **proposal.sections,
    }
    return data, proposal


def _training(seen: Look) -> tuple[int, int]:
    """Return about how many images are for training, and how many for validation."""
    own = {split: seen.splits.get(split, 0) for split in ("validation", "test")}
    rest = seen.images - sum(own.values())
    shares = {split: 0 if count else round(0.1 * rest) for split, count in own.items()}
    return max(1, rest - sum(shares.values())), own["validation"] or shares["validation"]


def _text(data: dict[str, Any], seen: Look, proposal: Proposal) -> str:
    """Return the recipe's text, with comments that say what was found and why each setting has its value."""
    heights, widths = zip(*seen.sizes, strict=True)
    size, grey = data["preprocess"]["height"], data["preprocess"]["channels"] == 1
    smaller = sum(min(pair) < size for pair in seen.sizes)
    lines = [
        "# yaml-language-server: $schema=recipe.schema.json",
        f"# Written after opening {seen.opened} of {seen.images:,} images: {span(widths)} × {span(heights)} "
        f"pixels, {len(seen.labels) or 'no'} labels.",
        f"# height, width: {size}, "
        + (
            "the size of all images."
            if size == 28
            else "the largest of 32, 64 and 128 that does not enlarge most images"
        )
        + ("" if size == 28 else f" ({smaller} of {len(seen.sizes)} are smaller)."),
        f"# channels: {1 if grey else 3}, because {'no image has' if grey else 'at least one image has'} colour.",
    ]
    source = data["sources"][0]
    if source.get("label") in ("first_folder", "last_folder"):
        lines.append("# label: the names of the folders.")
    if source.get("table"):
        lines.append("# table: the labels are in these tables beside the images.")
    if seen.splits:
        lines.append(
            f"# The source's own splits: {', '.join(seen.splits)}. What it lacks is a tenth of its training images."
        )
    else:
        lines.append("# validation, test: a tenth of the images each.")
    lines += [f"# {line}" for line in (proposal.warning, *proposal.reasons) if line]
    lines += [f"# {' '.join(remark.split())}" for remark in seen.remarks]
    lines = [_NOT_IN_YAML.sub("�", line) for line in lines]
    return "\n".join(lines) + "\n" + yaml.safe_dump(data, sort_keys=False, allow_unicode=True, default_flow_style=None)
