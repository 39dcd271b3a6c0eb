"""The report: one HTML file that needs no other."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa

from components.evaluate.reconstruction.latent import Smoothness
from components.evaluate.reconstruction.measure import ACTIVE, Measurement
from components.evaluate.reconstruction.metrics import METRICS, Metric
from components.evaluate.report import comparisons, curves, low_data, provenance, wording
from components.evaluate.report.advice import Findings, advise
from components.evaluate.report.gates import Outcome
from components.evaluate.report.references import reference
from components.evaluate.report.search import Search
from components.evaluate.report.verdict import verdict
from components.evaluate.samples.judgement import Judgement
from components.evaluate.samples.low_data_curve import LowData
from components.evaluate.samples.requirements import why_no_flow_fits
from components.reporting.console import counted
from components.reporting.html import png_url, templates
from components.reporting.numbers import as_distance, as_setting, with_error
from schemas.artifacts.manifest import Manifest
from schemas.artifacts.records import SPLITS, Statistics
from schemas.recipe.settings import EvaluateSettings, by_key

HERE = Path(__file__).parent
_MOST_LABELS = 40  # rows; the rest is counted in one more
_NORMALISATIONS = {
    "unit": "pixels from 0 to 1",
    "symmetric": "pixels from −1 to 1",
    "standardise": "channel mean 0 and deviation 1, as measured on the training images",
}
_NETWORKS = {"dense": "fully connected", "conv": "convolutional", "resnet": "residual"}

Part = Literal["new", "few", "likeness", "latent", "training"]


@dataclass(frozen=True)
class ReportFigure:
    """A figure of the report.

    Attributes:
        path: The PNG.
        title: Its title.
        alt: Description for readers who cannot see it.
        caption: What to look for.
        layout: Across the page, half of it, or beside its caption.
        part: Its section of the report.
    """

    path: Path
    title: str
    alt: str
    caption: str
    layout: Literal["full", "half", "beside"]
    part: Part


@dataclass(frozen=True)
class Subject:
    """The model that the report is about.

    Attributes:
        settings: The recipe's name, title and seed, and what the report shows.
        statistics: Of the Examples.
        examples: Their manifest.
        model: The model's manifest.
        likelihood: Name of the likelihood, for a person.
        parameters: Number of learned parameters.
        history: `schemas.artifacts.tables.HISTORY`, of the training.
        loss_unit: Of its total and reconstruction loss.
        search: The search whose values the model was trained with; None: there was none.
        sharp: Whether images come from a decoder of their own (`train.sharpen`).
    """

    settings: EvaluateSettings
    statistics: Statistics
    examples: Manifest
    model: Manifest
    likelihood: str
    parameters: int
    history: pa.Table
    loss_unit: str
    search: Search | None = None
    sharp: bool = False


@dataclass(frozen=True)
class _Tile:
    """A metric, its value and what to compare it with, in words."""

    title: str
    value: str
    error: str
    unit: str
    better: str
    doc: str
    reference: str


def render(
    subject: Subject,
    *,
    measurement: Measurement,
    judgement: Judgement,
    gates: Sequence[Outcome],
    smoothness: Smoothness | None,
    figures: Sequence[ReportFigure],
) -> str:
    """Return the report as HTML. It names no date and no duration: the same inputs give the same bytes."""
    style, script = ((HERE / f"report.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    compared = None if isinstance(judgement.compared, str) else judgement.compared
    advice = advise(_findings(subject, measurement=measurement, judgement=judgement))
    return (
        templates(HERE)
        .get_template("report.html.j2")
        .render(
            style=style,
            script=script,
            allowed={"style": _hash(style), "script": _hash(script)},
            name=subject.settings.name,
            title=subject.settings.title or subject.settings.name,
            introduction=_introduction(subject, measurement=measurement),
            facts=_facts(subject, measurement=measurement),
            verdict=[
                (label, _parts(sentence))
                for label, sentence in verdict(
                    measurement, judgement, gates, advice=advice, sampler=subject.settings.evaluate.sampler
                )
            ],
            summary=wording.summary(measurement),
            tiles={
                group: [
                    _tile(metric, measurement=measurement)
                    for metric in METRICS
                    if metric.group == group and metric.name in measurement.estimates
                ]
                for group in ("likeness", "likelihood")
            },
            active=int(measurement.active.sum()),
            dims=len(measurement.active),
            dimensions=wording.sentence(wording.dimensions(measurement)),
            threshold=ACTIVE,
            between_codes=wording.between_codes(measurement, smoothness),
            dims_known=measurement.active_dims_unknown is None,
            images=measurement.images,
            samples=measurement.importance_samples,
            verdicts=wording.verdicts(),
            distances=[] if compared is None else comparisons.space_tables(compared),
            left_out={} if compared is None else compared.left_out,
            compared=wording.sentence(wording.distances(judgement.compared)),
            blur=wording.sentence(wording.blur(judgement.quality)),
            blurred=comparisons.BLURRED,
            measures=[] if isinstance(judgement.quality, str) else comparisons.measure_rows(judgement.quality),
            samplers=_samplers(judgement),
            flow=wording.flow(judgement),
            space=judgement.space,
            # Where the sampler is left to evaluate, `codes` says it.
            why_not_chosen=None if subject.settings.evaluate.sampler == "auto" else judgement.why_not_chosen,
            codes=wording.codes(judgement, sampler=subject.settings.evaluate.sampler),
            useful=wording.sentence(wording.usefulness(judgement.usefulness)),
            memorised=_memorised(judgement),
            few=_few(judgement.low_data),
            gates=gates,
            figures={
                part: [(figure, png_url(figure.path.read_bytes())) for figure in figures if figure.part == part]
                for part in ("new", "few", "likeness", "latent")  # training has interactive curves instead
            },
            curves=curves.training(subject.history, unit=subject.loss_unit),
            rates=_rates(subject.history),
            search_curves=None if subject.search is None else curves.searching(subject.search),
            search_verdict=""
            if subject.search is None
            else wording.sentence(subject.search.verdict).replace(" -", " −"),
            trials=None if subject.search is None else curves.trials_table(subject.search),
            lineage=provenance.lineage(subject.examples, subject.model, subject.search),
            splits=SPLITS,
            counts=_counts(subject.statistics),
            normalisation=_NORMALISATIONS[subject.statistics.normalise],
            rejected=subject.statistics.rejected,
            recipe=provenance.as_yaml(
                provenance.resolved(subject.examples, subject.model, subject.search, subject.settings)
            ),
        )
    )


def _findings(subject: Subject, *, measurement: Measurement, judgement: Judgement) -> Findings:
    samplers = () if isinstance(judgement.samplers, str) else judgement.samplers
    quality = None if isinstance(judgement.quality, str) else judgement.quality
    worst = quality.worst if quality else None
    conditional = bool(subject.model.settings.get("model", {}).get("conditional"))
    flow_steps = subject.settings.evaluate.flow_steps
    return Findings(
        settings=by_key(provenance.trained_with(subject.model, subject.search)),
        variational=_variational(subject),
        dims=len(measurement.active),
        active=None if measurement.active_dims_unknown else int(measurement.active.sum()),
        ssim=measurement.estimates["ssim"].value,
        ssim_error=measurement.estimates["ssim"].standard_error,
        history={name: subject.history[name].to_pylist() for name in subject.history.column_names},
        searched=() if subject.search is None else tuple(subject.search.best),
        flagged=not isinstance(judgement.memorisation, str) and judgement.memorisation.flagged,
        sampler_setting=subject.settings.evaluate.sampler,
        sampler=judgement.sampler.kind,
        held_out={result.sampler.kind: result.held_out for result in samplers if result.held_out is not None},
        blur=worst.new.blur if worst else None,
        training=subject.statistics.images.get("train"),
        by_decoder=quality.lost_by_decoder if quality else None,
        flow_steps=None if why_no_flow_fits(subject.statistics, conditional=conditional) else flow_steps,
    )


def _variational(subject: Subject) -> bool:
    return bool(subject.model.settings.get("loss", {}).get("kl") != "none")


def _introduction(subject: Subject, *, measurement: Measurement) -> str:
    """Say what was trained on what, in two sentences."""
    statistics, network = subject.statistics, subject.model.settings.get("model", {})
    words = ["conditional"] if network.get("conditional") else []
    words += [_NETWORKS[network["network"]]] if network.get("network") in _NETWORKS else []
    words += ["variational autoencoder" if _variational(subject) else "autoencoder"]
    article = "An" if words[0][0] in "aeiou" else "A"
    labels = f" with {counted(len(statistics.labels), 'label')}" if statistics.labels else ""
    grey = "grey" if statistics.channels == 1 else "RGB"
    return (
        f"{article} {' '.join(words)} of {counted(subject.parameters, 'parameter')}, trained for "
        f"{counted(subject.history.num_rows, 'epoch')} on {counted(statistics.images.get('train', 0), f'{grey} image')} of "
        f"{statistics.width} × {statistics.height} pixels{labels}. It is measured on "
        f"{counted(measurement.images, 'test image')} that it never saw."
    )


def _rates(history: pa.Table) -> str:
    """Say what the learning rate was, where it stayed the same."""
    rates = set(history["learning_rate"].to_pylist())
    return f"The learning rate was {as_setting(rates.pop())} throughout." if len(rates) == 1 else ""


def _tile(metric: Metric, *, measurement: Measurement) -> _Tile:
    estimate = measurement.estimates[metric.name]
    value, error = with_error(estimate.value, estimate.standard_error)
    return _Tile(
        title=metric.title,
        value=value,
        error=error,
        unit=metric.unit,
        better=f"{metric.better} is better",
        doc=metric.doc,
        reference=reference(metric.name, measurement),
    )


def _memorised(judgement: Judgement) -> str:
    memorisation = judgement.memorisation
    return wording.sentence(wording.copies(memorisation)) if isinstance(memorisation, str) else memorisation.verdict


def _few(curve: LowData | str | None) -> dict[str, object] | None:
    """Return what the report says of the low-data curve; None: the recipe does not ask for it."""
    if curve is None or isinstance(curve, str):
        return None if curve is None else {"sentences": [wording.sentence(low_data.clause(curve))], "rows": []}
    return {"sentences": low_data.sentences(curve), "rows": low_data.rows(curve), "caveat": low_data.caveat(curve)}


def _samplers(judgement: Judgement) -> list[tuple[str, bool, list[str]]]:
    """Return rows of the table of samplers: name, whether it was chosen, and distances."""
    if isinstance(judgement.samplers, str):
        return []
    return [
        (
            wording.SAMPLERS[result.sampler.kind],
            result.sampler is judgement.sampler,
            [
                "–" if value is None else as_distance(value)
                for value in (result.held_out, result.kernel, result.frechet)
            ],
        )
        for result in judgement.samplers
    ]


def _facts(subject: Subject, *, measurement: Measurement) -> list[str]:
    dims = len(measurement.active)
    return [
        counted(dims, "latent dimension"),
        f"{subject.likelihood} likelihood",
        *([] if "kl" in measurement.estimates else ["plain autoencoder: no sampling, no KL"]),
        *(["images from a sharpened second decoder, likelihoods of the model's own"] if subject.sharp else []),
        f"recipe {subject.settings.name}",
        f"seed {subject.settings.seed}",
    ]


def _counts(statistics: Statistics) -> list[tuple[str, list[int]]]:
    """Return rows of the table of images per split: the total, then the labels."""
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


def _parts(text: str) -> list[str]:
    """Split a sentence at recipe keys: every other part, from the second on, is a key, with its value if it has one."""
    return re.split(r"\b((?:train|model|loss|evaluate|generate)\.[a-z]\w*(?:: [\w.]*\w)?)", text)


def _hash(text: str) -> str:
    """Return the name of an inline style or script in a content security policy."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
