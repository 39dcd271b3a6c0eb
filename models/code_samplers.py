"""Where the codes of new images come from: the prior, or a distribution fitted to the codes of the training images.

Ghosh et al. 2020, "From Variational to Deterministic Autoencoders", section 4: ex-post density estimation.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal

import numpy as np
from keras import ops
from numpy.typing import NDArray

Kind = Literal["normal", "prior", "uniform", "mixture", "posterior"]
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

# Of erf(x) = x · P(x²) / Q(x²) on [-4, 4]: P's coefficients, then Q's, of rising powers.
_ERF_ABOVE = (
    -1.60960333262415e-02,
    -2.95459980854025e-03,
    -7.34990630326855e-04,
    -5.69250639462346e-05,
    -2.10102402082508e-06,
    2.77068142495902e-08,
    -2.72614225801306e-10,
)
_ERF_BELOW = (
    -1.42647390514189e-02,
    -7.37332916720468e-03,
    -1.68282697438203e-03,
    -2.13374055278905e-04,
    -1.45660718464996e-05,
)


@dataclass(frozen=True, eq=False)
class CodeSampler(ABC):
    """A fixed map from noise to codes: with an image's own noise, its code depends on (seed, index) alone.

    Attributes:
        kind: Which sampler it is, for `from_arrays`.
    """

    kind: ClassVar[Kind]

    @abstractmethod
    def codes(self, normal: Any, uniform: Any, labels: Any = None, *, temperature: Any = 1.0) -> Any:
        """Codes [B, D], float32.

        Args:
            normal: Draws from N(0, 1): [B, D].
            uniform: Draws from [0, 1), which choose a component or a row: [B].
            labels: From 0: [B]. Only a sampler of several labels looks at them.
            temperature: How wide codes spread around their centre, a number or a scalar tensor from 0: with 1 they have the
                distribution itself, with less they are likelier and less varied.

        Raises:
            ValueError: It is a sampler of several labels, and none are given.
        """

    @abstractmethod
    def log_density(self, codes: Floats, labels: NDArray[np.int64] | None = None) -> Doubles:
        """Of codes [N, D], at temperature 1, on NumPy: [N], nats.

        Args:
            codes: As `codes` gives them.
            labels: From 0: [N]. Only a sampler of several labels looks at them.
        """

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All that it takes to make it again with `from_arrays`, by name; numbers are arrays of no dimension."""
        return {field.name: np.asarray(getattr(self, field.name)) for field in fields(self)}


@dataclass(frozen=True, eq=False)
class Normal(CodeSampler):
    """The prior, N(0, I).

    Args:
        latent_dim: D.
    """

    kind: ClassVar[Kind] = "normal"
    latent_dim: int

    def codes(self, normal: Any, uniform: Any, labels: Any = None, *, temperature: Any = 1.0) -> Any:
        """As they are drawn, times the temperature."""
        return temperature * ops.cast(normal, "float32")

    def log_density(self, codes: Floats, labels: NDArray[np.int64] | None = None) -> Doubles:
        """-½ (z² + log 2π), added up."""
        return _log_normal(codes.astype(np.float64))


@dataclass(frozen=True, eq=False)
class LearnedPrior(CodeSampler):
    """A prior that was learned with the networks, `models.prior.MixturePrior`: K normal distributions.

    Args:
        shares: Of each, for each of L labels: [L, K]. They add up to 1; L is 1 where the model is not conditional.
        means: [K, D₁], of the dimensions that it is about: the first of a code.
        deviations: [K, D₁].
        latent_dim: D; dimensions beyond D₁ are N(0, 1).
    """

    kind: ClassVar[Kind] = "prior"
    shares: Floats
    means: Floats
    deviations: Floats
    latent_dim: int

    def codes(self, normal: Any, uniform: Any, labels: Any = None, *, temperature: Any = 1.0) -> Any:
        """μ + σ x of the component in whose stretch of [0, 1) the uniform draw lies."""
        normal, uniform = temperature * ops.cast(normal, "float32"), ops.cast(uniform, "float32")
        chosen = _component(self.shares, uniform, _label(labels, count=len(self.shares), like=uniform))
        dims = self.means.shape[1]
        first = ops.take(self.means, chosen, axis=0) + ops.take(self.deviations, chosen, axis=0) * normal[:, :dims]
        return ops.concatenate([first, normal[:, dims:]], axis=-1)

    def log_density(self, codes: Floats, labels: NDArray[np.int64] | None = None) -> Doubles:
        """Of its normal distributions together, and N(0, I) beyond D₁."""
        dims, z = self.means.shape[1], codes.astype(np.float64)
        each = [
            _log_normal((z[:, :dims] - mean) / deviation) - np.log(deviation.astype(np.float64)).sum()
            for mean, deviation in zip(self.means, self.deviations, strict=True)
        ]
        return _log_mixed(self.shares, np.stack(each, axis=1), labels) + _log_normal(z[:, dims:])


