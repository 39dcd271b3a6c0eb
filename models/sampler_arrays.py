"""Samplers of codes as arrays by name: what their files hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.code_samplers import AggregatePosterior, CodeSampler, LearnedPrior, Mixture, Normal, UniformBox
from models.flow import Flow


def from_arrays(kind: str, arrays: Mapping[str, NDArray[Any]]) -> CodeSampler:
    """Return the sampler of a kind, built from what its `arrays` returned.

    Raises:
        KeyError: An array is missing.
        ValueError: There is no such kind.
    """
    floats = {name: np.asarray(values, np.float32) for name, values in arrays.items()}
    match kind:
        case "normal":
            return Normal(int(arrays["latent_dim"]))
        case "prior":
            return LearnedPrior(floats["shares"], floats["means"], floats["deviations"], int(arrays["latent_dim"]))
        case "uniform":
            return UniformBox(floats["low"], floats["high"])
        case "mixture":
            return Mixture(floats["shares"], floats["means"], floats["factors"])
        case "posterior":
            starts = np.asarray(arrays["starts"], np.int32)
            return AggregatePosterior(floats["means"], floats["deviations"], starts, float(arrays["bandwidth"]))
        case "flow":
            return Flow.of_arrays(arrays)
    raise ValueError(f"kind: expected a kind of sampler, found {kind!r}")
