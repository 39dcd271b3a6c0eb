"""Encoder and decoder as `.keras` files of stock layers, which Keras opens without this project, on any back end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
from keras import ops

from components.engine.keras_file import save_model
from models.vae import VAE

Tensor = Any


def write_keras_files(vae: VAE, path: Path, *, work: Path) -> None:
    """Write ``encode.keras`` and ``decode.keras``, with the inputs and outputs of the signatures of those names."""
    path.mkdir()
    labels = keras.Input((), dtype="int32", name="labels") if vae.conditional else None
    label_inputs = {} if labels is None else {"labels": labels}

    def write(name: str, first: Tensor, outputs: dict[str, Tensor]) -> None:
        network = keras.Model({first.name: first, **label_inputs}, outputs, name=name)
        save_model(network, path / f"{name}.keras", work=work)

    def with_labels(first: Tensor) -> Tensor:
        return first if labels is None else [first, labels]

    images = keras.Input(vae.image_shape, dtype="uint8", name="images")
    # The arithmetic of the layer without the layer, because its class is this project's own.
    mean, log_variance, *features = vae.encoder(with_labels(vae.normalise.call(images)))
    if vae.local_encoder:  # as in VAE.encode: the second level's posterior given the first's mean
        local_mean, local_log_variance = vae.local_encoder([*features, mean])
        mean = ops.concatenate([mean, local_mean], axis=-1)
        log_variance = ops.concatenate([log_variance, local_log_variance], axis=-1)
    write("encode", images, {"mean": mean, "log_variance": log_variance})
    codes = keras.Input((vae.latent_dim,), name="codes")
    decoded = vae.likelihood.mean(vae.image_decoder(with_labels(codes)))
    write("decode", codes, {"images": vae.normalise.to_pixels(decoded), "values": vae.normalise.to_unit(decoded)})