@dataclass(frozen=True, eq=False)
class UniformBox(CodeSampler):
    """Uniform between two ends of each dimension; the temperature shrinks the box around its centre.

    Args:
        low: [D].
        high: [D].
    """

    kind: ClassVar[Kind] = "uniform"
    low: Floats
    high: Floats

    def codes(self, normal: Any, uniform: Any, labels: Any = None, *, temperature: Any = 1.0) -> Any:
        """Each draw's place in the box is its share of N(0, 1), Φ(x) = (1 + erf(x / √2)) / 2."""
        centred = 0.5 * _erf(ops.cast(normal, "float32") / math.sqrt(2.0))  # Φ(x) - ½
        return self.low + (self.high - self.low) * (0.5 + temperature * centred)

    def log_density(self, codes: Floats, labels: NDArray[np.int64] | None = None) -> Doubles:
        """The same anywhere inside, with dimensions of no width left aside; -∞ outside."""
        widths = (self.high - self.low).astype(np.float64)
        inside = ((codes >= self.low) & (codes <= self.high)).all(axis=1)
        return np.where(inside, -np.log(widths[widths > 0]).sum(), -np.inf)


@dataclass(frozen=True, eq=False)
class Mixture(CodeSampler):
    """K normal distributions for each of L labels; L is 1 where the model is not conditional.

    A batch takes 4 · B · D² bytes while it is drawn, for the factor of each code's component: 69 MB for 1,024 codes of 130
    dimensions. Many codes are drawn in several batches.

    Args:
        shares: Of each component among the label's codes: [L, K]. They add up to 1; nothing is drawn from a share of 0.
        means: [L, K, D].
        factors: Lower Cholesky factors of the covariances: [L, K, D, D].
    """

    kind: ClassVar[Kind] = "mixture"
    shares: Floats
    means: Floats
    factors: Floats

    def codes(self, normal: Any, uniform: Any, labels: Any = None, *, temperature: Any = 1.0) -> Any:
        """μ + L x of the component in whose stretch of [0, 1) the uniform draw lies."""
        count, components, dims = self.means.shape
        uniform = ops.cast(uniform, "float32")
        label = _label(labels, count=count, like=uniform)
        chosen = label * components + _component(self.shares, uniform, label)  # [B], of all labels' components
        factors = ops.take(self.factors.reshape(-1, dims, dims), chosen, axis=0)  # [B, D, D]
        deviations = ops.squeeze(ops.matmul(factors, ops.expand_dims(ops.cast(normal, "float32"), -1)), -1)
        return ops.take(self.means.reshape(-1, dims), chosen, axis=0) + temperature * deviations

    def log_density(self, codes: Floats, labels: NDArray[np.int64] | None = None) -> Doubles:
        """Of the label's components together."""
        z, found = codes.astype(np.float64), np.full(len(codes), -np.inf)
        label = np.zeros(len(codes), np.int64) if len(self.shares) == 1 or labels is None else labels
        for own in np.unique(label):
            here, used = label == own, np.flatnonzero(self.shares[own] > 0)
            each = []
            for component in used:
                factor = self.factors[own, component].astype(np.float64)
                white = np.linalg.solve(factor, (z[here] - self.means[own, component]).T).T
                each.append(_log_normal(white) - np.log(np.diag(factor)).sum())
            found[here] = _log_mixed(self.shares[own, used][None], np.stack(each, axis=1), None)
        return found


