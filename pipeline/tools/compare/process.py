"""The process in which TensorFlow works for `compare`: ``python -m pipeline.tools.compare.process FOLDER SAVED_MODEL … FD``.

Of generator i it reads ``FOLDER/i.npz`` (images, numbers: labels of these) and writes ``FOLDER/i-out.npz``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.workers.child import run_as_child

COUNT = 10  # images of a row
SEED = 0  # of codes
DRAWN = -1  # instead of a label: each image gets its own


def codes_of(latent_dim: int) -> NDArray[np.float32]:
    """The codes that every generator of so many dimensions decodes, from N(0, I): [COUNT, latent_dim]."""
    return np.random.default_rng(SEED).standard_normal((COUNT, latent_dim), np.float32)


def asked(saved_model: Path, images: NDArray[np.uint8], numbers: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """What a generator makes of images, of codes, and of a seed.

    Args:
        saved_model: With the signatures `reconstruct`, `decode` and `generate`.
        images: [n, H, W, C]; n = 0: none are reconstructed.
        numbers: Their labels, from 0, for a generator that takes labels: [n].

    Returns:
        reconstructed [n, H, W, C]; decoded, of `codes_of`, and sampled, the first of seed `SEED`: [COUNT, H, W, C]; latent_dim.
    """
    import tensorflow as tf

    loaded = tf.saved_model.load(str(saved_model))  # it holds the weights
    signatures = loaded.signatures
    takes = signatures["decode"].structured_input_signature[1]
    codes, labelled = codes_of(int(takes["codes"].shape[1])), "labels" in takes

    def labels(values: NDArray[np.int64]) -> dict[str, Any]:
        return {"labels": tf.constant(values, tf.int64)} if labelled else {}

    found = {"latent_dim": np.array(codes.shape[1])}
    found["reconstructed"] = (
        signatures["reconstruct"](images=tf.constant(images), **labels(numbers))["images"].numpy()
        if len(images)
        else images
    )
    drawn = {"label": tf.constant(DRAWN, tf.int64)} if labelled else {}
    sampled = signatures["generate"](
        seed=tf.constant(SEED, tf.int64),
        start=tf.constant(0, tf.int64),
        count=tf.constant(COUNT, tf.int32),
        temperature=tf.constant(1.0, tf.float32),
        **drawn,
    )
    found["sampled"] = sampled["images"].numpy()
    # Of one generator the same labels for both: those that it drew.
    decoded = signatures["decode"](codes=tf.constant(codes), **(labels(sampled["labels"].numpy()) if labelled else {}))
    found["decoded"] = decoded["images"].numpy()
    return found


def main(folder: str, *saved_models: str) -> None:
    """Asks one generator after another."""
    from components.engine.device import prepare_device

    prepare_device()
    for number, saved_model in enumerate(saved_models):
        with np.load(Path(folder, f"{number}.npz"), allow_pickle=False) as given:
            found = asked(Path(saved_model), given["images"], given["numbers"])
        np.savez(Path(folder, f"{number}-out.npz"), allow_pickle=False, **found)


if __name__ == "__main__":
    sys.exit(run_as_child(main))
