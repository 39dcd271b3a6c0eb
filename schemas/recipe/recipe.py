"""A recipe: its sections, their settings, and how these must fit together. Unknown keys are errors."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from schemas.recipe.augment import AugmentSection
from schemas.recipe.evaluate import EvaluateSection
from schemas.recipe.generate import GenerateSection
from schemas.recipe.model import ConvModel, LossSettings, ModelSettings, ResnetModel
from schemas.recipe.patterns import MAX_NAME, RECIPE_NAME
from schemas.recipe.preprocess import PreprocessSettings
from schemas.recipe.search import Range, Space, check_keys
from schemas.recipe.section import Section
from schemas.recipe.sources import DataSection, Source


class EngineSection(Section):
    """How training uses the machine. `auto` measures once per machine and network, and takes the fastest."""

    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto",
        description="Number format of activations. Weights, losses and the saved model are float32 in any case.",
    )
    jit: Literal["auto"] | bool = Field("auto", description="Compile the training step with XLA.")
    steps_per_call: Literal["auto"] | Annotated[int, Field(ge=1)] = Field(
        "auto",
        description="Maximum number of training steps between two returns to Python. The number taken divides the "
        "steps of an epoch evenly.",
    )


class SharpenSection(Section):
    """How a second decoder, from which images come, is made sharp. See docs/train.md."""

    epochs: int = Field(5, ge=1, description="Number of epochs, after those of the model.")
    strength: float = Field(
        0.3,
        gt=0,
        le=10,
        description="Weight of the discriminator beside the error of reconstructions, as a ratio of the two gradients. "
        "More is sharper, and less like the original.",
    )
    learning_rate: float = Field(5e-4, gt=0, le=1, description="Learning rate of the decoder.")


def _without_null(schema: dict[str, Any]) -> None:
    """Remove null from an optional section's schema, so that hints and editors find its keys as in other sections."""
    schema.update(schema.pop("anyOf")[0])


class TrainSection(Section):
    """How to train the model."""

    epochs: int = Field(10, ge=1, description="Maximum number of epochs.")
    batch_size: int = Field(128, ge=1, description="Images per training step.")
    learning_rate: float = Field(1e-3, gt=0, le=1e6, description="Learning rate of Adam; with a schedule, the highest.")
    optimizer: Literal["adam", "adamw"] = Field(
        "adam", description="Optimizer. adamw: Adam with decoupled weight decay."
    )
    weight_decay: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="With adamw: each step shrinks weights, except biases and batch norm, by this factor times the "
        "learning rate.",
    )
    schedule: Literal["constant", "cosine"] = Field(
        "constant",
        description="Learning rate over the epochs. constant: the same. cosine: falls to 0 by the last of `epochs`, "
        "along half a cosine.",
    )
    warmup_epochs: int = Field(
        0, ge=0, description="With cosine: number of first epochs over which the learning rate rises from 0."
    )
    clip_norm: float | None = Field(
        None,
        gt=0,
        description="Maximum norm of the gradient of all weights together (global norm); longer ones are scaled "
        "down. null: no limit.",
    )
    ema: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Decay per step of a moving average of the weights, which is saved in place of the weights. "
        "null: no average. Usual: 0.999.",
    )
    start_from: str | None = Field(
        None,
        min_length=1,
        description="Folder of another run or its model, of the same kind of network, with whose weights training "
        "begins. A relative path starts from the current folder.",
    )
    augment: AugmentSection = Field(
        AugmentSection(), description="Small changes of training images, drawn anew in each epoch: for small sets."
    )
    patience: int = Field(10, ge=1, description="Stop after this number of epochs without a better validation loss.")
    use_tuned: bool = Field(True, description="Use the values that tune found. false: use the recipe's own values.")
    engine: EngineSection = Field(EngineSection(), description="How the machine is used.")
    deterministic: bool = Field(False, description="Get the same bits from run to run, at some cost in speed.")
    sharpen: SharpenSection | None = Field(
        None,
        description="After the training, train a second decoder for sharp images. null: images come from the model's "
        "own decoder. Not with loss.binarise.",
        json_schema_extra=_without_null,
    )

    @model_validator(mode="after")
    def _check_combinations(self) -> TrainSection:
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
    """What the search tries, and for how long."""

    oracle: Literal["random", "bayesian", "hyperband"] = Field("random", description="KerasTuner's search algorithm.")
    space: Space = Field(
        {"model.latent_dim": (2, 4, 8, 16, 32), "train.learning_rate": Range(low=1e-4, high=1e-2, log=True)},
        description="The searched recipe keys, each with a list of values or a range {low, high, log, step}.",
    )
    max_trials: int = Field(8, ge=1, description="Number of trials (hyperband: the maximum).")
    max_minutes: float | None = Field(
        None, gt=0, description="Minutes after which no new trial starts. The best trial so far wins. null: no limit."
    )
    epochs: int = Field(2, ge=1, description="Epochs per trial (hyperband: the maximum).")
    max_images: int = Field(10_000, ge=1, description="Training images per trial (hyperband: the maximum).")
    stop_early: bool = Field(
        True, description="End a trial early if it is worse than the median of the trials before it."
    )
    workers: int = Field(1, ge=1, description="Number of processes that run trials at the same time.")

    @model_validator(mode="after")
    def _check_space(self) -> TuneSection:
        check_keys(self.space)
        return self


