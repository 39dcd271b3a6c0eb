"""Every setting: its type, range, unit, default, and one line of docs. Unknown keys are errors."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from schemas.recipe.generate import GenerateSection
from schemas.recipe.model import ConvModel, LossSettings, ModelSettings, ResnetModel
from schemas.recipe.preprocess import PreprocessSettings
from schemas.recipe.search import Range, Space, check_keys
from schemas.recipe.section import Section
from schemas.recipe.sources import DataSection, Source


class EngineSection(Section):
    """How the machine is used. `auto` is what is measured to be fastest, once per machine and network."""

    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto",
        description="Of activations; weights and losses are float32 in any case, and so is the model that is kept.",
    )
    jit: Literal["auto"] | bool = Field("auto", description="Whether XLA compiles the training step.")
    steps_per_call: Literal["auto"] | Annotated[int, Field(ge=1)] = Field(
        "auto",
        description="Training steps between two returns to Python, at most: as many as divide an epoch's evenly.",
    )


class TrainSection(Section):
    """How the model is trained."""

    epochs: int = Field(10, ge=1, description="Most epochs.")
    batch_size: int = Field(128, ge=1, description="Images per step.")
    learning_rate: float = Field(1e-3, gt=0, le=1e6, description="Adam's learning rate; a schedule's highest.")
    optimizer: Literal["adam", "adamw"] = Field("adam", description="adamw: Adam with decoupled weight decay.")
    weight_decay: float = Field(
        0.0, ge=0, lt=1, description="adamw's, times the learning rate, per step. Not on biases and batch norm."
    )
    schedule: Literal["constant", "cosine"] = Field(
        "constant", description="cosine: the learning rate falls to 0 by the last of `epochs`, along half a cosine."
    )
    warmup_epochs: int = Field(0, ge=0, description="Epochs over which cosine's learning rate first rises from 0.")
    clip_norm: float | None = Field(
        None, gt=0, description="Longest gradient over all weights together (global norm); null: any."
    )
    ema: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Decay, per step, of a moving average of the weights, which is what is kept; null: none. "
        "0.999 is usual.",
    )
    patience: int = Field(10, ge=1, description="Epochs without a better validation loss before training stops.")
    use_tuned: bool = Field(True, description="Take the values that tune found; off: train with the recipe's own.")
    engine: EngineSection = Field(EngineSection(), description="How the machine is used.")
    deterministic: bool = Field(False, description="Bit-equal results from run to run, at some cost in speed.")

    @model_validator(mode="after")
    def _parts_fit(self) -> TrainSection:
        if self.optimizer == "adamw" and not self.weight_decay:
            raise ValueError("weight_decay: expected more than 0 with optimizer: adamw, found 0; 0.01 is usual")
        if self.optimizer == "adam" and self.weight_decay:
            raise ValueError(f"weight_decay: expected 0 with optimizer: adam, found {self.weight_decay:g}; try adamw")
        if self.schedule == "constant" and self.warmup_epochs:
            raise ValueError(
                f"warmup_epochs: expected 0 with schedule: constant, found {self.warmup_epochs}; try cosine"
            )
        if self.warmup_epochs >= self.epochs:
            raise ValueError(f"warmup_epochs: expected less than epochs ({self.epochs}), found {self.warmup_epochs}")
        return self


class TuneSection(Section):
    """Where the search looks, and how long."""

    oracle: Literal["random", "bayesian", "hyperband"] = Field("random", description="KerasTuner's search algorithm.")
    space: Space = Field(
        {"model.latent_dim": (2, 4, 8, 16, 32), "train.learning_rate": Range(low=1e-4, high=1e-2, log=True)},
        description="What is tried, by recipe key: a list of values, or {low, high, log, step}.",
    )
    max_trials: int = Field(8, ge=1, description="Trials in all (hyperband: at most).")
    max_minutes: float | None = Field(
        None, gt=0, description="After this time no trial is begun; the best so far wins."
    )
    epochs: int = Field(2, ge=1, description="Epochs per trial (hyperband: the most).")
    max_images: int = Field(10_000, ge=1, description="Training images used per trial (hyperband: at most).")
    stop_early: bool = Field(True, description="End a trial that is behind the median of those before it.")
    workers: int = Field(1, ge=1, description="Processes that run trials at the same time.")

    @model_validator(mode="after")
    def _keys_can_be_searched(self) -> TuneSection:
        check_keys(self.space)
        return self


class Gate(Section):
    """What a figure has to be."""

    at_least: float | None = Field(None, description="Lowest value that passes.")
    at_most: float | None = Field(None, description="Highest value that passes.")

    @model_validator(mode="after")
    def _a_limit(self) -> Self:
        if self.at_least is None and self.at_most is None:
            raise ValueError("expected at_least or at_most, found neither")
        return self

    def passes(self, value: float) -> bool:
        """Whether a figure passes; what is no number does not."""
        low = -math.inf if self.at_least is None else self.at_least
        high = math.inf if self.at_most is None else self.at_most
        return low <= value <= high

    def __str__(self) -> str:
        limits = (("at least", self.at_least), ("at most", self.at_most))
        return " and ".join(f"{words} {limit:g}" for words, limit in limits if limit is not None)


GATE_SECTIONS = ("metrics", "latent", "distances", "samplers", "usefulness", "memorisation")  # parts of metrics.json


class EvaluateSection(Section):
    """What the report shows."""

    scatter_images: int = Field(5000, ge=1, description="Test images in the latent scatter.")
    importance_samples: int = Field(
        0,
        ge=0,
        description="Codes per test image for the importance-weighted bound on its log-probability; 0: the ELBO alone.",
    )
    distance_images: int = Field(
        10_000,
        ge=0,
        description="New images, and as many test and training images, at most, whose sets are compared; 0: none.",
    )
    sampler: Literal["auto", "normal", "prior", "uniform", "mixture", "posterior"] = Field(
        "auto",
        description="Where codes of new images come from: the prior (normal: N(0, I); prior: one that is learned), the box of "
        "the training images' codes, a Gaussian mixture fitted to them, or these themselves. auto: whose images are nearest to "
        "validation images, posterior excepted.",
    )
    feature_model: str | None = Field(
        None,
        description="Path of a Keras model of yours (.keras), in whose features sets are compared, too. It gets pixels 0 to 255; "
        "a relative path counts from the folder that you are in.",
    )
    inception: str | None = Field(
        None,
        description="Path of inception-2015-12-05.pt, in whose features sets are compared, too, for FID and KID "
        "(docs/evaluate.md). Needs PyTorch (extra `inception`).",
    )
    gates: dict[str, Gate] = Field(
        {},
        description="What a model has to reach before export takes it: where the figure stands in metrics.json, with dots, such "
        "as distances.classifier.synthetic.frechet, and {at_least: …} or {at_most: …}.",
    )

    @model_validator(mode="after")
    def _gates_can_be_found(self) -> Self:
        for name in self.gates:
            if name.partition(".")[0] not in GATE_SECTIONS:
                raise ValueError(
                    f"gates: expected names that begin with one of {', '.join(GATE_SECTIONS)}, found {name}"
                )
        return self


class ExportSection(Section):
    """What a generator must fulfil before it is kept."""

    tolerance: float = Field(
        1e-5,
        gt=0,
        description="Largest difference from the Keras model in any pixel, on the scale 0 to 1; outside Keras ten times that.",
    )
    formats: tuple[Literal["keras", "onnx", "litert", "openvino"], ...] | None = Field(
        None,
        description="Forms beside the SavedModel. Default: keras, and onnx and litert where their packages are installed.",
    )
    licence: str | None = Field(
        None, min_length=1, description="Of the generator, for its model card: an SPDX identifier, such as CC-BY-4.0."
    )
    despite: tuple[str, ...] = Field((), description="Gates of evaluate.gates that a model need not pass, by name.")


class BeamSection(Section):
    """How Beam runs ingest and generate. Nothing here changes what they write."""

    workers: int | None = Field(None, ge=1, description="Processes. Default: one per core when the work is large.")
    options: tuple[str, ...] = Field(
        (),
        description="Of another Beam runner, such as --runner=FlinkRunner --job_endpoint=host:8099 "
        "(docs/distributed.md). Checked before anything is sent.",
    )


def _without_null(schema: dict[str, Any]) -> None:
    """A section that may be left out, as the others are in the schema, so that hints and editors find its keys."""
    schema.update(schema.pop("anyOf")[0])


class Recipe(Section):
    """One system, from its sources to its synthetic images."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", description="Also the folder below `runs/`.")
    title: str = Field("", description="One line for lists and for the report's head.")
    seed: int = Field(0, ge=0, lt=2**31, description="Where all randomness starts.")
    sources: tuple[Source, ...] = Field(min_length=1, description="Where the images come from.")
    data: DataSection | None = Field(None, json_schema_extra=_without_null)
    preprocess: PreprocessSettings = PreprocessSettings()
    model: ModelSettings
    loss: LossSettings
    train: TrainSection = TrainSection()
    tune: TuneSection = TuneSection()
    evaluate: EvaluateSection = EvaluateSection()
    export: ExportSection = ExportSection()
    generate: GenerateSection = GenerateSection()
    beam: BeamSection = BeamSection()

    @model_validator(mode="after")
    def _parts_fit(self) -> Recipe:
        if self.loss.likelihood == "bernoulli" and self.preprocess.normalise != "unit":
            raise ValueError(
                "loss.likelihood: bernoulli expects preprocess.normalise: unit, found " + self.preprocess.normalise
            )
        if self.loss.likelihood == "logistic" and self.preprocess.normalise != "symmetric":
            raise ValueError(
                "loss.likelihood: logistic expects preprocess.normalise: symmetric, found " + self.preprocess.normalise
            )
        begun, last = self.loss.kl_warmup_epochs, self.loss.importance_epochs
        if last and begun + last > self.train.epochs:
            raise ValueError(
                f"loss.importance_epochs: expected at most train.epochs less kl_warmup_epochs "
                f"({self.train.epochs - begun}), found {last}"
            )
        if isinstance(self.model, ResnetModel) and self.model.local_latents and self.loss.kl == "none":
            raise ValueError(f"model.local_latents: expected 0 with loss.kl: none, found {self.model.local_latents}")
        if components := self.model.prior_components:
            for key, plain in (("kl", "sum"), ("free_bits", 0)):
                if (found := getattr(self.loss, key)) != plain:
                    raise ValueError(
                        f"loss.{key}: expected {plain} with model.prior_components: {components}, found {found}"
                    )
        if self.evaluate.sampler == ("normal" if components else "prior"):
            prior = "prior" if components else "normal"
            raise ValueError(
                f"evaluate.sampler: expected {prior} with model.prior_components: {components}, found {self.evaluate.sampler}"
            )
        if isinstance(self.model, ConvModel):
            for key in ("height", "width"):
                size = getattr(self.preprocess, key)
                if size % self.model.stride:
                    raise ValueError(
                        f"preprocess.{key}: the decoder's strides need a multiple of {self.model.stride}, found {size}"
                    )
        return self
