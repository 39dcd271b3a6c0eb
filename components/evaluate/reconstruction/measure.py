"""One pass over the test split, in batches: its memory does not grow with the number of images."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.evaluate.reconstruction.importance import ImportanceBound, Kept
from components.evaluate.reconstruction.latent import AggregatePosterior
from components.evaluate.reconstruction.metrics import IWAE, METRICS, Metric
from components.evaluate.reconstruction.moments import Estimate, Moments
from components.examples.dataset import labelled_batches, read_statistics, readable
from components.reporting.numbers import rounded
from models.noise import binarised, standard_normal
from schemas.artifacts.kinds import Examples
from schemas.errors import DataError

SPLIT = "test"
BATCH_SIZE = 256  # images
BATCH_PIXELS = BATCH_SIZE * 64 * 64  # larger images come in smaller batches, so that a batch's activations fit
CODES = 4  # of the importance-weighted bound, decoded at once: so many times the batch
ACTIVE = 0.01  # Burda, Grosse & Salakhutdinov 2016, section 5.2
HALF_LEVEL = 0.5 / 255  # of a pixel, scale 0 to 1
PLAIN = "plain "  # and a metric's name: of an image of one colour in place of the reconstruction


class Evaluated(Protocol):
    """What is asked of a model; `models.vae.VAE` is one."""

    latent_dim: int

    @property
    def variational(self) -> bool:
        """See `models.vae.VAE.variational`."""

    @property
    def conditional(self) -> bool:
        """See `models.vae.VAE.conditional`."""

    @property
    def density(self) -> bool:
        """See `models.vae.VAE.density`."""

    @property
    def binary(self) -> bool:
        """See `models.vae.VAE.binary`."""

    @property
    def prior(self) -> object | None:
        """See `models.vae.VAE`."""

    def terms(self, inputs: Any, noise: Any) -> dict[str, Any]:
        """See `models.vae.VAE.terms`."""

    def log_weights(self, inputs: Any, noise: Any) -> Any:
        """See `models.vae.VAE.log_weights`."""


@dataclass(frozen=True)
class Measurement:
    """The test split as a model sees it.

    Attributes:
        images: How many were measured.
        estimates: By `Metric.name`: those that the model has, in the order of `METRICS`.
        mean_variance: Variance over images of the posterior's mean: [D].
        codes: The posterior's mean of the first images: [n, D].
        code_labels: Their labels, -1 for none: [n].
        originals: The first images, scale 0 to 1: [m, H, W, C].
        reconstructions: The same, from one sampled code each: [m, H, W, C].
        labels: Labels of these: [m].
        importance_samples: Codes per image of the importance-weighted bound; 0: it was not measured.
        aggregate: All posteriors together, where the prior is N(0, I); None otherwise.
        alike: Whether all images are the same.
        plain: By `Metric.name`, of the group likeness: what one colour, the training images' mean, reaches in its place.
    """

    images: int
    estimates: dict[str, Estimate]
    mean_variance: NDArray[np.float64]
    codes: NDArray[np.float32]
    code_labels: NDArray[np.int64]
    originals: NDArray[np.float32]
    reconstructions: NDArray[np.float32]
    labels: NDArray[np.int64]
    importance_samples: int = 0
    aggregate: AggregatePosterior | None = None
    alike: bool = False
    plain: dict[str, float] = field(default_factory=dict)

    @property
    def active(self) -> NDArray[np.bool_]:
        """Latent dimensions in use, whose posterior mean has a variance above 0.01 (Burda et al. 2016): [D]."""
        return self.mean_variance > ACTIVE

    @property
    def untold(self) -> str | None:
        """Why nobody can tell which dimensions are in use, as a clause; None: it can be told."""
        if self.images > 1 and not self.alike:
            return None
        whose = "a single test image" if self.images == 1 else "test images that are all the same"
        return f"{whose} cannot tell how many latent dimensions are in use"


def batch_size(height: int, width: int) -> int:
    """Images per batch, from an image's size in pixels alone: 256 up to 64 × 64, 16 at 256 × 256."""
    return max(1, min(BATCH_SIZE, BATCH_PIXELS // (height * width)))


def measure(
    vae: Evaluated,
    *,
    examples: Examples,
    seed: int,
    keep_codes: int,
    keep_images: int,
    importance_samples: int = 0,
    kept: Path | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> Measurement:
    """Measures a model on the test split, in the order in which it is stored.

    Args:
        vae: The model.
        examples: Whose test split is read.
        seed: Of the noise; image i's depends on (seed, i) alone.
        keep_codes: Of how many first images the codes are kept.
        keep_images: Of how many first images the reconstructions are kept.
        importance_samples: Codes per image for the importance-weighted bound; 0: it is left out.
        kept: Folder in which what takes long is kept while it is measured, for after a kill; none: nothing is.
        progress: Told after every batch how many images are done.

    Raises:
        DataError: The test split is empty or shorter than it says, a shard is broken, or a term is not finite.
    """
    statistics = read_statistics(examples)
    expected = statistics.records.get(SPLIT, 0)
    if expected == 0:
        raise DataError(f"{examples.path}: expected test images, found none; raise preprocess.test")
    stored_shape = (statistics.stored_height, statistics.stored_width, statistics.channels)
    importance_samples = importance_samples if vae.variational else 0
    metrics = [metric for metric in METRICS if vae.variational or not metric.variational]
    metrics = [metric for metric in metrics if metric.name != IWAE or importance_samples]
    metrics = [metric for metric in metrics if vae.density or not metric.density]
    per_image = _graph(vae, stored_shape, metrics, colour=statistics.train_mean)
    at_once = batch_size(*stored_shape[:2])
    bound = ImportanceBound(
        vae,
        samples=importance_samples,
        codes=CODES * at_once,
        seed=seed,
        kept=Kept(kept / "importance.npy") if kept else None,
    )
    aggregate = AggregatePosterior(vae.latent_dim) if vae.variational and vae.prior is None else None
    moments = {metric.name: Moments() for metric in metrics}
    plain = {metric.name: Moments() for metric in metrics if metric.group == "likeness"}
    means = Moments()
    first: dict[str, list[NDArray[Any]]] = {name: [] for name in ("mean", "targets", "reconstructions", "labels")}
    done = unusable = 0
    low: Any = np.inf  # of each pixel, over all images
    high: Any = -np.inf
    with readable(examples):
        for pixels, labels in labelled_batches(examples, SPLIT, batch_size=at_once):
            count = int(pixels.shape[0])
            if vae.binary:
                pixels = tf.constant(binarised(pixels.numpy(), seed=seed, start=done))
            inputs = {"pixels": pixels, "labels": labels} if vae.conditional else pixels
            draws = standard_normal(seed, start=done, count=count, size=vae.latent_dim)
            found = {name: tensor.numpy() for name, tensor in per_image(inputs, draws).items()}
            if importance_samples:
                found[IWAE] = bound(inputs, start=done)
            values = np.stack([found[metric.name] for metric in metrics])  # [metrics, B]
            unusable += int(np.count_nonzero(~np.isfinite(values).all(axis=0)))
            if not unusable:
                for metric in metrics:
                    moments[metric.name].add(found[metric.name])
                for name, beside in plain.items():
                    beside.add(found[PLAIN + name])
                means.add(found["mean"])
                if aggregate:
                    aggregate.add(found["mean"], found["log_variance"])
            if done < keep_codes:
                first["mean"].append(found["mean"])
            if done < keep_images:
                first["targets"].append(found["targets"])
                first["reconstructions"].append(found["reconstructions"])
            if done < max(keep_codes, keep_images):
                first["labels"].append(labels.numpy())
            low, high = np.minimum(low, found["targets"].min(axis=0)), np.maximum(high, found["targets"].max(axis=0))
            done += count
            progress(done)
    if done != expected:
        raise DataError(
            f"{examples.path}: expected {expected:,} test images, found {done:,}; to make them again, remove it"
        )
    if unusable:
        raise DataError(
            f"the model: expected finite numbers for every test image, found NaN or infinity for {unusable:,} of "
            f"{done:,}; lower train.learning_rate and train again"
        )
    whole = {name: np.concatenate(parts) for name, parts in first.items()}
    return Measurement(
        images=done,
        estimates={name: found.estimate() for name, found in moments.items()},
        mean_variance=np.asarray(means.variance),
        codes=whole["mean"][:keep_codes],
        code_labels=whole["labels"][:keep_codes],
        originals=whole["targets"][:keep_images],
        reconstructions=whole["reconstructions"][:keep_images],
        labels=whole["labels"][:keep_images],
        importance_samples=importance_samples,
        aggregate=aggregate,
        alike=bool((high - low).max() < HALF_LEVEL),
        plain={name: beside.estimate().value for name, beside in plain.items()},
    )


def document(measurement: Measurement) -> dict[str, Any]:
    """What ``metrics.json`` holds. Values have six digits: the rest would be rounding noise of float32."""
    return {
        "split": SPLIT,
        "images": measurement.images,
        "noise": "one sampled code per image",
        **({"importance_samples": measurement.importance_samples} if measurement.importance_samples else {}),
        "metrics": {
            metric.name: {
                "value": _rounded(measurement.estimates[metric.name].value),
                "standard_error": _rounded(measurement.estimates[metric.name].standard_error),
                "unit": metric.unit,
                "better": metric.better,
                **(
                    {"plain_colour": _rounded(measurement.plain[metric.name])}
                    if metric.name in measurement.plain
                    else {}
                ),
                "doc": metric.doc,
            }
            for metric in METRICS
            if metric.name in measurement.estimates
        },
        "latent": {
            "dimensions": len(measurement.active),
            "active": None if measurement.untold else int(measurement.active.sum()),
            "variance_of_mean": [_rounded(value) for value in measurement.mean_variance.tolist()],
            **_aggregate(measurement.aggregate),
            **({"left_out": measurement.untold} if measurement.untold else {}),
            "doc": f"A dimension is active if its posterior mean has a variance above {ACTIVE} over the test images "
            "(Burda et al. 2016).",
        },
    }


def _aggregate(aggregate: AggregatePosterior | None) -> dict[str, Any]:
    if aggregate is None:
        return {}
    gap = aggregate.gap
    doc = "KL of the Gaussian that all images' codes make together from N(0, I), nats: part of every image's KL."
    if not math.isfinite(gap):
        gap, doc = None, f"{doc} It is infinite: all codes lie in fewer dimensions than there are."
    return {
        "kl_per_dimension": [_rounded(value) for value in aggregate.kl_per_dimension.tolist()],
        "aggregate_gap": _rounded(gap),
        "aggregate_doc": doc,
    }


def _graph(
    vae: Evaluated, stored_shape: tuple[int, int, int], metrics: Sequence[Metric], *, colour: Sequence[float]
) -> Callable[..., dict[str, Any]]:
    """From a batch, as the model takes it, and noise to its metrics [B], to what the figures show, and to what a plain image
    of this colour [C] reaches."""
    pixels = tf.TensorSpec((None, *stored_shape), tf.uint8)
    inputs = {"pixels": pixels, "labels": tf.TensorSpec((None,), tf.int64)} if vae.conditional else pixels

    @tf.function(input_signature=[inputs, tf.TensorSpec((None, vae.latent_dim), tf.float32)])  # type: ignore[untyped-decorator]
    def per_image(inputs: Any, draws: Any) -> dict[str, Any]:
        terms = vae.terms(inputs, draws)
        shown = {name: terms[name] for name in ("mean", "log_variance", "targets", "reconstructions")}
        plain = {**terms, "reconstructions": tf.zeros_like(terms["targets"]) + tf.constant(colour, tf.float32)}
        beside = {PLAIN + metric.name: metric.per_image(plain) for metric in metrics if metric.group == "likeness"}
        return {**shown, **beside, **{metric.name: metric.per_image(terms) for metric in metrics if metric.per_image}}

    return per_image  # type: ignore[no-any-return]


def _rounded(value: float | None) -> float | None:
    return None if value is None else rounded(value)
