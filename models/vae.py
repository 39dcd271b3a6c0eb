"""The variational autoencoder: what is minimised, and what an image's terms are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import keras
from keras import ops

from models.batch import WholeBatch
from models.code_samplers import CodeSampler, Normal
from models.crop import window
from models.kl import free_bits_kl, kl_divergence, kl_per_dimension, warmup_weight
from models.likelihoods import Likelihood
from models.normalisation import Normalise
from models.prior import MixturePrior
from models.samplers import PosteriorSampler


def _with(first: Any, labels: Any) -> Any:
    """What a network takes: images or codes, and labels beside them where there are any."""
    return first if labels is None else [ops.convert_to_tensor(first), ops.cast(labels, "int32")]


@keras.saving.register_keras_serializable(package="latent_mill")
class VAE(keras.Model):
    """Takes raw pixels, 0 to 255, and learns to make such images from codes.

    A conditional one takes ``{"pixels": [B, H', W', C], "labels": [B]}`` where another takes pixels, and labels beside
    codes.

    Args:
        encoder: Normalised images [B, H, W, C] to mean and log-variance [B, D]; a conditional one's takes labels, too.
        decoder: Codes [B, D] to the likelihood's outputs [B, H, W, C]; likewise.
        likelihood: What these outputs mean.
        normalise: From pixels to normalised values and back.
        prior: Of the codes (of the first level's, where there are two); none: it is N(0, I). A second level's is that always.
        kl: How the KL enters the loss: its `sum` over the latent dimensions, their `mean`, or `none`: a plain
            autoencoder, whose code is the posterior's mean, and whose log-variance means nothing.
        local_encoder: What the encoder makes of an image [B, …], and codes of a first level [B, D₁], to mean and log-variance
            of a second level [B, D₂] each. The encoder then has a third output, and a code has D = D₁ + D₂ numbers.
        free_bits: Nats of KL per latent dimension below which the loss does not fall.
        labels: Names of the labels, where the model is conditional; label i is the i-th.
        label_shares: Of each label in the training images; they add up to 1.
        seed: Where the noise of training starts.
    """

    def __init__(
        self,
        *,
        encoder: keras.Model,
        decoder: keras.Model,
        likelihood: Likelihood,
        normalise: Normalise,
        local_encoder: keras.Model | None = None,
        prior: MixturePrior | None = None,
        kl: Literal["sum", "mean", "none"] = "sum",
        free_bits: float = 0.0,
        labels: Sequence[str] = (),
        label_shares: Sequence[float] = (),
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.encoder = encoder
        self.decoder = decoder
        self.local_encoder = local_encoder
        self.prior = prior
        self.likelihood = likelihood
        self.normalise = normalise
        self.kl = kl
        self.free_bits = free_bits
        self.labels = tuple(labels)
        self.label_shares = tuple(label_shares)
        self.kl_warmup_steps = 0  # over which the KL's weight rises; a matter of training alone, so in no configuration
        self.importance_samples = 1  # of the bound that is trained on: with one it is the ELBO; likewise
        self.seed = seed
        self.sampler = PosteriorSampler(seed, name="sampler")
        self.crop_seed = keras.random.SeedGenerator(seed + 1)
        if self.binary:
            self.pixel_seed = keras.random.SeedGenerator(seed + 2)
        self.batch = WholeBatch()
        self.image_shape: tuple[int, int, int] = tuple(encoder.inputs[0].shape[1:])
        self.latent_dim: int = decoder.inputs[0].shape[-1]
        # Nothing trains it where the code is not sampled.
        encoder.get_layer("log_variance").trainable = self.variational
        self.reconstruction_tracker = keras.metrics.Mean(name="reconstruction")
        self.kl_tracker = keras.metrics.Mean(name="kl")

    def build(self, input_shape: Any) -> None:
        """Encoder and decoder come built; a layer that is built says so in its file."""
        if not self.normalise.built:
            self.normalise.build((None, *self.image_shape))
        if self.prior and not self.prior.built:
            self.prior.build()
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> dict[str, Any]:
        """What `_pass` makes of a batch of stored pixels [B, H', W', C]."""
        pixels, labels = self._parts(inputs)
        targets = self._drawn(self.normalise(self.crop(pixels, random=bool(training))))
        return self._pass(targets, labels, samples=self.importance_samples, training=training)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Mean over the batch of reconstruction plus the KL's term, which has its full weight outside training.

        With several codes per image it is the importance-weighted bound, its sign turned: Burda et al. 2016, equation 8.
        """
        reconstruction = self.likelihood.loss(y_pred["targets"], y_pred["outputs"])  # [B K]
        kl = self._kl(y_pred)
        self.reconstruction_tracker.update_state(reconstruction)
        self.kl_tracker.update_state(kl)  # the true one, whatever the loss makes of it
        if self.importance_samples > 1:
            weights = ops.reshape(y_pred["log_ratio"] - reconstruction, (-1, self.importance_samples))
            return self.batch.mean(math.log(self.importance_samples) - ops.logsumexp(weights, axis=1))
        if self.free_bits:
            kl = free_bits_kl(kl_per_dimension(y_pred["mean"], y_pred["log_variance"]), free_bits=self.free_bits)
        if self.kl == "mean":
            kl = kl / self.latent_dim
        if training and self.kl_warmup_steps:
            # The optimizer's count of steps, which a resumed training takes up. (Keras's JAX trainer would freeze it.)
            kl = kl * warmup_weight(self.optimizer.iterations, steps=self.kl_warmup_steps)
        return self.batch.mean(reconstruction + kl)

    @property
    def variational(self) -> bool:
        """Whether codes are drawn and their KL counts; a plain autoencoder's are not."""
        return self.kl != "none"

    @property
    def density(self) -> bool:
        """Whether log-probabilities are those of grey or colour values."""
        return self.likelihood.values != "probabilities"

    @property
    def binary(self) -> bool:
        """Whether it is a model of binary images, which are drawn from grey ones."""
        return self.likelihood.binarise

    @property
    def conditional(self) -> bool:
        """Whether encoder and decoder take the label."""
        return bool(self.labels)

    def prior_sampler(self) -> CodeSampler:
        """Draws codes from the prior."""
        return self.prior.sampler(self.latent_dim) if self.prior else Normal(self.latent_dim)

    def _parts(self, inputs: Any) -> tuple[Any, Any]:
        """Pixels, and the labels where the model is conditional."""
        return (inputs["pixels"], inputs["labels"]) if self.conditional else (inputs, None)

    def _pass(
        self, targets: Any, labels: Any, *, noise: Any = None, samples: int = 1, training: bool | None = False
    ) -> dict[str, Any]:
        """From normalised images [B, H, W, C] through the posterior to the likelihood, with K codes per image.

        Args:
            targets: The images.
            labels: [B], where the model is conditional.
            noise: Of the codes, [B K, D]; drawn unless it is given.
            samples: K.
            training: Whether layers are in training.

        Returns:
            targets and outputs [B K, H, W, C]; mean, log_variance and codes [B K, D] (a second level's mean depends on the first
            level's code); log_prior [B K], see `_log_prior`; log_ratio [B K]: log p(z) - log q(z|x), nats.
        """
        found = self.encoder(_with(targets, labels), training=training)
        if not isinstance(samples, int) or samples > 1:
            found = [ops.repeat(values, samples, axis=0) for values in found]
            targets = ops.repeat(targets, samples, axis=0)
            labels = None if labels is None else ops.repeat(labels, samples, axis=0)
        if noise is None and self.variational:
            noise = self.sampler.draw(ops.shape(found[0])[0], self.latent_dim)
        mean, log_variance = self._levels(found, noise, training=training)
        codes = (
            self.sampler(mean, log_variance, noise) if self.variational else mean
        )  # a plain autoencoder draws nothing
        densities = {}
        if self.variational:
            first = self.prior.latent_dim if self.prior else self.latent_dim
            prior = self._log_prior(codes[:, :first], labels)
            # N(0, I) is what the other dimensions have; of both normal densities 2π cancels.
            others = 0.5 * ops.sum(ops.square(codes[:, first:]), axis=-1)
            ratio = prior - others + 0.5 * ops.sum(ops.square(noise) + log_variance, axis=-1)
            densities = {"log_prior": prior, "log_ratio": ratio}
        return {
            "targets": targets,
            "mean": mean,
            "log_variance": log_variance,
            "codes": codes,
            "outputs": self.decoder(_with(codes, labels), training=training),
            **densities,
        }

    def _levels(self, found: Any, noise: Any, *, training: bool | None = False) -> tuple[Any, Any]:
        """Mean and log-variance of all levels, [B, D] each, from what the encoder found and the first level's noise."""
        mean, log_variance, *features = found
        if self.local_encoder is None:
            return mean, log_variance
        first = self.sampler(mean, log_variance, noise[:, : mean.shape[-1]])
        local_mean, local_log_variance = self.local_encoder([*features, first], training=training)
        return (
            ops.concatenate([mean, local_mean], axis=-1),
            ops.concatenate([log_variance, local_log_variance], axis=-1),
        )

    def _drawn(self, targets: Any) -> Any:
        """Binary images of the brightnesses [B, H, W, C], where it is a model of such images."""
        if not self.binary:
            return targets

        def uniform(images: Any) -> Any:
            return keras.random.uniform((images, *self.image_shape), seed=self.pixel_seed)

        return ops.cast(self.batch.draw(uniform, ops.shape(targets)[0]) < targets, targets.dtype)

    def _log_prior(self, codes: Any, labels: Any) -> Any:
        """``log p(z) + D/2 · log 2π`` of codes [B, D] of the first level: [B], nats. The posterior's density has the same 2π."""
        return -0.5 * ops.sum(ops.square(codes), axis=-1) if self.prior is None else self.prior(codes, labels)

    def _kl(self, found: dict[str, Any]) -> Any:
        """Nats per image, whatever its weight: [B]; a plain autoencoder has none.

        From a learned prior it is an estimate by the one code that was drawn; the posterior's entropy is exact, and so is a
        second level's part.
        """
        mean, log_variance = found["mean"], found["log_variance"]
        if not self.variational:
            return ops.zeros_like(mean[:, 0])
        if self.prior is None:
            return kl_divergence(mean, log_variance)
        first = self.prior.latent_dim
        second = kl_divergence(mean[:, first:], log_variance[:, first:])
        return second - 0.5 * ops.sum(1.0 + log_variance[:, :first], axis=-1) - found["log_prior"]

    def crop(self, pixels: Any, *, random: bool) -> Any:
        """The window that the network sees: a new random one per image, or the centre. [B, H', W', C] → [B, H, W, C]."""
        height, width, _ = self.image_shape
        seed = self.crop_seed if random else None
        return window(pixels, height=height, width=width, seed=seed, batch=self.batch)

    def encode(self, inputs: Any) -> tuple[Any, Any]:
        """Mean and log-variance of the posterior of each image's centre: [B, D] each; a second level's given the first's mean."""
        pixels, labels = self._parts(inputs)
        found = self.encoder(_with(self.normalise(self.crop(pixels, random=False)), labels), training=False)
        return self._levels(found, ops.zeros((1, self.latent_dim)))

    def decode(self, codes: Any, labels: Any = None) -> Any:
        """The mean image of each code, on the normalised scale: [B, H, W, C]. Labels [B] where it is conditional."""
        return self.likelihood.mean(self.decoder(_with(codes, labels), training=False))

    def terms(self, inputs: Any, noise: Any) -> dict[str, Any]:
        """What evaluation needs of a batch, from one sampled code per image, whose noise [B, D] is given.

        Returns:
            log_prob [B], nats, of the image given its code; kl [B], nats; mean and log_variance [B, D]; targets and
            reconstructions [B, H, W, C], float32 on the scale 0 to 1. The ELBO is log_prob - kl. Of a density, bits_per_dim [B]:
            bits per pixel and channel, for values 0 to 255.
        """
        pixels, labels = self._parts(inputs)
        targets = self.normalise(self.crop(pixels, random=False))
        found = self._pass(targets, labels, noise=noise)
        mean, log_variance, outputs = (found[name] for name in ("mean", "log_variance", "outputs"))
        log_prob, kl = self.likelihood.log_prob(targets, outputs), self._kl(found)
        return {
            "log_prob": log_prob,
            "kl": kl,
            **({"bits_per_dim": self._bits_per_dim(log_prob - kl)} if self.density else {}),
            "mean": mean,
            "log_variance": log_variance,
            "targets": self.normalise.to_unit(targets),
            "reconstructions": self.normalise.to_unit(self.likelihood.mean(outputs)),
        }

    def _bits_per_dim(self, elbo: Any) -> Any:
        """Code length of a pixel's value, one of 256, in bits: [B].

        Of a density over normalised values, a level is ``1 / (255 deviation)`` wide; within it the density is taken as constant
        (Theis et al. 2016, section 3.1).
        """
        levels = sum(math.log2(255.0 * deviation) for deviation in self.normalise.deviation) / len(
            self.normalise.deviation
        )
        if self.likelihood.values == "levels":
            levels = 0.0
        return levels - elbo / (math.prod(self.image_shape) * math.log(2.0))

    def log_weights(self, inputs: Any, noise: Any) -> Any:
        """``log p(x|z) + log p(z) - log q(z|x)`` of K codes per image, whose noise [B, K, D] is given: [B, K], nats.

        Burda et al. 2016, equation 8. A plain autoencoder, which draws no codes, has none.
        """
        pixels, labels = self._parts(inputs)
        samples = ops.shape(noise)[1]
        targets = self.normalise(self.crop(pixels, random=False))
        found = self._pass(targets, labels, noise=ops.reshape(noise, (-1, self.latent_dim)), samples=samples)
        log_prob = self.likelihood.log_prob(found["targets"], found["outputs"])
        return ops.reshape(log_prob + found["log_ratio"], (-1, samples))

    def get_config(self) -> dict[str, Any]:
        """Every constructor argument."""
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "encoder": serialize(self.encoder),
            "decoder": serialize(self.decoder),
            "likelihood": serialize(self.likelihood),
            "normalise": serialize(self.normalise),
            "kl": self.kl,
            "seed": self.seed,
            # Where they are off they are left out: such a model has the file that it always had.
            **({"local_encoder": serialize(self.local_encoder)} if self.local_encoder else {}),
            **({"prior": serialize(self.prior)} if self.prior else {}),
            **({"free_bits": self.free_bits} if self.free_bits else {}),
            **({"labels": list(self.labels), "label_shares": list(self.label_shares)} if self.labels else {}),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> VAE:
        """The model that a configuration describes."""
        parts = ("encoder", "decoder", "likelihood", "normalise", "local_encoder", "prior")
        made = {name: keras.saving.deserialize_keras_object(config[name]) for name in parts if name in config}
        return cls(**{**config, **made})
