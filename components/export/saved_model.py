"""The SavedModel: named signatures, raw pixels in and out, the sampler inside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import tensorflow as tf

from components.export.conditional import conditional_signatures
from components.export.draws import sampled_codes
from models.code_samplers import CodeSampler
from models.vae import VAE


def write_saved_model(vae: VAE, path: Path, *, sampler: CodeSampler | None = None) -> None:
    """Writes the SavedModel. `images` are uint8 [N, H, W, C]; `values` are the same, float32 on the scale 0 to 1.

    Signatures:
        encode: images → mean, log_variance [N, D] of the posterior.
        decode: codes [N, D] → images, values.
        reconstruct: images → images, values, by way of the posterior's mean.
        generate: seed, start, count, temperature → images, values, codes of the images start to start + count of the seed,
            whose codes the sampler draws; without one, the prior.

    A conditional model's are `conditional_signatures`; the names of its labels are in ``assets.extra/labels.json``.
    """
    # A plain module with the weights in a list: Keras's ExportArchive collects them in sets, in another order each time,
    # and the same model would not be the same bytes.
    module = tf.Module()
    module.weights = [weight.value for weight in vae.weights]
    sampler = sampler or vae.prior_sampler()
    signatures = conditional_signatures(vae, sampler) if vae.conditional else _signatures(vae, sampler)
    tf.saved_model.save(module, str(path), signatures)
    # It holds a random number, and nothing needs it: the manifest has every file's sha256.
    (path / "fingerprint.pb").unlink(missing_ok=True)
    if vae.conditional:
        names = (
            path / "assets.extra" / "labels.json"
        )  # the folder that TensorFlow sets aside for what belongs to a model
        names.parent.mkdir()
        names.write_text(json.dumps(list(vae.labels), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _signatures(vae: VAE, sampler: CodeSampler) -> dict[str, Any]:
    def decode(codes: Any) -> dict[str, Any]:
        normalised = vae.decode(codes)
        return {"images": vae.normalise.to_pixels(normalised), "values": vae.normalise.to_unit(normalised)}

    def encode(images: Any) -> dict[str, Any]:
        mean, log_variance = vae.encode(images)
        return {"mean": mean, "log_variance": log_variance}

    def reconstruct(images: Any) -> dict[str, Any]:
        return decode(vae.encode(images)[0])

    def generate(seed: Any, start: Any, count: Any, temperature: Any) -> dict[str, Any]:
        drawn = {"start": start, "count": count, "latent_dim": vae.latent_dim}
        codes = sampled_codes(sampler, seed, **drawn, labels=None, temperature=temperature)
        return {**decode(codes), "codes": codes}

    images = tf.TensorSpec((None, *vae.image_shape), tf.uint8, name="images")
    return {
        "encode": tf.function(encode, [images]),
        "decode": tf.function(decode, [tf.TensorSpec((None, vae.latent_dim), tf.float32, name="codes")]),
        "reconstruct": tf.function(reconstruct, [images]),
        "generate": tf.function(
            generate,
            [
                tf.TensorSpec((), tf.int64, name="seed"),
                tf.TensorSpec((), tf.int64, name="start"),
                tf.TensorSpec((), tf.int32, name="count"),
                tf.TensorSpec((), tf.float32, name="temperature"),
            ],
        ),
    }
