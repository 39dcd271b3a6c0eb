"""The variational autoencoder: its loss, and the terms of an image that evaluation needs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
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


def _network_inputs(first: Any, labels: Any) -> Any:
    """Return the inputs of a network: images or codes, together with labels if there are any."""
    return first if labels is None else [ops.convert_to_tensor(first), ops.cast(labels, "int32")]


@keras.saving.register_keras_serializable(package="latent_mill")
class VAE(keras.Model):
    """A variational autoencoder of raw pixels, 0 to 255.

    Inputs are pixels [B, H', W', C]; of a conditional model ``{"pixels": [B, H', W', C], "labels": [B]}``, whose decoder takes
    codes and labels.

    Args:
        encoder: Maps normalised images [B, H, W, C] (conditional: and labels) to mean and log-variance [B, D].
        decoder: Maps codes [B, D] (conditional: and labels) to the likelihood's outputs [B, H, W, C].
        likelihood: The distribution of an image given these outputs.
        normalise: Converts pixels to normalised values and back.
        prior: Learned prior of the codes, or of the first level if there are two; None: N(0, I). The second level's prior is
            always N(0, I).
        kl: How the KL enters the loss: its `sum` over the latent dimensions, their `mean`, or `none`. With `none` the model is
            a plain autoencoder: its code is the posterior's mean, and its log-variance has no meaning.
        sharp_decoder: Maps codes as `decoder` does, for images; likelihoods never use it. None: images are the decoder's.
        local_encoder: Maps features of the encoder [B, …] and codes of the first level [B, D₁] to mean and log-variance of a
            second level, [B, D₂] each. The features are the encoder's third output, and a code has D = D₁ + D₂ dimensions.
        free_bits: Nats of KL per latent dimension below which the loss does not fall.
        labels: Names of the labels of a conditional model; label i is the i-th.
        label_shares: Share of each label in the training images; they add up to 1.
        seed: Seed of the noise of training.
    """

    def __init__(
        self,
        *,
        encoder: keras.Model,
        decoder: keras.Model,
        likelihood: Likelihood,
        normalise: Normalise,
        local_encoder: keras.Model | None = None,
        sharp_decoder: keras.Model | None = None,
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
        self.sharp_decoder = sharp_decoder
        self.prior = prior
        self.likelihood = likelihood
        self.normalise = normalise
        self.kl = kl
        self.free_bits = free_bits
        self.labels = tuple(labels)
        self.label_shares = tuple(label_shares)
        # Training sets these three. They are not part of the configuration, because a trained model does not need them.
        self.kl_warmup_steps = 0  # steps over which the KL's weight rises
        self.importance_samples = 1  # codes per image for the importance-weighted bound; with one, it is the ELBO
        self.augment: Callable[..., Any] | None = None  # changes training images: `models.augment.Augment`
        self.seed = seed
        self.sampler = PosteriorSampler(seed, name="sampler")
        self.crop_seed = keras.random.SeedGenerator(seed + 1)
        if self.binary:
            self.pixel_seed = keras.random.SeedGenerator(seed + 2)
        self.batch = WholeBatch()
        self.image_shape: tuple[int, int, int] = tuple(encoder.inputs[0].shape[1:])
        self.latent_dim: int = decoder.inputs[0].shape[-1]
        # A plain autoencoder does not sample its code, so its log-variance gets no gradient.
        encoder.get_layer("log_variance").trainable = self.variational
        self.reconstruction_tracker = keras.metrics.Mean(name="reconstruction")
        self.kl_tracker = keras.metrics.Mean(name="kl")

    def build(self, input_shape: Any) -> None:
        """Build the layers that are not built yet. Keras saves whether a layer is built, and encoder and decoder are."""
        if not self.normalise.built:
            self.normalise.build((None, *self.image_shape))
        if self.prior and not self.prior.built:
            self.prior.build()
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> dict[str, Any]:
        """Crop, normalise, encode and decode a batch of stored pixels [B, H', W', C]; see `_pass` for what it returns.

        In training, crops are random, and `augment` changes the images.
        """
        pixels, labels = self._pixels_and_labels(inputs)
        images = self.crop(pixels, random=bool(training))
        if training and self.augment is not None:
            images = self.augment(images, stored=pixels, step=ops.cast(self.optimizer.iterations, "int64"))
        targets = self._binarise(self.normalise(images))
        return self._pass(targets, labels, samples=self.importance_samples, training=training)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Return the mean over the batch of reconstruction term plus KL term. Outside training the KL has its full weight.

        With several codes per image it is the negative importance-weighted bound: Burda et al. 2016, equation 8.
        """
        reconstruction = self.likelihood.loss(y_pred["targets"], y_pred["outputs"])  # [B K]
        kl = self._kl(y_pred)
        self.reconstruction_tracker.update_state(reconstruction)
        self.kl_tracker.update_state(kl)  # without weight and free bits
        if self.importance_samples > 1:
            weights = ops.reshape(y_pred["log_ratio"] - reconstruction, (-1, self.importance_samples))
            return self.batch.mean(math.log(self.importance_samples) - ops.logsumexp(weights, axis=1))
        if self.free_bits:
            kl = free_bits_kl(kl_per_dimension(y_pred["mean"], y_pred["log_variance"]), free_bits=self.free_bits)
        if self.kl == "mean":
            kl = kl / self.latent_dim
        if training and self.kl_warmup_steps:
            # The optimizer's count of steps, because training restores it to resume. (Keras's JAX trainer would freeze it.)
            kl = kl * warmup_weight(self.optimizer.iterations, steps=self.kl_warmup_steps)
        return self.batch.mean(reconstruction + kl)

    @property
    def variational(self) -> bool:
        """Whether codes are sampled, and their KL is part of the loss; not so in a plain autoencoder."""
        return self.kl != "none"

    @property
    def density(self) -> bool:
        """Whether log-probabilities are of grey or colour values, not of black or white."""
        return self.likelihood.values != "probabilities"

    @property
    def binary(self) -> bool:
        """Whether it models binary images, which are drawn from grey ones."""
        return self.likelihood.binarise

    @property
    def conditional(self) -> bool:
        """Whether encoder and decoder take a label."""
        return bool(self.labels)

    @property
    def image_decoder(self) -> keras.Model:
        """The decoder that images come from."""
        return self.sharp_decoder or self.decoder

    def with_sharp_decoder(self, decoder: keras.Model) -> VAE:
        """Return the model of the same parts with this decoder for images."""
        vae = VAE(
            encoder=self.encoder,
            decoder=self.decoder,
            likelihood=self.likelihood,
            normalise=self.normalise,
            local_encoder=self.local_encoder,
            sharp_decoder=decoder,
            prior=self.prior,
            kl=self.kl,
            free_bits=self.free_bits,
            labels=self.labels,
            label_shares=self.label_shares,
            seed=self.seed,
            name=self.name,
        )
        vae.build((None, *self.image_shape))
        return vae

    def prior_sampler(self) -> CodeSampler:
        """Return a sampler of codes from the prior."""
        return self.prior.sampler(self.latent_dim) if self.prior else Normal(self.latent_dim)

    def _pixels_and_labels(self, inputs: Any) -> tuple[Any, Any]:
        """Return pixels, and the labels of a conditional model or None."""
        return (inputs["pixels"], inputs["labels"]) if self.conditional else (inputs, None)

    def _pass(
        self, targets: Any, labels: Any, *, noise: Any = None, samples: int = 1, training: bool | None = False
    ) -> dict[str, Any]:
        """Encode normalised images [B, H, W, C], draw K codes per image, and decode them.

        Args:
            targets: The images.
            labels: Labels [B] of a conditional model, or None.
            noise: Noise of the codes, [B K, D]; None: it is drawn.
            samples: K.
            training: Whether layers are in training mode.

        Returns:
            targets and outputs [B K, H, W, C]; mean, log_variance and codes [B K, D] (the second level's mean depends on the
            first level's code); log_prior [B K], see `_log_prior`; log_ratio [B K]: log p(z) - log q(z|x), nats. A plain
            autoencoder has no log_prior and no log_ratio.
        """
        encoded = self.encoder(_network_inputs(targets, labels), training=training)
        if not isinstance(samples, int) or samples > 1:
            encoded = [ops.repeat(values, samples, axis=0) for values in encoded]
            targets = ops.repeat(targets, samples, axis=0)
            labels = None if labels is None else ops.repeat(labels, samples, axis=0)
        if noise is None and self.variational:
            noise = self.sampler.draw(ops.shape(encoded[0])[0], self.latent_dim)
        mean, log_variance = self._levels(encoded, noise, training=training)
        codes = self.sampler(mean, log_variance, noise) if self.variational else mean
        densities = {}
        if self.variational:
            first = self.prior.latent_dim if self.prior else self.latent_dim
            prior = self._log_prior(codes[:, :first], labels)
            # The prior of the other dimensions is N(0, I). The 2π of both normal densities cancels.
            others = 0.5 * ops.sum(ops.square(codes[:, first:]), axis=-1)
            ratio = prior - others + 0.5 * ops.sum(ops.square(noise) + log_variance, axis=-1)
            densities = {"log_prior": prior, "log_ratio": ratio}
        return {
            "targets": targets,
            "mean": mean,
            "log_variance": log_variance,
            "codes": codes,
            "outputs": self.decoder(_network_inputs(codes, labels), training=training),
            **densities,
        }

    def _levels(self, encoded: Any, noise: Any, *, training: bool | None = False) -> tuple[Any, Any]:
        """Return mean and log-variance of all levels, [B, D] each, from the encoder's outputs and the noise of the codes."""
        mean, log_variance, *features = encoded
        if self.local_encoder is None:
            return mean, log_variance
        first = self.sampler(mean, log_variance, noise[:, : mean.shape[-1]])
        local_mean, local_log_variance = self.local_encoder([*features, first], training=training)
        return (
            ops.concatenate([mean, local_mean], axis=-1),
            ops.concatenate([log_variance, local_log_variance], axis=-1),
        )

    def _binarise(self, targets: Any) -> Any:
        """Draw binary images from grey ones [B, H, W, C], if the model is of binary images; otherwise return them unchanged."""
        if not self.binary:
            return targets

        def uniform(images: Any) -> Any:
            return keras.random.uniform((images, *self.image_shape), seed=self.pixel_seed)

        return ops.cast(self.batch.draw(uniform, ops.shape(targets)[0]) < targets, targets.dtype)

    def _log_prior(self, codes: Any, labels: Any) -> Any:
        """Return ``log p(z) + D/2 · log 2π`` of codes [B, D] of the first level: [B], nats. The posterior has the same 2π."""
        return -0.5 * ops.sum(ops.square(codes), axis=-1) if self.prior is None else self.prior(codes, labels)

    def _kl(self, batch: dict[str, Any]) -> Any:
        """Return the KL per image without its weight: [B], nats; 0 for a plain autoencoder.

        The KL from a learned prior is estimated from the one code that was drawn; the posterior's entropy and the second level's
        KL are exact.

        Args:
            batch: What `_pass` returned.
        """
        mean, log_variance = batch["mean"], batch["log_variance"]
        if not self.variational:
            return ops.zeros_like(mean[:, 0])
        if self.prior is None:
            return kl_divergence(mean, log_variance)
        first = self.prior.latent_dim
        second = kl_divergence(mean[:, first:], log_variance[:, first:])
        return second - 0.5 * ops.sum(1.0 + log_variance[:, :first], axis=-1) - batch["log_prior"]

    def crop(self, pixels: Any, *, random: bool) -> Any:
        """Crop images to the network's size: each at a new random place, or at the centre. [B, H', W', C] → [B, H, W, C]."""
        height, width, _ = self.image_shape
        seed = self.crop_seed if random else None
        return window(pixels, height=height, width=width, seed=seed, batch=self.batch)

    def encode(self, inputs: Any) -> tuple[Any, Any]:
        """Return mean and log-variance of the posterior of each image's centre: [B, D] each.

        The second level's are those for the mean of the first level.
        """
        pixels, labels = self._pixels_and_labels(inputs)
        targets = self.normalise(self.crop(pixels, random=False))
        encoded = self.encoder(_network_inputs(targets, labels), training=False)
        return self._levels(encoded, ops.zeros((1, self.latent_dim)))

    def decode(self, codes: Any, labels: Any = None) -> Any:
        """Return the mean image of each code, on the normalised scale: [B, H, W, C]. A conditional model needs labels [B]."""
        return self.likelihood.mean(self.image_decoder(_network_inputs(codes, labels), training=False))

    def terms(self, inputs: Any, noise: Any) -> dict[str, Any]:
        """Compute the terms that evaluation needs of a batch, from one code per image, drawn with this noise [B, D].

        Returns:
            log_prob [B], nats, of the image given its code; kl [B], nats; mean and log_variance [B, D]; targets and
            reconstructions [B, H, W, C], float32 on the scale 0 to 1; with a density, bits_per_dim [B]: bits per pixel and
            channel, for values 0 to 255. The ELBO is log_prob - kl.
        """
        pixels, labels = self._pixels_and_labels(inputs)
        targets = self.normalise(self.crop(pixels, random=False))
        batch = self._pass(targets, labels, noise=noise)
        mean, log_variance, outputs = (batch[name] for name in ("mean", "log_variance", "outputs"))
        images = self.decode(batch["codes"], labels) if self.sharp_decoder else self.likelihood.mean(outputs)
        log_prob, kl = self.likelihood.log_prob(targets, outputs), self._kl(batch)
        return {
            "log_prob": log_prob,
            "kl": kl,
            **({"bits_per_dim": self._bits_per_dim(log_prob - kl)} if self.density else {}),
            "mean": mean,
            "log_variance": log_variance,
            "targets": self.normalise.to_unit(targets),
            "reconstructions": self.normalise.to_unit(images),
        }

    def _bits_per_dim(self, elbo: Any) -> Any:
        """Return the code length of a value of 256 levels, in bits: [B].

        With a density over normalised values, a level is ``1 / (255 deviation)`` wide, and the density is taken as constant
        within a level (Theis et al. 2016, section 3.1).
        """
        levels = sum(math.log2(255.0 * deviation) for deviation in self.normalise.deviation) / len(
            self.normalise.deviation
        )
        if self.likelihood.values == "levels":
            levels = 0.0
        return levels - elbo / (math.prod(self.image_shape) * math.log(2.0))

    def log_weights(self, inputs: Any, noise: Any) -> Any:
        """Return ``log p(x|z) + log p(z) - log q(z|x)`` of K codes per image, drawn with this noise [B, K, D]: [B, K], nats.

        Burda et al. 2016, equation 8. A plain autoencoder draws no codes, so it has no such weights.
        """
        pixels, labels = self._pixels_and_labels(inputs)
        samples = ops.shape(noise)[1]
        targets = self.normalise(self.crop(pixels, random=False))
        batch = self._pass(targets, labels, noise=ops.reshape(noise, (-1, self.latent_dim)), samples=samples)
        log_prob = self.likelihood.log_prob(batch["targets"], batch["outputs"])
        return ops.reshape(log_prob + batch["log_ratio"], (-1, samples))

    def get_config(self) -> dict[str, Any]:
        """Return every constructor argument."""
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "encoder": serialize(self.encoder),
            "decoder": serialize(self.decoder),
            "likelihood": serialize(self.likelihood),
            "normalise": serialize(self.normalise),
            "kl": self.kl,
            "seed": self.seed,
            # Left out if they are off, so that the files of models without them do not change.
            **({"local_encoder": serialize(self.local_encoder)} if self.local_encoder else {}),
            **({"sharp_decoder": serialize(self.sharp_decoder)} if self.sharp_decoder else {}),
            **({"prior": serialize(self.prior)} if self.prior else {}),
            **({"free_bits": self.free_bits} if self.free_bits else {}),
            **({"labels": list(self.labels), "label_shares": list(self.label_shares)} if self.labels else {}),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> VAE:
        """Return the model with this configuration."""
        parts = ("encoder", "decoder", "likelihood", "normalise", "local_encoder", "sharp_decoder", "prior")
        built = {name: keras.saving.deserialize_keras_object(config[name]) for name in parts if name in config}
        return cls(**{**config, **built})
