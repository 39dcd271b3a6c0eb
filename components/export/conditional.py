"""The signatures of a conditional model: as those of any other, with labels."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from components.export.draws import sampled_codes, seeded_labels
from models.code_samplers import CodeSampler
from models.vae import VAE

DRAWN = -1  # instead of a label: each image gets its own


def conditional_signatures(vae: VAE, sampler: CodeSampler) -> dict[str, Any]:
    """What a conditional SavedModel can be asked; `labels` are int64 [N], from 0.

    encode: images, labels → mean, log_variance. decode: codes, labels → images, values. reconstruct: images, labels →
    images, values. generate: seed, start, count, temperature, label → images, values, codes, labels; `label` is an int64 []
    for all of them, or -1: each is drawn by the labels' shares in training.
    """

    def decode(codes: Any, labels: Any) -> dict[str, Any]:
        normalised = vae.decode(codes, labels)
        return {"images": vae.normalise.to_pixels(normalised), "values": vae.normalise.to_unit(normalised)}

    def encode(images: Any, labels: Any) -> dict[str, Any]:
        mean, log_variance = vae.encode({"pixels": images, "labels": labels})
        return {"mean": mean, "log_variance": log_variance}

    def reconstruct(images: Any, labels: Any) -> dict[str, Any]:
        return decode(encode(images, labels)["mean"], labels)

    def generate(seed: Any, start: Any, count: Any, temperature: Any, label: Any) -> dict[str, Any]:
        drawn = seeded_labels(seed, start=start, count=count, shares=vae.label_shares)
        labels = tf.where(tf.equal(label, DRAWN), drawn, tf.fill([count], label))
        stretch = {"start": start, "count": count, "latent_dim": vae.latent_dim}
        codes = sampled_codes(sampler, seed, **stretch, labels=labels, temperature=temperature)
        return {**decode(codes, labels), "codes": codes, "labels": labels}

    images = tf.TensorSpec((None, *vae.image_shape), tf.uint8, name="images")
    labels = tf.TensorSpec((None,), tf.int64, name="labels")
    return {
        "encode": tf.function(encode, [images, labels]),
        "decode": tf.function(decode, [tf.TensorSpec((None, vae.latent_dim), tf.float32, name="codes"), labels]),
        "reconstruct": tf.function(reconstruct, [images, labels]),
        "generate": tf.function(
            generate,
            [
                tf.TensorSpec((), tf.int64, name="seed"),
                tf.TensorSpec((), tf.int64, name="start"),
                tf.TensorSpec((), tf.int32, name="count"),
                tf.TensorSpec((), tf.float32, name="temperature"),
                tf.TensorSpec((), tf.int64, name="label"),
            ],
        ),
    }
