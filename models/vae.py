"""The variational autoencoder: what is minimised, and what an image's terms are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import keras
from keras import ops

from models.batch import WholeBatch
from models.likelihoods import Likelihood
from models.normalisation import Normalise
from models.samplers import PosteriorSampler


def kl_divergence(mean: Any, log_variance: Any) -> Any:
    """KL of N(μ, σ²) from N(0, I) per image, in nats: [B]. Kingma & Welling 2014, appendix B.

    ``-0.5 · Σ_d (1 + log σ²_d - μ²_d - σ²_d)``
    """
    return ops.sum(kl_per_dimension(mean, log_variance), axis=-1)


def kl_per_dimension(mean: Any, log_variance: Any) -> Any:
    """Its terms, one per latent dimension, in nats: [B, D]."""
    return -0.5 * (1.0 + log_variance - ops.square(mean) - ops.exp(log_variance))


def free_bits_kl(per_dimension: Any, *, free_bits: float) -> Any:
    """KL of a batch, in nats, of which each dimension counts at least `free_bits`: a scalar, from [B, D].

    ``Σ_d max(λ, mean_b KL_bd)``: Kingma et al. 2016, "Improved Variational Inference with Inverse Autoregressive Flow",
    equation 15, each dimension a group of its own. A dimension below λ gets no gradient, so none is pushed to zero.
    """
    return ops.sum(ops.maximum(ops.mean(per_dimension, axis=0), free_bits))


def warmup_weight(step: Any, *, steps: int) -> Any:
    """The KL's weight at a step of training, from 0: rises linearly from 0 to 1, which it has from step `steps` on.

    Bowman et al. 2016, "Generating Sentences from a Continuous Space", section 3.1; Sønderby et al. 2016, "Ladder
    Variational Autoencoders", section 2.3.
    """
    return ops.minimum(ops.cast(step, "float32") / steps, 1.0)


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
        kl: How the KL enters the loss: its `sum` over the latent dimensions, their `mean`, or `none`: a plain
            autoencoder, whose code is the posterior's mean, and whose log-variance means nothing.
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
        self.likelihood = likelihood
        self.normalise = normalise
        self.kl = kl
        self.free_bits = free_bits
        self.labels = tuple(labels)
        self.label_shares = tuple(label_shares)
        self.kl_warmup_steps = 0  # over which the KL's weight rises; a matter of training alone, so in no configuration
        self.seed = seed
        self.sampler = PosteriorSampler(seed, name="sampler")
        self.crop_seed = keras.random.SeedGenerator(seed + 1)
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
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> dict[str, Any]:
        """Targets, posterior and the likelihood's outputs of a batch of stored pixels [B, H', W', C]."""
        pixels, labels = self._parts(inputs)
        targets = self.normalise(self.crop(pixels, random=bool(training)))  # [B, H, W, C]
        mean, log_variance = self.encoder(_with(targets, labels), training=training)
        outputs = self.decoder(_with(self._codes(mean, log_variance), labels), training=training)
        return {"targets": targets, "mean": mean, "log_variance": log_variance, "outputs": outputs}

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Mean over the batch of reconstruction plus the KL's term, which has its full weight outside training."""
        reconstruction = self.likelihood.loss(y_pred["targets"], y_pred["outputs"])
        kl = self._kl(y_pred["mean"], y_pred["log_variance"])
        self.reconstruction_tracker.update_state(reconstruction)
        self.kl_tracker.update_state(kl)  # the true one, whatever the loss makes of it
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
    def conditional(self) -> bool:
        """Whether encoder and decoder take the label."""
        return bool(self.labels)

    def _parts(self, inputs: Any) -> tuple[Any, Any]:
        """Pixels, and the labels where the model is conditional."""
        return (inputs["pixels"], inputs["labels"]) if self.conditional else (inputs, None)

    def _codes(self, mean: Any, log_variance: Any, noise: Any = None) -> Any:
        """What is decoded of a posterior: [B, D]; a plain autoencoder draws nothing."""
        return self.sampler(mean, log_variance, noise) if self.variational else mean

    def _kl(self, mean: Any, log_variance: Any) -> Any:
        """Nats per image, whatever its weight: [B]; a plain autoencoder has none."""
        return kl_divergence(mean, log_variance) if self.variational else ops.zeros_like(mean[:, 0])

    def crop(self, pixels: Any, *, random: bool) -> Any:
        """The window that the network sees: a new random one per image, or the centre. [B, H', W', C] → [B, H, W, C]."""
        height, width, _ = self.image_shape
        spare_y, spare_x = pixels.shape[1] - height, pixels.shape[2] - width
        if spare_y == 0 and spare_x == 0:
            return pixels
        if not random:
            top, left = spare_y // 2, spare_x // 2
            return pixels[:, top : top + height, left : left + width, :]

        def offsets(spare: int) -> Any:
            def random(images: Any) -> Any:
                return keras.random.randint((images, 1), 0, spare + 1, seed=self.crop_seed)

            return self.batch.draw(random, ops.shape(pixels)[0])

        top, left = offsets(spare_y), offsets(spare_x)  # [B, 1]
        rows = top + ops.arange(height, dtype=top.dtype)[None, :]  # [B, H]
        columns = left + ops.arange(width, dtype=left.dtype)[None, :]  # [B, W]
        first = ops.arange(ops.shape(pixels)[0], dtype=top.dtype)[:, None, None] * (pixels.shape[1] * pixels.shape[2])
        numbers = first + rows[:, :, None] * pixels.shape[2] + columns[:, None, :]  # [B, H, W], of pixels in the batch
        # One gather of whole pixels; along each axis in turn takes ten times as long. On float32: gathers of uint8 have
        # no kernel on some devices.
        stored = ops.reshape(ops.cast(pixels, "float32"), (-1, pixels.shape[3]))
        return ops.reshape(ops.take(stored, ops.reshape(numbers, (-1,)), axis=0), (-1, *self.image_shape))

    def encode(self, inputs: Any) -> tuple[Any, Any]:
        """Mean and log-variance of the posterior of each image's centre: [B, D] each."""
        pixels, labels = self._parts(inputs)
        return self.encoder(_with(self.normalise(self.crop(pixels, random=False)), labels), training=False)

    def decode(self, codes: Any, labels: Any = None) -> Any:
        """The mean image of each code, on the normalised scale: [B, H, W, C]. Labels [B] where it is conditional."""
        return self.likelihood.mean(self.decoder(_with(codes, labels), training=False))

    def terms(self, inputs: Any, noise: Any) -> dict[str, Any]:
        """What evaluation needs of a batch, from one sampled code per image, whose noise [B, D] is given.

        Returns:
            log_prob [B], nats, of the image given its code; kl [B], nats; mean and log_variance [B, D]; targets and
            reconstructions [B, H, W, C], float32 on the scale 0 to 1. The ELBO is log_prob - kl.
        """
        pixels, labels = self._parts(inputs)
        targets = self.normalise(self.crop(pixels, random=False))
        mean, log_variance = self.encoder(_with(targets, labels), training=False)
        outputs = self.decoder(_with(self._codes(mean, log_variance, noise), labels), training=False)
        return {
            "log_prob": self.likelihood.log_prob(targets, outputs),
            "kl": self._kl(mean, log_variance),
            "mean": mean,
            "log_variance": log_variance,
            "targets": self.normalise.to_unit(targets),
            "reconstructions": self.normalise.to_unit(self.likelihood.mean(outputs)),
        }

    def log_weights(self, inputs: Any, noise: Any) -> Any:
        """``log p(x|z) + log p(z) - log q(z|x)`` of K codes per image, whose noise [B, K, D] is given: [B, K], nats.

        Burda et al. 2016, equation 8. A plain autoencoder, which draws no codes, has none.
        """
        pixels, labels = self._parts(inputs)
        targets = self.normalise(self.crop(pixels, random=False))
        mean, log_variance = self.encoder(_with(targets, labels), training=False)
        samples = ops.shape(noise)[1]

        def each(values: Any) -> Any:
            return ops.repeat(values, samples, axis=0)  # [B K, …]

        flat = ops.reshape(noise, (-1, self.latent_dim))
        codes = self._codes(each(mean), each(log_variance), flat)
        outputs = self.decoder(_with(codes, None if labels is None else each(labels)), training=False)
        log_prob = self.likelihood.log_prob(each(targets), outputs)
        # Of both normal densities 2π cancels.
        ratio = 0.5 * ops.sum(ops.square(flat) + each(log_variance) - ops.square(codes), axis=-1)
        return ops.reshape(log_prob + ratio, (-1, samples))

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
            **({"free_bits": self.free_bits} if self.free_bits else {}),
            **({"labels": list(self.labels), "label_shares": list(self.label_shares)} if self.labels else {}),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> VAE:
        """The model that a configuration describes."""
        parts = ("encoder", "decoder", "likelihood", "normalise")
        made = {name: keras.saving.deserialize_keras_object(config[name]) for name in parts}
        return cls(**{**config, **made})
