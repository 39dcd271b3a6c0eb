"""Encoder and decoder as `.keras` files of stock layers, which Keras opens without this project, on any back end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
from keras import ops

from components.engine.keras_file import save_model
from models.vae import VAE


def write_keras_files(vae: VAE, path: Path, *, work: Path) -> None:
    """Writes ``encode.keras`` and ``decode.keras``, which take and return what the signatures of those names do."""
    path.mkdir()
    labels = keras.Input((), dtype="int32", name="labels") if vae.conditional else None
    given = {} if labels is None else {"labels": labels}

    def network(name: str, first: Any, made: dict[str, Any]) -> None:
        saved = keras.Model({first.name: first, **given}, made, name=name)
        save_model(saved, path / f"{name}.keras", work=work)

    def beside(first: Any) -> Any:
        return first if labels is None else [first, labels]

    images = keras.Input(vae.image_shape, dtype="uint8", name="images")
    # What the layer does, without the layer, which is this project's own.
    mean, log_variance, *features = vae.encoder(beside(vae.normalise.call(images)))
    if vae.local_encoder:  # as in VAE.encode: the second level's posterior given the first's mean
        local_mean, local_log_variance = vae.local_encoder([*features, mean])
        mean = ops.concatenate([mean, local_mean], axis=-1)
        log_variance = ops.concatenate([log_variance, local_log_variance], axis=-1)
    network("encode", images, {"mean": mean, "log_variance": log_variance})
    codes = keras.Input((vae.latent_dim,), name="codes")
    made = vae.likelihood.mean(vae.decoder(beside(codes)))
    network("decode", codes, {"images": vae.normalise.to_pixels(made), "values": vae.normalise.to_unit(made)})
