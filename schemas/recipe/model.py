"""The settings of a recipe's `model` and `loss` sections: the networks, and what training minimises."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.recipe.section import Section

Activation = Literal["relu", "leaky_relu"]


class LatentSection(Section):
    """Settings of the latent space, which every network has."""

    log_variance_limit: tuple[float, float] | None = Field(
        None,
        description="Limits of the posterior's log-variance, [lowest, highest]. null: no limits. Usual: [-30, 20].",
    )
    prior_components: int = Field(
        0,
        ge=0,
        le=10_000,
        description="Number of normal distributions in a prior that is learned, a mixture. 0: the prior is N(0, I).",
    )
    conditional: bool = Field(
        False,
        description="Give encoder and decoder the image's label too, so that new images of one label can be made. "
        "Every image needs a label.",
    )

    @model_validator(mode="after")
    def _check_limit(self) -> Self:
        if self.log_variance_limit is not None:
            low, high = self.log_variance_limit
            if low >= high:
                raise ValueError(f"log_variance_limit: expected [lowest, highest], found [{low:g}, {high:g}]")
        return self


class DenseModel(LatentSection):
    """Fully connected encoder and decoder."""

    network: Literal["dense"]
    latent_dim: int = Field(2, ge=1, le=4096, description="Number of dimensions of the latent space.")
    hidden: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (512, 256),
        min_length=1,
        description="Units of each hidden layer of the encoder. The decoder has the same layers in reverse order.",
    )
    activation: Literal["relu", "leaky_relu", "glu"] = Field(
        "relu",
        description="Activation of the hidden layers. glu: gated linear units, which have twice the weights.",
    )


Layer = tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1, le=4)]]


class ConvModel(LatentSection):
    """Convolutional encoder, transposed-convolution decoder."""

    network: Literal["conv"]
    latent_dim: int = Field(2, ge=1, le=4096, description="Number of dimensions of the latent space.")
    encoder: tuple[Layer, ...] = Field(
        ((32, 2), (64, 2)), min_length=1, description="The encoder's convolutions: [filters, stride] of each."
    )
    decoder: tuple[Layer, ...] = Field(
        ((64, 2), (32, 2)),
        min_length=1,
        description="The decoder's transposed convolutions: [filters, stride] of each.",
    )
    hidden: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (), description="Units of each dense layer between the encoder's convolutions and the posterior. []: none."
    )
    base_filters: int = Field(64, ge=1, description="Channels of the decoder's first feature map.")
    base_activation: Literal["linear", "relu"] = Field(
        "linear", description="Activation of the decoder's first feature map."
    )
    output_stride: int = Field(
        1, ge=1, le=4, description="Stride of the decoder's last layer, whose output is the image."
    )
    kernel_size: int = Field(3, ge=1, le=11, description="Width and height of every kernel, in pixels.")
    activation: Activation = Field("relu", description="Activation after each layer except the last.")
    decoder_activation: Literal["same", "linear"] = Field(
        "same", description="Activation of the decoder's layers. same: `activation`. linear: none."
    )
    negative_slope: float = Field(0.3, ge=0, le=1, description="Slope of leaky_relu below zero. Keras's default: 0.3.")
    batch_norm: Literal["none", "before", "after"] = Field(
        "none", description="Where batch normalisation stands: before or after each layer's activation, or nowhere."
    )
    zero_log_variance: bool = Field(
        False, description="Start the log-variance layer with zero weights, so that every variance starts at 1."
    )

    @property
    def stride(self) -> int:
        """Factor by which the decoder enlarges its first feature map. Image sizes have to be multiples of it."""
        return self.output_stride * math.prod(stride for _, stride in self.decoder)


class ResnetModel(LatentSection):
    """Residual blocks with group normalisation, for images of any size."""

    network: Literal["resnet"]
    latent_dim: int = Field(32, ge=1, le=4096, description="Number of dimensions of the latent space.")
    widths: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (32, 64),
        min_length=1,
        max_length=8,
        description="Channels at each resolution, from the finest to the coarsest. Each resolution is half of the "
        "one before.",
    )
    blocks: int = Field(1, ge=0, le=16, description="Number of residual blocks at each resolution.")
    patch: int = Field(
        1,
        ge=1,
        le=8,
        description="Pixels per side of the patch that becomes one position of the finest resolution. Larger is "
        "faster.",
    )
    local_latents: int = Field(
        0,
        ge=0,
        description="Latent dimensions at each position of the coarsest feature map: a second level beside "
        "latent_dim's. 0: none.",
    )
    upsampling: Literal["resize", "sub_pixel"] = Field(
        "resize",
        description="How the decoder enlarges feature maps. resize: repeat each position, then convolve. sub_pixel: "
        "rearrange channels into positions.",
    )
    activation: Literal["silu", "relu"] = Field(
        "silu", description="Activation after each layer except the last. relu is faster on CPUs."
    )


ModelSettings = Annotated[DenseModel | ConvModel | ResnetModel, Field(discriminator="network")]


class KlTerm(Section):
    """The KL term, which every loss has in addition to its reconstruction term."""

    kl: Literal["sum", "mean", "none"] = Field(
        "sum",
        description="How the KL enters the loss. sum: over the latent dimensions, in nats. mean: divided by their "
        "number. none: not at all; the model is a plain autoencoder, whose code is the posterior's mean.",
    )
    kl_warmup_epochs: int = Field(
        0, ge=0, description="Number of epochs over which the KL's weight rises from 0 to 1. 0: it is always 1."
    )
    free_bits: float = Field(
        0.0, ge=0, description="Nats of KL per latent dimension below which training does not lower the KL. 0: off."
    )
    importance_epochs: int = Field(
        0, ge=0, description="Number of last epochs that train on the importance-weighted bound instead of the ELBO."
    )
    importance_samples: int = Field(
        8, ge=2, le=1000, description="Codes per image for the importance-weighted bound in training."
    )

    @model_validator(mode="after")
    def _check_kl(self) -> Self:
        for key in ("kl_warmup_epochs", "free_bits", "importance_epochs"):
            if self.kl == "none" and getattr(self, key):
                raise ValueError(f"{key}: expected 0 with kl: none, found {getattr(self, key):g}")
        if self.importance_epochs and self.kl != "sum":
            raise ValueError(
                f"importance_epochs: expected 0 with kl: {self.kl}, found {self.importance_epochs}; try sum"
            )
        return self


class BernoulliLoss(KlTerm):
    """Binary cross-entropy over pixels, plus the KL term."""

    likelihood: Literal["bernoulli"]
    reconstruction: Literal["sum", "mean"] = Field(
        "sum",
        description="sum: over pixels and channels, nats per image. mean: divided by their number, which gives the "
        "KL more weight.",
    )
    binarise: bool = Field(
        False,
        description="Make pixels black or white at random, anew each time, with the brightness as probability of "
        "white (dynamic binarisation, as in published likelihoods).",
    )


class MseLoss(KlTerm):
    """Mean squared error per image times a weight, plus the KL term."""

    likelihood: Literal["mse"]
    weight: float = Field(1000.0, gt=0, description="Factor of the mean squared error.")


class GaussianLoss(KlTerm):
    """Gaussian with one learned standard deviation for all pixels (σ-VAE), plus the KL term."""

    likelihood: Literal["gaussian"]


class LogisticLoss(KlTerm):
    """Mixture of logistic distributions over the 256 levels of each pixel and channel, plus the KL term."""

    likelihood: Literal["logistic"]
    components: int = Field(
        1, ge=1, le=32, description="Number of distributions in the mixture. Each needs three outputs per channel."
    )


LossSettings = Annotated[BernoulliLoss | MseLoss | GaussianLoss | LogisticLoss, Field(discriminator="likelihood")]
