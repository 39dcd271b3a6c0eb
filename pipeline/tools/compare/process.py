"""The process in which TensorFlow works for `compare`: ``python -m pipeline.tools.compare.process FOLDER SAVED_MODEL … FD``.

For generator i it reads ``FOLDER/i.npz``, the arguments of `run_generator`, and writes ``FOLDER/i-out.npz``, its result.
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
DRAWN = -1  # instead of a label: each image gets a label by the labels' shares
_BATCH = 100  # images that are encoded at a time


def shared_codes(latent_dim: int) -> NDArray[np.float32]:
    """Return the codes from N(0, I) that every generator with `latent_dim` dimensions decodes: [COUNT, latent_dim]."""
    return np.random.default_rng(SEED).standard_normal((COUNT, latent_dim), np.float32)


def run_generator(
    saved_model: Path,
    *,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    scatter_images: NDArray[np.uint8],
    scatter_labels: NDArray[np.int64],
) -> dict[str, NDArray[Any]]:
    """Reconstruct images, encode others, decode shared codes, and draw new images of a seed.

    Args:
        saved_model: With the signatures `encode`, `decode`, `reconstruct` and `generate`.
        images: To be reconstructed: [n, H, W, C]; n = 0: none are.
        labels: Their labels, from 0, for a generator that takes labels: [n].
        scatter_images: To be encoded: [m, H, W, C]; m = 0: none are.
        scatter_labels: Their labels: [m].

    Returns:
        reconstructed [n, H, W, C]; codes [m, D]; decoded, of `shared_codes`, and sampled, the first of seed `SEED`:
        [COUNT, H, W, C]; latent_dim.
    """
    import tensorflow as tf

    loaded = tf.saved_model.load(str(saved_model))  # it holds the weights
    signatures = loaded.signatures
    inputs = signatures["decode"].structured_input_signature[1]
    codes, conditional = shared_codes(int(inputs["codes"].shape[1])), "labels" in inputs

    def labels_of(values: NDArray[np.int64]) -> dict[str, Any]:
        return {"labels": tf.constant(values, tf.int64)} if conditional else {}

    label = {"label": tf.constant(DRAWN, tf.int64)} if conditional else {}
    sampled = signatures["generate"](
        seed=tf.constant(SEED, tf.int64),
        start=tf.constant(0, tf.int64),
        count=tf.constant(COUNT, tf.int32),
        temperature=tf.constant(1.0, tf.float32),
        **label,
    )
    # A generator decodes the shared codes with the same labels that it drew for its samples.
    drawn_labels = labels_of(sampled["labels"].numpy()) if conditional else {}
    reconstructed = images
    if len(images):
        reconstructed = signatures["reconstruct"](images=tf.constant(images), **labels_of(labels))["images"].numpy()
    means = [
        signatures["encode"](
            images=tf.constant(scatter_images[start : start + _BATCH]),
            **labels_of(scatter_labels[start : start + _BATCH]),
        )["mean"].numpy()
        for start in range(0, len(scatter_images), _BATCH)
    ]
    return {
        "latent_dim": np.array(codes.shape[1]),
        "reconstructed": reconstructed,
        "codes": np.concatenate([codes[:0], *means]),
        "decoded": signatures["decode"](codes=tf.constant(codes), **drawn_labels)["images"].numpy(),
        "sampled": sampled["images"].numpy(),
    }


def main(folder: str, *saved_models: str) -> None:
    """Run one generator after another."""
    from components.engine.device import prepare_device

    prepare_device()
    for number, saved_model in enumerate(saved_models):
        with np.load(Path(folder, f"{number}.npz"), allow_pickle=False) as arguments:
            result = run_generator(Path(saved_model), **arguments)
        np.savez(Path(folder, f"{number}-out.npz"), allow_pickle=False, **result)


if __name__ == "__main__":
    sys.exit(run_as_child(main))
