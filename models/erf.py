"""The error function, made of operations that every form of a generator has: LiteRT lacks what `keras.ops.erf` becomes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

# Of erf(x) = x · P(x²) / Q(x²) on [-4, 4]: P's coefficients, then Q's, of rising powers.
_ABOVE = (
    -1.60960333262415e-02,
    -2.95459980854025e-03,
    -7.34990630326855e-04,
    -5.69250639462346e-05,
    -2.10102402082508e-06,
    2.77068142495902e-08,
    -2.72614225801306e-10,
)
_BELOW = (
    -1.42647390514189e-02,
    -7.37332916720468e-03,
    -1.68282697438203e-03,
    -2.13374055278905e-04,
    -1.45660718464996e-05,
)


def erf(x: Any) -> Any:
    """Return the error function of a float32 tensor, within 5e-7, by the rational function that Eigen uses too."""
    x = ops.clip(x, -4.0, 4.0)  # beyond, it is 1 in float32
    above, below = (_polynomial(ops.square(x), coefficients) for coefficients in (_ABOVE, _BELOW))
    return ops.clip(x * above / below, -1.0, 1.0)


def _polynomial(x: Any, coefficients: Sequence[float]) -> Any:
    """Return ``c₀ + c₁ x + c₂ x² + …`` by Horner's rule."""
    *lower, value = coefficients
    for coefficient in reversed(lower):
        value = value * x + coefficient
    return value
