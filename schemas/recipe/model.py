"""What is trained: the networks, and the losses that they are trained on."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.recipe.section import Section

Activation = Literal["relu", "leaky_relu"]


class LatentSection(Section):
    """What every network has beside its layers."""

    log_variance_limit: tuple[float, float] | None = Field(
        None, description="[lowest, highest] log-variance of the posterior; null: none. [-30, 20] is usual."
    )

    prior_components: int = Field(
        0,
        ge=0,
        le=10_000,
        description="Normal distributions in the prior of the codes, a mixture that is learned; 0: it is N(0, I).",
    )
    conditional: bool = Field(
        False, description="Encoder and decoder take the label, so that it can be chosen; every image needs one."
    )

    @model_validator(mode="after")
    def _limit_is_ordered(self) -> Self:
        if self.log_variance_limit is not None:
            low, high = self.log_variance_limit
            if low >= high:
                raise ValueError(f"log_variance_limit: expected [lowest, highest], found [{low:g}, {high:g}]")
        return self


class DenseModel(LatentSection):
    """Fully connected encoder and decoder."""

    network: Literal["dense"]
    latent_dim: int = Field(2, ge=1, le=4096, description="Dimensions of the latent space.")
    hidden: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (512, 256), min_length=1, description="Units of the encoder's layers; the decoder mirrors them."
    )
    activation: Literal["relu", "leaky_relu", "glu"] = Field(
        "relu",
        description="Activation of the hidden layers. glu: gated, which takes two matrices where others take one.",
    )


Layer = tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1, le=4)]]


class ConvModel(LatentSection):
    """Convolutional encoder, transposed-convolution decoder."""

    network: Literal["conv"]
    latent_dim: int = Field(2, ge=1, le=4096, description="Dimensions of the latent space.")
    encoder: tuple[Layer, ...] = Field(
        ((32, 2), (64, 2)), min_length=1, description="[filters, stride] of each convolution."
    )
    decoder: tuple[Layer, ...] = Field(
        ((64, 2), (32, 2)), min_length=1, description="[filters, stride] of each transposed convolution."
    )
    hidden: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (), description="Units of dense layers between the encoder's convolutions and the posterior."
    )
    base_filters: int = Field(64, ge=1, description="Channels of the map that the decoder starts from.")
    base_activation: Literal["linear", "relu"] = Field("linear", description="Activation of that map.")
    output_stride: int = Field(1, ge=1, le=4, description="Stride of the last layer, which makes the image.")
    kernel_size: int = Field(3, ge=1, le=11, description="Width of every kernel, in pixels.")
    activation: Activation = Field("relu", description="Activation after each layer but the last.")
    decoder_activation: Literal["same", "linear"] = Field(
        "same", description="same: the decoder's layers have that activation, too. linear: they have none."
    )
    negative_slope: float = Field(0.3, ge=0, le=1, description="Slope of leaky_relu below zero (Keras's default: 0.3).")
    batch_norm: Literal["none", "before", "after"] = Field(
        "none", description="Batch normalisation before or after each layer's activation, or none."
    )
    zero_log_variance: bool = Field(False, description="The log-variance layer starts at zero: a variance of 1.")

    @property
    def stride(self) -> int:
        """By how much the decoder enlarges its first map: image sizes have to be multiples of it."""
        return self.output_stride * math.prod(stride for _, stride in self.decoder)


class ResnetModel(LatentSection):
    """Residual blocks with group normalisation, for images of any size."""

    network: Literal["resnet"]
    latent_dim: int = Field(32, ge=1, le=4096, description="Dimensions of the latent space.")
    widths: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (32, 64), min_length=1, max_length=8, description="Channels at each resolution; each is half of the one before."
    )
    blocks: int = Field(1, ge=0, le=16, description="Residual blocks at each resolution.")
    patch: int = Field(
        1, ge=1, le=8, description="Pixels per side that one place of the first resolution stands for. More is faster."
    )
    local_latents: int = Field(
        0,
        ge=0,
        description="Latents at each place of the coarsest map: a second level, below latent_dim's. 0: there is none.",
    )
    upsampling: Literal["resize", "sub_pixel"] = Field(
        "resize", description="How maps are enlarged: repeated and convolved, or as many channels laid side by side."
    )
    activation: Literal["silu", "relu"] = Field("silu", description="On CPUs relu is faster.")


ModelSettings = Annotated[DenseModel | ConvModel | ResnetModel, Field(discriminator="network")]


class KlTerm(Section):
    """The term that every loss has beside its reconstruction."""

    kl: Literal["sum", "mean", "none"] = Field(
        "sum",
        description="sum: KL over the latent dimensions, in nats. mean: divided by their number. "
        "none: a plain autoencoder, whose code is the mean and is not sampled.",
    )
    kl_warmup_epochs: int = Field(
        0, ge=0, description="Epochs over which the KL's weight in training rises from 0 to 1, step by step."
    )
    free_bits: float = Field(
        0.0, ge=0, description="KL per latent dimension, in nats, below which training does not push; 0: off."
    )

    importance_epochs: int = Field(
        0, ge=0, description="Last epochs that are trained on the importance-weighted bound instead of the ELBO."
    )
    importance_samples: int = Field(8, ge=2, le=1000, description="Codes per image of that bound.")

    @model_validator(mode="after")
    def _a_kl_to_shape(self) -> Self:
        for key in ("kl_warmup_epochs", "free_bits", "importance_epochs"):
            if self.kl == "none" and getattr(self, key):
                raise ValueError(f"{key}: expected 0 with kl: none, found {getattr(self, key):g}")
        if self.importance_epochs and self.kl != "sum":
            raise ValueError(
                f"importance_epochs: expected 0 with kl: {self.kl}, found {self.importance_epochs}; try sum"
            )
        return self


class BernoulliLoss(KlTerm):
    """Binary cross-entropy over pixels, plus KL."""

    likelihood: Literal["bernoulli"]
    reconstruction: Literal["sum", "mean"] = Field(
        "sum", description="sum: over pixels, nats per image. mean: divided by their number, so the KL weighs more."
    )
    binarise: bool = Field(
        False,
        description="Draw every pixel anew each time, black or white, its brightness as probability of white "
        "(dynamic binarisation, as in tables of likelihoods).",
    )


class MseLoss(KlTerm):
    """Mean squared error per image times a weight, plus KL."""

    likelihood: Literal["mse"]
    weight: float = Field(1000.0, gt=0, description="Factor of the mean squared error.")


class GaussianLoss(KlTerm):
    """A Gaussian whose one deviation, that of all pixels, is learned (σ-VAE), plus KL."""

    likelihood: Literal["gaussian"]


class LogisticLoss(KlTerm):
    """A mixture of logistic distributions over the 256 levels of each pixel and channel, plus KL."""

    likelihood: Literal["logistic"]
    components: int = Field(1, ge=1, le=32, description="Of the mixture. Each takes three outputs per channel.")


LossSettings = Annotated[BernoulliLoss | MseLoss | GaussianLoss | LogisticLoss, Field(discriminator="likelihood")]
