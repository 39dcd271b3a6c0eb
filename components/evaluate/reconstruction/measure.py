"""One pass over the test split, batch by batch: memory does not grow with the number of images. Loads TensorFlow."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.evaluate.reconstruction.importance import Checkpoint, ImportanceBound
from components.evaluate.reconstruction.latent import AggregatePosterior
from components.evaluate.reconstruction.metrics import IWAE, METRICS, Metric
from components.evaluate.reconstruction.moments import Estimate, Moments
from components.examples.dataset import images_at_once, labelled_batches, readable
from components.latents.noise import binarised, standard_normal
from components.reporting.numbers import rounded
from schemas.artifacts.kinds import Examples
from schemas.artifacts.records import read_statistics
from schemas.errors import DataError

SPLIT = "test"
CODES_PER_IMAGE = 4  # codes of the importance-weighted bound that are decoded at once, per image of a batch
ACTIVE = 0.01  # Burda, Grosse & Salakhutdinov 2016, section 5.2
HALF_LEVEL = 0.5 / 255  # half a grey level, scale 0 to 1
PLAIN = "plain "  # prefix of a metric's name: its value for an image of one colour in place of the reconstruction


class MeasuredModel(Protocol):
    """The part of a model that is measured; `models.vae.VAE` has it."""

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
    """A model's metrics on the test split, with codes and reconstructions of the first images.

    Attributes:
        images: How many images were measured.
        estimates: The model's metrics, by `Metric.name` and in the order of `METRICS`.
        mean_variance: Variance of the posterior's mean over images: [D].
        codes: The posterior's mean of the first images: [n, D].
        code_labels: Their labels, -1 for none: [n].
        originals: The first images, scale 0 to 1: [m, H, W, C].
        reconstructions: Their reconstructions, from one sampled code each: [m, H, W, C].
        labels: Their labels, -1 for none: [m].
        importance_samples: Codes per image of the importance-weighted bound; 0: it was not measured.
        aggregate: The distribution of all codes, where the prior is N(0, I); None otherwise.
        all_same: Whether all images are the same.
        plain_colour: The metrics of group `likeness`, by name, for one colour (the training images' mean) in place of
            each reconstruction.
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
    all_same: bool = False
    plain_colour: dict[str, float] = field(default_factory=dict)

    @property
    def active(self) -> NDArray[np.bool_]:
        """Whether each dimension is in use: its posterior mean has a variance above 0.01 (Burda et al. 2016): [D]."""
        return self.mean_variance > ACTIVE

    @property
    def active_dims_unknown(self) -> str | None:
        """Reason that active dimensions cannot be counted, as a clause; None: they can."""
        if self.images > 1 and not self.all_same:
            return None
        images = "a single test image" if self.images == 1 else "test images that are all the same"
        return f"{images} cannot tell how many latent dimensions are in use"


def measure(
    vae: MeasuredModel,
    *,
    examples: Examples,
    seed: int,
    keep_codes: int,
    keep_images: int,
    importance_samples: int = 0,
    work: Path | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> Measurement:
    """Measure a model on the test split.

    Args:
        vae: The model.
        examples: Its Examples, whose test split is read.
        seed: Seed of the noise; the noise of image i depends on (seed, i) alone.
        keep_codes: How many first images' codes are returned.
        keep_images: How many first images' reconstructions are returned.
        importance_samples: Codes per image for the importance-weighted bound; 0: it is left out.
        work: Folder for values that take long, with which an interrupted evaluation resumes; None: nothing is saved.
        progress: Called after every batch with the number of images done.

    Raises:
        DataError: The test split is empty or shorter than it says, a shard is broken, or a term is not finite.
    """
    statistics = read_statistics(examples)
    expected = statistics.records.get(SPLIT, 0)
    if expected == 0:
        raise DataError(f"{examples.path}: expected test images, found none; raise preprocess.test")
    stored_shape = (statistics.stored_height, statistics.stored_width, statistics.channels)
    importance_samples = importance_samples if vae.variational else 0
    metrics = _metrics_of(vae, importance_samples=importance_samples)
    per_image = _graph(vae, stored_shape, metrics, colour=statistics.train_mean)
    at_once = images_at_once(*stored_shape[:2])
    bound = ImportanceBound(
        vae,
        samples=importance_samples,
        codes=CODES_PER_IMAGE * at_once,
        seed=seed,
        checkpoint=Checkpoint(work / "importance.npy") if work else None,
    )
    aggregate = AggregatePosterior(vae.latent_dim) if vae.variational and vae.prior is None else None
    moments = {metric.name: Moments() for metric in metrics}
    plain_moments = {metric.name: Moments() for metric in metrics if metric.group == "likeness"}
    means = Moments()
    parts: dict[str, list[NDArray[Any]]] = {name: [] for name in ("mean", "targets", "reconstructions", "labels")}
    done = unusable = 0
    lowest: Any = np.inf  # of each pixel, over all images
    highest: Any = -np.inf
    with readable(examples):
        for pixels, labels in labelled_batches(examples, SPLIT, batch_size=at_once):
            count = int(pixels.shape[0])
            if vae.binary:
                pixels = tf.constant(binarised(pixels.numpy(), seed=seed, start=done))
            inputs = {"pixels": pixels, "labels": labels} if vae.conditional else pixels
            noise = standard_normal(seed, start=done, count=count, size=vae.latent_dim)
            values = {name: tensor.numpy() for name, tensor in per_image(inputs, noise).items()}
            if importance_samples:
                values[IWAE] = bound(inputs, start=done)
            finite = np.stack([np.isfinite(values[metric.name]) for metric in metrics]).all(axis=0)  # [B]
            unusable += int(np.count_nonzero(~finite))
            if not unusable:
                for metric in metrics:
                    moments[metric.name].add(values[metric.name])
                for name, plain in plain_moments.items():
                    plain.add(values[PLAIN + name])
                means.add(values["mean"])
                if aggregate:
                    aggregate.add(values["mean"], values["log_variance"])
            if done < keep_codes:
                parts["mean"].append(values["mean"])
            if done < keep_images:
                parts["targets"].append(values["targets"])
                parts["reconstructions"].append(values["reconstructions"])
            if done < max(keep_codes, keep_images):
                parts["labels"].append(labels.numpy())
            lowest = np.minimum(lowest, values["targets"].min(axis=0))
            highest = np.maximum(highest, values["targets"].max(axis=0))
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
    first = {name: np.concatenate(batches) for name, batches in parts.items()}
    return Measurement(
        images=done,
        estimates={name: values.estimate() for name, values in moments.items()},
        mean_variance=np.asarray(means.variance),
        codes=first["mean"][:keep_codes],
        code_labels=first["labels"][:keep_codes],
        originals=first["targets"][:keep_images],
        reconstructions=first["reconstructions"][:keep_images],
        labels=first["labels"][:keep_images],
        importance_samples=importance_samples,
        aggregate=aggregate,
        all_same=bool((highest - lowest).max() < HALF_LEVEL),
        plain_colour={name: plain.estimate().value for name, plain in plain_moments.items()},
    )


def _metrics_of(vae: MeasuredModel, *, importance_samples: int) -> list[Metric]:
    """Return the metrics that this model has."""
    return [
        metric
        for metric in METRICS
        if (vae.variational or not metric.variational)
        and (vae.density or not metric.density)
        and (importance_samples or metric.name != IWAE)
    ]


def document(measurement: Measurement) -> dict[str, Any]:
    """Return what ``metrics.json`` holds. Values have six digits: more would be rounding noise of float32."""
    return {
        "split": SPLIT,
        "images": measurement.images,
        "noise": "one sampled code per image",
        **({"importance_samples": measurement.importance_samples} if measurement.importance_samples else {}),
        "metrics": {
            metric.name: {
                "value": rounded(measurement.estimates[metric.name].value),
                "standard_error": rounded(measurement.estimates[metric.name].standard_error),
                "unit": metric.unit,
                "better": metric.better,
                **(
                    {"plain_colour": rounded(measurement.plain_colour[metric.name])}
                    if metric.name in measurement.plain_colour
                    else {}
                ),
                "doc": metric.doc,
            }
            for metric in METRICS
            if metric.name in measurement.estimates
        },
        "latent": {
            "dimensions": len(measurement.active),
            "active": None if measurement.active_dims_unknown else int(measurement.active.sum()),
            "variance_of_mean": [rounded(value) for value in measurement.mean_variance.tolist()],
            **_aggregate_document(measurement.aggregate),
            **({"left_out": measurement.active_dims_unknown} if measurement.active_dims_unknown else {}),
            "doc": f"A dimension is active if its posterior mean has a variance above {ACTIVE} over the test images "
            "(Burda et al. 2016).",
        },
    }


def _aggregate_document(aggregate: AggregatePosterior | None) -> dict[str, Any]:
    if aggregate is None:
        return {}
    finite = math.isfinite(aggregate.gap)
    doc = "KL of the Gaussian that all images' codes make together from N(0, I), nats: part of every image's KL."
    if not finite:
        doc = f"{doc} It is infinite: all codes lie in fewer dimensions than there are."
    return {
        "kl_per_dimension": [rounded(value) for value in aggregate.kl_per_dimension.tolist()],
        "aggregate_gap": rounded(aggregate.gap) if finite else None,
        "aggregate_doc": doc,
    }


def _graph(
    vae: MeasuredModel, stored_shape: tuple[int, int, int], metrics: Sequence[Metric], *, colour: Sequence[float]
) -> Callable[..., dict[str, Any]]:
    """Build the computation for a batch: from its images and noise to metrics [B], codes and reconstructions.

    Args:
        vae: The model.
        stored_shape: Shape of stored images: [H', W', C].
        metrics: Metrics to compute. Those of group `likeness` are also computed, under `PLAIN` and their name, for an image
            of one colour in place of the reconstruction.
        colour: This colour: [C], scale 0 to 1.
    """
    pixels = tf.TensorSpec((None, *stored_shape), tf.uint8)
    inputs = {"pixels": pixels, "labels": tf.TensorSpec((None,), tf.int64)} if vae.conditional else pixels

    @tf.function(input_signature=[inputs, tf.TensorSpec((None, vae.latent_dim), tf.float32)])  # type: ignore[untyped-decorator]
    def per_image(inputs: Any, noise: Any) -> dict[str, Any]:
        terms = vae.terms(inputs, noise)
        plain_terms = {**terms, "reconstructions": tf.zeros_like(terms["targets"]) + tf.constant(colour, tf.float32)}
        values = {name: terms[name] for name in ("mean", "log_variance", "targets", "reconstructions")}
        for metric in metrics:
            if metric.per_image:
                values[metric.name] = metric.per_image(terms)
                if metric.group == "likeness":
                    values[PLAIN + metric.name] = metric.per_image(plain_terms)
        return values

    return per_image  # type: ignore[no-any-return]