class ExportSection(Section):
    """In which forms to export the generator, and the checks that it must pass."""

    tolerance: float = Field(
        1e-5,
        gt=0,
        description="Maximum difference from the Keras model in any pixel, on the scale 0 to 1. Ten times that for "
        "ONNX, LiteRT and OpenVINO.",
    )
    formats: tuple[Literal["keras", "onnx", "litert", "openvino"], ...] | None = Field(
        None,
        description="Forms to export in addition to the SavedModel. Default: keras, and onnx and litert if their "
        "packages are installed.",
    )
    licence: str | None = Field(
        None,
        min_length=1,
        description="Licence of the generator, for its model card: an SPDX identifier, such as CC-BY-4.0.",
    )
    despite: tuple[str, ...] = Field((), description="Names of gates in evaluate.gates that the model need not pass.")


class BeamSection(Section):
    """How Beam runs ingest and generate. These settings do not change what the stages write."""

    workers: int | None = Field(
        None, ge=1, description="Number of processes. Default: one per core if the work is large."
    )
    options: tuple[str, ...] = Field(
        (),
        description="Options of another Beam runner, such as --runner=FlinkRunner --job_endpoint=host:8099 "
        "(docs/distributed.md). They are checked before any work starts.",
    )


class Recipe(Section):
    """One system, from its sources to its synthetic images."""

    name: str = Field(
        pattern=RECIPE_NAME, max_length=MAX_NAME, description="Name of the recipe, and of its folder below `runs/`."
    )
    title: str = Field("", description="One line for lists and for the head of the report.")
    seed: int = Field(
        0, ge=0, lt=2**31, description="Seed of all randomness, except that of new images (generate.seed)."
    )
    sources: tuple[Source, ...] = Field(min_length=1, description="The sources of the images.")
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
    def _check_combinations(self) -> Recipe:
        if self.loss.likelihood == "bernoulli" and self.preprocess.normalise != "unit":
            raise ValueError(
                "preprocess.normalise: expected unit with loss.likelihood: bernoulli, found "
                + self.preprocess.normalise
            )
        if self.loss.likelihood == "logistic" and self.preprocess.normalise != "symmetric":
            raise ValueError(
                "preprocess.normalise: expected symmetric with loss.likelihood: logistic, found "
                + self.preprocess.normalise
            )
        if self.train.sharpen and self.loss.likelihood == "bernoulli" and self.loss.binarise:
            raise ValueError(
                "train.sharpen: expected null with loss.binarise: true, because such images are drawn from probabilities, "
                "which are not to be sharp, found a section; set train.sharpen=null"
            )
        warmup, last = self.loss.kl_warmup_epochs, self.loss.importance_epochs
        if last and warmup + last > self.train.epochs:
            raise ValueError(
                f"loss.importance_epochs: expected at most train.epochs less kl_warmup_epochs "
                f"({self.train.epochs - warmup}), found {last}"
            )
        if isinstance(self.model, ResnetModel) and self.model.local_latents and self.loss.kl == "none":
            raise ValueError(f"model.local_latents: expected 0 with loss.kl: none, found {self.model.local_latents}")
        if components := self.model.prior_components:
            for key, required in (("kl", "sum"), ("free_bits", 0)):
                if (value := getattr(self.loss, key)) != required:
                    raise ValueError(
                        f"loss.{key}: expected {required} with model.prior_components: {components}, found {value}"
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
                        f"preprocess.{key}: expected a multiple of {self.model.stride}, because of the decoder's strides, "
                        f"found {size}"
                    )
        return self

    @model_validator(mode="after")
    def _check_conditional(self) -> Recipe:
        """Refuse settings that need labels before a model without labels is trained. A search may turn labels on."""
        if self.model.conditional or "model.conditional" in self.tune.space:
            return self
        if setting := self.generate.label_setting:
            key, expected, value = setting
            raise ValueError(
                f"generate.{key}: expected {expected}, as model.conditional is off, found {value}; set "
                "model.conditional=true and train again"
            )
        return self
