"""The signatures of a generator: its functions, in every form."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from components.latents.noise import sampled_codes, seeded_labels
from models.code_samplers import CodeSampler
from models.vae import VAE
from schemas.artifacts.generator import DRAWN

# Signatures of forms without counter-based random numbers: `sample` takes noise as an argument.
PORTABLE = ("encode", "decode", "sample")

Tensor = Any
Functions = dict[str, Any]  # of `tf.function`, by name


def signatures(vae: VAE, sampler: CodeSampler) -> Functions:
    """Return, by name, functions from named and typed tensors to a dictionary of tensors.

    N images [H, W, C] are uint8; `values` are the same, float32 on the scale 0 to 1. Codes have D dimensions.

        encode: images [N, …] → mean, log_variance [N, D] of the posterior.
        decode: codes [N, D] → images, values.
        reconstruct: images → images, values, decoded from the posterior's mean.
        interpolate: images [2, …], steps → images, values, codes of `steps` points between their posterior means, ends included.
        sample: normal [N, D], draws from N(0, 1); uniform [N], draws from [0, 1); temperature → codes of new images.
        generate: seed, start, count, temperature → images, values, codes of the images start to start + count of the seed.

    In a conditional model, encode, decode, reconstruct and sample also take labels [N], int64 from 0. interpolate takes
    labels [2], and each step has the label of the nearer end. generate takes a label for all images or one for each, where
    -1 is replaced by a label drawn by the shares in training, and returns labels.
    """

    def decode(codes: Any, labels: Any = None) -> dict[str, Any]:
        normalised = vae.decode(codes, labels)
        return {"images": vae.normalise.to_pixels(normalised), "values": vae.normalise.to_unit(normalised)}

    def encode(images: Any, labels: Any = None) -> dict[str, Any]:
        mean, log_variance = vae.encode({"pixels": images, "labels": labels} if vae.conditional else images)
        return {"mean": mean, "log_variance": log_variance}

    def reconstruct(images: Any, labels: Any = None) -> dict[str, Any]:
        return decode(encode(images, labels)["mean"], labels)

    def interpolate(images: Any, steps: Any, labels: Any = None) -> dict[str, Any]:
        first, last = tf.unstack(encode(images, labels)["mean"], num=2)
        shares = tf.linspace(0.0, 1.0, steps)
        codes = first + shares[:, None] * (last - first)
        nearer = None if labels is None else tf.where(shares < 0.5, labels[0], labels[1])
        return {**decode(codes, nearer), "codes": codes}

    def sample(normal: Any, uniform: Any, temperature: Any, labels: Any = None) -> dict[str, Any]:
        return {"codes": sampler.codes(normal, uniform, labels, temperature=temperature)}

    def generate(seed: Any, start: Any, count: Any, temperature: Any, label: Any = None) -> dict[str, Any]:
        labels, stretch = None, {"start": start, "count": count}
        if vae.conditional:
            drawn = seeded_labels(seed, **stretch, shares=vae.label_shares)
            requested = tf.reshape(tf.broadcast_to(label, [count]), [count])  # the input's shape is unknown
            labels = tf.where(tf.equal(requested, DRAWN), drawn, requested)
        codes = sampled_codes(
            sampler, seed, **stretch, latent_dim=vae.latent_dim, labels=labels, temperature=temperature
        )
        return {**decode(codes, labels), "codes": codes, **({"labels": labels} if vae.conditional else {})}

    dims, shape = vae.latent_dim, vae.image_shape
    images, codes = _spec("images", tf.uint8, None, *shape), _spec("codes", tf.float32, None, dims)
    labels = [_spec("labels", tf.int64, None)] if vae.conditional else []
    temperature = _spec("temperature", tf.float32)
    stretch = [_spec("seed", tf.int64), _spec("start", tf.int64), _spec("count", tf.int32)]
    noise = [_spec("normal", tf.float32, None, dims), _spec("uniform", tf.float32, None)]
    ends = [_spec("images", tf.uint8, 2, *shape), _spec("steps", tf.int32)]
    inputs: dict[Any, list[Any]] = {
        encode: [images, *labels],
        decode: [codes, *labels],
        reconstruct: [images, *labels],
        interpolate: [*ends, *([_spec("labels", tf.int64, 2)] if vae.conditional else [])],
        sample: [*noise, temperature, *labels],
        generate: [*stretch, temperature, *([tf.TensorSpec(None, tf.int64, name="label")] if vae.conditional else [])],
    }
    return {function.__name__: tf.function(function, input_signature=specs) for function, specs in inputs.items()}


def _spec(name: str, dtype: Any, *shape: int | None) -> Any:
    return tf.TensorSpec(shape, dtype, name=name)
