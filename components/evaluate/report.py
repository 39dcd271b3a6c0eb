"""The report: one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import jinja2

from components.console import counted
from components.evaluate import wording
from components.evaluate.distances import Compared, Comparison
from components.evaluate.gates import Outcome
from components.evaluate.judge import Judgement
from components.evaluate.latent import Smoothness
from components.evaluate.measure import ACTIVE, Measurement
from components.evaluate.metrics import METRICS, Metric
from components.evaluate.moments import Estimate
from schemas.manifest import Manifest
from schemas.records import SPLITS, Statistics
from schemas.settings import EvaluateSettings

_MOST_LABELS = 40  # rows; the rest is counted in one more
_GROUPS = {
    "likeness": "How close a reconstruction comes to its image.",
    "likelihood": "What training works on: how probable the model finds the images.",
}
_NORMALISATIONS = {
    "unit": "pixels from 0 to 1",
    "symmetric": "pixels from −1 to 1",
    "standardise": "channel mean 0 and deviation 1, as measured on the training images",
}


@dataclass(frozen=True)
class Shown:
    """A figure of the report.

    Attributes:
        path: The PNG.
        title: What a screen reader says.
        caption: What to look for.
        layout: Across the page, half of it, or beside its caption.
    """

    path: Path
    title: str
    caption: str
    layout: Literal["full", "half", "beside"]


@dataclass(frozen=True)
class Subject:
    """What the report is about.

    Attributes:
        settings: The recipe's name, title and seed, and what the report shows.
        statistics: Of the Examples.
        examples: Their manifest.
        model: The model's manifest.
        likelihood: What the decoder's output means, for a person.
        parameters: How many numbers the network has learned.
    """

    settings: EvaluateSettings
    statistics: Statistics
    examples: Manifest
    model: Manifest
    likelihood: str
    parameters: int


def render(
    subject: Subject,
    *,
    measurement: Measurement,
    judgement: Judgement,
    gates: Sequence[Outcome],
    smoothness: Smoothness | None,
    figures: Sequence[Shown],
) -> str:
    """The report as HTML. It names no date and no duration: the same inputs make the same bytes."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    active = int(measurement.active.sum())
    return environment.get_template("report.html.j2").render(
        name=subject.settings.name,
        title=subject.settings.title or subject.settings.name,
        summary=wording.summary(measurement),
        facts=_facts(subject, measurement=measurement),
        groups=[
            (
                group.title(),
                doc,
                [
                    _tile(metric, estimate=measurement.estimates[metric.name])
                    for metric in METRICS
                    if metric.group == group and metric.name in measurement.estimates
                ],
            )
            for group, doc in _GROUPS.items()
        ],
        active=active,
        dims=len(measurement.active),
        clause=_sentence(wording.dimensions(measurement)),
        threshold=ACTIVE,
        ways=wording.ways(measurement, smoothness),
        told=measurement.untold is None,
        images=measurement.images,
        samples=measurement.importance_samples,
        verdicts=wording.verdicts(),
        distances=[] if isinstance(judgement.compared, str) else _distances(judgement.compared),
        left_out={} if isinstance(judgement.compared, str) else judgement.compared.left_out,
        compared=_sentence(wording.distances(judgement.compared)),
        samplers=_samplers(judgement),
        space=judgement.space,
        unchosen=judgement.unchosen,
        useful=_sentence(wording.usefulness(judgement.usefulness)),
        memorised=_memorised(judgement),
        gates=gates,
        figures=[(shown.title, shown.caption, shown.layout, _data_url(shown.path)) for shown in figures],
        lineage=_lineage(subject),
        splits=SPLITS,
        counts=_counts(subject.statistics),
        normalisation=_NORMALISATIONS[subject.statistics.normalise],
        rejected=subject.statistics.rejected,
        tables={
            "Examples": list(_flat(subject.examples.settings)),
            "Model": list(_flat(subject.model.settings)),
            "Evaluation": list(_flat(subject.settings.content())),
        },
    )


