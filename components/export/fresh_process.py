"""Run as a script, in a process of its own: loads a SavedModel with TensorFlow alone, and calls its signatures.

Nothing of this project is imported here, as nothing of it is where the generator is going to be used.
"""

from __future__ import annotations

import sys

import numpy as np
import tensorflow as tf


def main(saved_model: str, inputs: str, outputs: str) -> None:
    """Calls every signature on the arrays of `inputs` (.npz) and writes what comes back to `outputs` (.npz).

    An input `<signature>.<argument>` is that argument.
    """
    signatures = tf.saved_model.load(saved_model).signatures
    with np.load(inputs, allow_pickle=False) as given:
        arguments = {name: {} for name in signatures}
        for key in given.files:
            name, argument = key.split(".")
            arguments[name][argument] = tf.constant(given[key])
    found = {name: signatures[name](**arguments[name]) for name in signatures}
    np.savez(outputs, **{f"{name}.{key}": value.numpy() for name, got in found.items() for key, value in got.items()})


if __name__ == "__main__":
    main(*sys.argv[1:])
