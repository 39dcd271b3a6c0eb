"""Convert tensors of any Keras back end to NumPy arrays, to compare them."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops


def to_numpy(tensor: Any) -> np.ndarray[Any, Any]:
    """Return a tensor as an array of the same type."""
    return np.asarray(ops.convert_to_numpy(tensor))


def to_float64(tensor: Any) -> np.ndarray[Any, Any]:
    """Return a tensor as an array of float64."""
    return np.asarray(ops.convert_to_numpy(tensor), np.float64)
