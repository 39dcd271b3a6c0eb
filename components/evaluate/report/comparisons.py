"""The report's tables of distances: by calibrated measures, and in feature spaces."""

from __future__ import annotations

import math
from dataclasses import dataclass

from components.evaluate.report import wording
from components.evaluate.samples.degradations import BLUR
from components.evaluate.samples.distances import Compared, Comparison
from components.evaluate.samples.quality import Quality
from components.reporting.numbers import as_distance, fixed

BLURRED = tuple(f"{step:g}" for step in (0.0, *BLUR.steps))  # pixels


@dataclass(frozen=True)
class MeasureRow:
    """What a calibrated measure says.

    Attributes:
        name: What it compares.
        unordered: Degradations whose steps it does not order.
        worst: Whether it is the least kind to new images.
        real: Distances of real images, blurred by `BLURRED`.
        sides: Of new images and of reconstructions: their distance, and the blur that they are worth.
    """

    name: str
    unordered: list[str]
    worst: bool
    real: list[str]
    sides: list[tuple[str, str]]


@dataclass(frozen=True)
class SpaceTable:
    """Distances in one feature space.

    Attributes:
        name: What the features are.
        digest: Of their network, its first digits.
        distance_names: Names of both distances in this space, where it has its own.
        rows: What is compared with the test images, and its figures.
    """

    name: str
    digest: str
    distance_names: tuple[str, ...]
    rows: list[tuple[str, list[str]]]


def measure_rows(quality: Quality) -> list[MeasureRow]:
    """Return a row for each calibrated measure."""
    return [
        MeasureRow(
            name=measure.doc,
            unordered=[kind for kind, ordered in measure.ordered.items() if not ordered],
            worst=measure is quality.worst,
            real=list(map(_distance, (measure.floor, *measure.steps["blur"]))),
            sides=[
                (_distance(side.distance), "cannot tell" if side.blur is None else wording.pixels(side.blur))
                for side in (measure.new, measure.reconstructed)
            ],
        )
        for measure in quality.measures
    ]


def space_tables(compared: Compared) -> list[SpaceTable]:
    """Return a table for each feature space."""

    def row(side: Comparison) -> list[str]:
        manifold = side.manifold
        kernel, interval = wording.kernel(side)
        shares = (manifold.precision, manifold.recall, manifold.density, manifold.coverage)
        return [
            as_distance(side.frechet),
            f"{kernel} ({interval})" if interval else kernel,
            *(fixed(share, decimals=3) for share in shares),
        ]

    return [
        SpaceTable(
            name=distances.space.doc,
            digest=distances.space.digest[:12],
            distance_names=wording.DISTANCE_NAMES.get(distances.space.name, ()),
            rows=[
                ("New images", row(distances.synthetic)),
                (f"{distances.others.capitalize()}: the floor", row(distances.floor)),
            ],
        )
        for distances in compared.distances
    ]


def _distance(distance: float) -> str:
    return as_distance(distance) if math.isfinite(distance) else "–"
