"""The device that a stage computes on. Importing this module loads TensorFlow."""

from __future__ import annotations

import os

import tensorflow as tf


def prepare_device(*, deterministic: bool = False) -> str:
    """Prepare the GPU or the CPU, and return its name, such as `GPU NVIDIA H100` or `CPU, 2 cores`.

    Args:
        deterministic: Whether results are bit-equal from run to run, which is slower on GPUs.
    """
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        # Take memory as it is needed, so that two processes can share a card.
        tf.config.experimental.set_memory_growth(gpu, True)
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    if not gpus:
        return f"CPU, {os.cpu_count()} cores"
    names = [tf.config.experimental.get_device_details(gpu).get("device_name", "GPU") for gpu in gpus]
    return f"GPU {names[0]}"