@dataclass(frozen=True, eq=False)
class AggregatePosterior(CodeSampler):
    """The mixture of the posteriors of single images: Tomczak & Welling 2018, "VAE with a VampPrior", equation 4.

    With bandwidth 1 this is the aggregate posterior itself. A code lies near that of a single training image, and its image
    looks like that one, the more so the smaller the bandwidth or the temperature.

    Args:
        means: Of the images' posteriors, sorted by label: [N, D].
        deviations: Their standard deviations: [N, D].
        starts: The rows of label l are ``starts[l]`` to ``starts[l + 1]``: [L + 1], int32. A label without rows takes any.
            No label has more than 2²⁴ rows.
        bandwidth: By which deviations are multiplied.
    """

    kind: ClassVar[Kind] = "posterior"
    means: Floats
    deviations: Floats
    starts: NDArray[np.int32]
    bandwidth: float = 1.0

    def codes(self, normal: Any, uniform: Any, labels: Any = None, *, temperature: Any = 1.0) -> Any:
        """μ + bandwidth · σ · x of the row that the uniform draw points at."""
        uniform = ops.cast(uniform, "float32")
        label = _label(labels, count=len(self.starts) - 1, like=uniform)
        rows = np.diff(self.starts)
        first = np.where(rows > 0, self.starts[:-1], 0).astype(np.int32)
        rows = np.where(rows > 0, rows, len(self.means)).astype(np.int32)
        available = ops.take(rows, label, axis=0)  # [B]
        place = ops.cast(ops.floor(uniform * ops.cast(available, "float32")), "int32")
        chosen = ops.take(first, label, axis=0) + ops.minimum(place, available - 1)  # rounding may reach the next label
        deviations = self.bandwidth * ops.take(self.deviations, chosen, axis=0)
        return ops.take(self.means, chosen, axis=0) + temperature * deviations * ops.cast(normal, "float32")

    def log_density(self, codes: Floats, labels: NDArray[np.int64] | None = None) -> Doubles:
        """Of the label's rows together; each code takes 8 · N · D bytes while it is looked at."""
        several = len(self.starts) > 2 and labels is not None
        found = np.empty(len(codes))
        for place, code in enumerate(codes.astype(np.float64)):
            first, last = self.starts[labels[place] :][:2] if several and labels is not None else (0, len(self.means))
            rows = slice(first, last) if last > first else slice(None)
            deviations = np.float64(self.bandwidth) * self.deviations[rows]
            each = _log_normal((code - self.means[rows]) / deviations) - np.log(deviations).sum(axis=1)
            found[place] = np.logaddexp.reduce(each) - np.log(len(each))
        return found


def from_arrays(kind: str, arrays: Mapping[str, NDArray[Any]]) -> CodeSampler:
    """The sampler of a kind from what its `arrays` gave.

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
    raise ValueError(f"no sampler of codes is called {kind!r}")


def _erf(x: Any) -> Any:
    """Return the error function of a float32 tensor, within 5e-7, by the rational function that Eigen uses too.

    `keras.ops.erf` becomes an operation that LiteRT lacks; this is made of those that every form of a generator has.
    """
    x = ops.clip(x, -4.0, 4.0)  # beyond, it is 1 in float32
    above, below = (_polynomial(ops.square(x), coefficients) for coefficients in (_ERF_ABOVE, _ERF_BELOW))
    return ops.clip(x * above / below, -1.0, 1.0)


def _polynomial(x: Any, coefficients: Sequence[float]) -> Any:
    """Return ``c₀ + c₁ x + c₂ x² + …`` by Horner's rule."""
    *lower, value = coefficients
    for coefficient in reversed(lower):
        value = value * x + coefficient
    return value


def _log_normal(codes: Doubles) -> Doubles:
    """Log density of N(0, I): [N, D] to [N]."""
    found: Doubles = -0.5 * (np.square(codes).sum(axis=1) + codes.shape[1] * math.log(2 * math.pi))
    return found


def _log_mixed(shares: Floats, each: Doubles, labels: NDArray[np.int64] | None) -> Doubles:
    """Log density of K distributions together, of the log density of each [N, K] and their shares [L, K]: [N]."""
    with np.errstate(divide="ignore"):  # of a share of 0
        log_shares = np.log(shares.astype(np.float64))
    own = log_shares if len(log_shares) == 1 or labels is None else log_shares[labels]
    found: Doubles = np.logaddexp.reduce(own + each, axis=1)
    return found


def _component(shares: Floats, uniform: Any, label: Any) -> Any:
    """In which component's stretch of [0, 1) each draw lies, by the shares [L, K] of its label: [B], int32."""
    if shares.shape[1] == 1:
        return ops.zeros_like(label)  # a tensor of no columns, which onnxruntime-web 1.30 cannot add up
    # Where each component but the first begins. What rounding leaves beyond the last is no other component's.
    exact = shares.astype(np.float64)
    begins = exact.cumsum(axis=1)[:, :-1]
    left = exact[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:]
    begins = np.where(left > 0, begins, np.inf).astype(np.float32)  # [L, K - 1]
    passed = ops.expand_dims(uniform, -1) >= ops.take(begins, label, axis=0)
    return ops.sum(ops.cast(passed, "int32"), axis=-1)


def _label(labels: Any, *, count: int, like: Any) -> Any:
    """The label of each code: [B], int32; 0 where there is but one."""
    if count == 1:
        return ops.zeros_like(like, dtype="int32")
    if labels is None:
        raise ValueError(f"codes are drawn by {count} labels, and none are given")
    return ops.cast(labels, "int32")