def _tile(metric: Metric, *, estimate: Estimate) -> dict[str, str]:
    value, error = wording.with_error(estimate)
    return {
        "title": metric.title,
        "value": value,
        "error": error,
        "unit": metric.unit,
        "better": f"{metric.better} is better",
        "doc": metric.doc,
    }


def _distances(compared: Compared) -> list[tuple[str, str, tuple[str, ...], list[tuple[str, list[str]]]]]:
    """Of each feature space: its name, its digest, its own names of both distances, if any, and rows of the table.

    A row is what is compared with the test images, and its figures.
    """

    def row(side: Comparison) -> list[str]:
        kernel, manifold = side.kernel, side.manifold
        spread = "" if kernel.low is None else f" ({_short(kernel.low)} to {_short(kernel.high)})"
        shares = (manifold.precision, manifold.recall, manifold.density, manifold.coverage)
        return [_short(side.frechet), f"{_short(kernel.value)}{spread}", *(f"{share:.3f}" for share in shares)]

    return [
        (
            found.space.doc,
            found.space.digest[:12],
            wording.CALLED.get(found.space.name, ()),
            [("New images", row(found.synthetic)), ("Training images: the floor", row(found.floor))],
        )
        for found in compared.found
    ]


def _memorised(judgement: Judgement) -> str:
    found = judgement.memorisation
    return _sentence(wording.copies(found)) if isinstance(found, str) else found.verdict


def _samplers(judgement: Judgement) -> list[tuple[str, bool, list[str]]]:
    """Rows of the table: where codes come from, whether new images are made so, and distances."""
    if isinstance(judgement.samplers, str):
        return []
    return [
        (
            wording.SAMPLERS[result.sampler.kind],
            result.sampler is judgement.sampler,
            ["–" if value is None else _short(value) for value in (result.held_out, result.kernel, result.frechet)],
        )
        for result in judgement.samplers
    ]


def _short(value: float | None) -> str:
    return f"{value:.3g}".replace("-", "−")


def _facts(subject: Subject, *, measurement: Measurement) -> list[str]:
    found = subject.statistics
    dims = len(measurement.active)
    return [
        f"{found.width} × {found.height} pixels, {'grey' if found.channels == 1 else 'RGB'}",
        counted(dims, "latent dimension"),
        counted(subject.parameters, "parameter"),
        f"{subject.likelihood} likelihood",
        *([] if "kl" in measurement.estimates else ["plain autoencoder: no sampling, no KL"]),
    ]


def _lineage(subject: Subject) -> list[tuple[str, str, str]]:
    """Artifact, digest, and what it was made from."""
    made_from = [
        "the Examples above" if digest == subject.examples.digest else f"{name} {digest[:12]}…"
        for name, digest in sorted(subject.model.inputs.items())
    ]
    return [
        ("Examples", subject.examples.digest, "made from the sources below"),
        ("Model", subject.model.digest, f"made from {' and '.join(made_from)}"),
    ]


def _counts(statistics: Statistics) -> list[tuple[str, list[int]]]:
    """Rows of the table of images per split: the total, then the labels from the most frequent on."""
    rows = [("all images", [statistics.images.get(split, 0) for split in SPLITS])]
    labels = [
        (label, [statistics.images_per_label.get(split, {}).get(label, 0) for split in SPLITS])
        for label in statistics.labels
    ]
    if len(labels) <= _MOST_LABELS:
        return rows + labels
    labels.sort(key=lambda row: -sum(row[1]))
    rest = [sum(column) for column in zip(*(row for _, row in labels[_MOST_LABELS:]), strict=True)]
    return [*rows, *labels[:_MOST_LABELS], (f"{len(labels) - _MOST_LABELS:,} other labels", rest)]


def _flat(settings: Mapping[str, Any], *, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Settings as recipe keys with dots, and values as a recipe would have them."""
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, prefix=f"{prefix}{key}.")
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            for index, item in enumerate(value):
                yield from _flat(item, prefix=f"{prefix}{key}[{index}].")
        else:
            plain = isinstance(value, str) and value != ""
            yield f"{prefix}{key}", value if plain else json.dumps(value, ensure_ascii=False)


def _data_url(path: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"


def _sentence(clause: str) -> str:
    return f"{clause[0].upper()}{clause[1:]}."
