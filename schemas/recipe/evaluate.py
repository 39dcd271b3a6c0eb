"""The settings of a recipe's `evaluate` section: what to measure, and the gates that a model must pass."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.recipe.section import Section


class Gate(Section):
    """The limits of a value in metrics.json that a model must keep."""

    at_least: float | None = Field(None, description="Lowest value that passes.")
    at_most: float | None = Field(None, description="Highest value that passes.")

    @model_validator(mode="after")
    def _check_limits(self) -> Self:
        if self.at_least is None and self.at_most is None:
            raise ValueError("expected at_least or at_most, found neither")
        return self

    def passes(self, value: float) -> bool:
        """Return whether a value is within the limits; NaN is not."""
        low = -math.inf if self.at_least is None else self.at_least
        high = math.inf if self.at_most is None else self.at_most
        return low <= value <= high

    def __str__(self) -> str:
        limits = (("at least", self.at_least), ("at most", self.at_most))
        return " and ".join(f"{name} {limit:g}" for name, limit in limits if limit is not None)


# Sections of metrics.json whose values a gate may name.
GATE_SECTIONS = ("metrics", "latent", "quality", "distances", "samplers", "usefulness", "memorisation")
# The values in its section `metrics` (components/evaluate/reconstruction/metrics.py); the model decides which it has.
METRICS = ("ssim", "psnr", "mse", "elbo", "iwae", "bits_per_dim", "log_prob", "kl")


class EvaluateSection(Section):
    """What evaluate measures, and what its report shows."""

    scatter_images: int = Field(5000, ge=1, description="Number of test images in the latent scatter plot.")
    importance_samples: int = Field(
        0,
        ge=0,
        description="Codes per test image for the importance-weighted bound on its log-probability. 0: only the ELBO.",
    )
    distance_images: int = Field(
        10_000,
        ge=0,
        description="Maximum number of images per set when new images are compared with test images. 0: no comparison.",
    )
    sampler: Literal["auto", "normal", "prior", "uniform", "mixture", "flow", "posterior"] = Field(
        "auto",
        description="Distribution that codes of new images are drawn from. normal: the prior N(0, I). prior: a "
        "learned prior. uniform: the box around the training images' codes. mixture: a Gaussian mixture fitted to "
        "these codes. flow: a network fitted to them, see flow_steps. posterior: the posteriors of training images. "
        "auto: the one whose images are worth the least blur beyond reconstructions, except posterior.",
    )
    flow_steps: int = Field(
        0,
        ge=0,
        le=64,
        description="Steps in which a flow, a network that is fitted to the training images' codes, carries noise to "
        "codes. More steps follow it more closely and take longer. 0: no flow is fitted.",
    )
    low_data: tuple[Annotated[int, Field(ge=1, le=10_000)], ...] = Field(
        (),
        max_length=8,
        description="Numbers of real images of each label, such as [10, 50, 200], with which a classifier is trained with "
        "and without new images: do they help somebody who has few real ones? For conditional models. []: not measured.",
    )
    low_data_draws: int = Field(
        5, ge=2, le=100, description="How often each number of `low_data` is drawn. More: narrower intervals."
    )
    feature_model: str | None = Field(
        None,
        description="Path of your own Keras model (.keras), in whose features image sets are compared too. It gets "
        "pixels, 0 to 255. A relative path starts from the current folder.",
    )
    inception: str | None = Field(
        None,
        description="Path of inception-2015-12-05.pt, in whose features image sets are compared too, for FID and KID "
        "(docs/evaluate.md). Needs PyTorch (extra `inception`).",
    )
    gates: dict[str, Gate] = Field(
        {},
        description="Limits that a model must keep before it is exported: the path of a value in metrics.json, with "
        "dots, such as distances.classifier.synthetic.frechet, with {at_least: …} or {at_most: …}.",
    )

    @model_validator(mode="after")
    def _check_low_data(self) -> Self:
        if len(set(self.low_data)) < len(self.low_data):
            raise ValueError(f"low_data: expected numbers that differ, found {list(self.low_data)}")
        return self

    @model_validator(mode="after")
    def _check_flow(self) -> Self:
        if self.sampler == "flow" and not self.flow_steps:
            raise ValueError("flow_steps: expected 1 or more with sampler flow, found 0")
        return self

    @model_validator(mode="after")
    def _check_gates(self) -> Self:
        for name in self.gates:
            if name.partition(".")[0] not in GATE_SECTIONS:
                raise ValueError(
                    f"gates: expected names that begin with one of {', '.join(GATE_SECTIONS)}, found {name}"
                )
            if name.startswith("metrics.") and name.split(".")[1] not in METRICS:
                raise ValueError(f"gates: expected metrics. and one of {', '.join(METRICS)}, found {name}")
        return self
