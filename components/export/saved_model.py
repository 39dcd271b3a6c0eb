"""The SavedModel: named signatures, raw pixels in and out, the sampler inside."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import tensorflow as tf

from models.vae import VAE

_PHILOX = 1  # tf.random.Algorithm.PHILOX
_NORMALS_PER_COUNTER = 4  # a Philox block holds four 32-bit words, of which TensorFlow makes four normals


def seeded_codes(seed: Any, *, start: Any, count: Any, latent_dim: int) -> Any:
    """Codes from N(0, I) for the images `start` to `start + count` of a seed: [count, latent_dim], float32.

    Philox is counter-based (Salmon et al. 2011): with the seed as key and as many counters per image as its code needs,
    code i depends on (seed, i) alone, and any stretch of codes is drawn without those before it.
    """
    blocks = math.ceil(latent_dim / _NORMALS_PER_COUNTER)
    counter = tf.stack([tf.cast(start, tf.uint64) * blocks, tf.constant(0, tf.uint64)])
    normals = tf.raw_ops.StatelessRandomNormalV2(
        shape=tf.stack([count, blocks * _NORMALS_PER_COUNTER]),
        key=tf.cast(seed, tf.uint64)[None],
        counter=counter,
        alg=_PHILOX,
    )
    return normals[:, :latent_dim]


def write_saved_model(vae: VAE, path: Path) -> None:
    """Writes the SavedModel. `images` are uint8 [N, H, W, C]; `values` are the same, float32 on the scale 0 to 1.

    Signatures:
        encode: images → mean, log_variance [N, D] of the posterior.
        decode: codes [N, D] → images, values.
        reconstruct: images → images, values, by way of the posterior's mean.
        generate: seed, start, count → images, values, codes of the images start to start + count of the seed.
    """

    def decode(codes: Any) -> dict[str, Any]:
        normalised = vae.decode(codes)
        return {"images": vae.normalise.to_pixels(normalised), "values": vae.normalise.to_unit(normalised)}

    def encode(images: Any) -> dict[str, Any]:
        mean, log_variance = vae.encode(images)
        return {"mean": mean, "log_variance": log_variance}

    def reconstruct(images: Any) -> dict[str, Any]:
        return decode(vae.encode(images)[0])

    def generate(seed: Any, start: Any, count: Any) -> dict[str, Any]:
        codes = seeded_codes(seed, start=start, count=count, latent_dim=vae.latent_dim)
        return {**decode(codes), "codes": codes}

    images = tf.TensorSpec((None, *vae.image_shape), tf.uint8, name="images")
    # A plain module with the weights in a list: Keras's ExportArchive collects them in sets, in another order each time,
    # and the same model would not be the same bytes.
    module = tf.Module()
    module.weights = [weight.value for weight in vae.weights]
    signatures = {
        "encode": tf.function(encode, [images]),
        "decode": tf.function(decode, [tf.TensorSpec((None, vae.latent_dim), tf.float32, name="codes")]),
        "reconstruct": tf.function(reconstruct, [images]),
        "generate": tf.function(
            generate,
            [
                tf.TensorSpec((), tf.int64, name="seed"),
                tf.TensorSpec((), tf.int64, name="start"),
                tf.TensorSpec((), tf.int32, name="count"),
            ],
        ),
    }
    tf.saved_model.save(module, str(path), signatures)
    # It holds a random number, and nothing needs it: the manifest has every file's sha256.
    (path / "fingerprint.pb").unlink(missing_ok=True)
