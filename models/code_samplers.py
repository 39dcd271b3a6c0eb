"""Distributions from which the codes of new images are drawn: the prior, or a fit to the codes of the training images.

Ghosh et al. 2020, "From Variational to Deterministic Autoencoders", section 4: ex-post density estimation.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal

import numpy as np
from keras import ops
from numpy.typing import NDArray

from models.erf import erf

Kind = Literal["normal", "prior", "uniform", "mixture", "posterior", "flow"]
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CodeSampler(ABC):
    """A fixed map from noise to codes.

    As the noise of an image depends only on (seed, index), so does its code.

    Attributes:
        kind: Name of the sampler, for `models.sampler_arrays.from_arrays`.
    """

    kind: ClassVar[Kind]

    @abstractmethod
    def codes(self, normal: Any, uniform: Any, labels: Any = None, *, temperature: Any = 1.0) -> Any:
        """Return codes [B, D], float32.

        Args:
            normal: Draws from N(0, 1): [B, D].
            uniform: Draws from [0, 1), which select a component or a row: [B].
            labels: Numbers of labels, from 0: [B]. Ignored by a sampler without labels.
            temperature: Factor of the spread of codes around their centre, from 0; a number or a scalar tensor. 1 is the
                distribution itself; below 1, codes are more likely and less varied.

        Raises:
            ValueError: The sampler has several labels, and `labels` is None.
        """

    @property
    def multiplications(self) -> int:
        """Multiplications that a code takes; 0 where they are next to none beside those of any decoder."""
        return 0

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays from which `models.sampler_arrays.from_arrays` builds the same sampler, by name.

        Numbers are arrays without dimensions.
        """
        return {field.name: np.asarray(getattr(self, field.name)) for field in fields(self)}


class DensitySampler(CodeSampler):
    """A sampler that says how likely a code is."""

    @abstractmethod
    def log_density(self, codes: Floats, labels: NDArray[np.int64] | None = None) -> Doubles:
        """Return the log density of codes at temperature 1: [N], nats.

        Args:
            codes: Codes [N, D].
            labels: Numbers of labels, from 0: [N]. Ignored by a sampler without labels.
        """


@dataclass(frozen=True, eq=False)
class Normal(DensitySampler):
    """The prior, N(0, I).

    Args:
        latent_dim: D.
    """

    kind: ClassVar[Kind] = "normal"
    latent_dim: int

    def codes(self, normal: Any, uniform: Any, labels: Any = None, *, temperature: Any = 1.0) -> Any:
        """Return the normal draws times the temperature: [B, D]."""
        return temperature * ops.cast(normal, "float32")

    def log_density(self, codes: Floats, labels: NDArray[np.int64] | None = None) -> Doubles:
        """Return the sum of ``-½ (z² + log 2π)`` over the dimensions: [N], nats."""
        return _log_normal(codes.astype(np.float64))


@dataclass(frozen=True, eq=False)
class LearnedPrior(DensitySampler):
    """A prior that was learned with the networks: K normal distributions, see `models.prior.MixturePrior`.

    Args:
        shares: Share of each distribution, for each of L labels: [L, K]. They add up to 1; L is 1 for a model without labels.
        means: Means of the first D₁ dimensions of a code: [K, D₁].
        deviations: Standard deviations of these dimensions: [K, D₁].
        latent_dim: D; dimensions beyond D₁ are N(0, 1).
    """

    kind: ClassVar[Kind] = "prior"
    shares: Floats
    means: Floats
    deviations: Floats
    latent_dim: int

    def codes(self, normal: Any, uniform: Any, labels: Any = None, *, temperature: Any = 1.0) -> Any:
        """Return μ + σ x of the component that the uniform draw selects: [B, D]."""
        normal, uniform = temperature * ops.cast(normal, "float32"), ops.cast(uniform, "float32")
        component = selected_component(
            self.shares, uniform, label_numbers(labels, count=len(self.shares), like=uniform)
        )
        dims = self.means.shape[1]
        means, deviations = (ops.take(values, component, axis=0) for values in (self.means, self.deviations))
        first = means + deviations * normal[:, :dims]
        return ops.concatenate([first, normal[:, dims:]], axis=-1)

    def log_density(self, codes: Floats, labels: NDArray[np.int64] | None = None) -> Doubles:
        """Return the log density of the mixture, and of N(0, I) beyond D₁: [N], nats."""
        dims, z = self.means.shape[1], codes.astype(np.float64)
        components = [
            _log_normal((z[:, :dims] - mean) / deviation) - np.log(deviation.astype(np.float64)).sum()
            for mean, deviation in zip(self.means, self.deviations, strict=True)
        ]
        return _log_mixture(self.shares, np.stack(components, axis=1), labels) + _log_normal(z[:, dims:])


@dataclass(frozen=True, eq=False)
class UniformBox(DensitySampler):
    """A uniform distribution in a box; the temperature shrinks the box around its centre.

    Args:
        low: Lower end of each dimension: [D].
        high: Upper end of each dimension: [D].
    """

    kind: ClassVar[Kind] = "uniform"
    low: Floats
    high: Floats

    def codes(self, normal: Any, uniform: Any, labels: Any = None, *, temperature: Any = 1.0) -> Any:
        """Return codes in the box: each normal draw becomes Φ(x) = (1 + erf(x / √2)) / 2, its position between the ends."""
        centred = 0.5 * erf(ops.cast(normal, "float32") / math.sqrt(2.0))  # Φ(x) - ½
        return self.low + (self.high - self.low) * (0.5 + temperature * centred)

    def log_density(self, codes: Floats, labels: NDArray[np.int64] | None = None) -> Doubles:
        """Return the log density: the same everywhere in the box, -∞ outside. Dimensions without width do not count."""
        widths = (self.high - self.low).astype(np.float64)
        inside = ((codes >= self.low) & (codes <= self.high)).all(axis=1)
        return np.where(inside, -np.log(widths[widths > 0]).sum(), -np.inf)


@dataclass(frozen=True, eq=False)
class Mixture(DensitySampler):
    """A Gaussian mixture of K components for each of L labels; L is 1 for a model without labels.

    Drawing a batch takes 4 · B · D² bytes, for the factor of each code's component: 69 MB for 1,024 codes of 130 dimensions.
    Draw many codes in several batches.

    Args:
        shares: Share of each component among the label's codes: [L, K]. They add up to 1; a share of 0 is never drawn.
        means: Means of the components: [L, K, D].
        factors: Lower Cholesky factors of the covariances: [L, K, D, D].
    """

    kind: ClassVar[Kind] = "mixture"
    shares: Floats
    means: Floats
    factors: Floats

    def codes(self, normal: Any, uniform: Any, labels: Any = None, *, temperature: Any = 1.0) -> Any:
        """Return μ + L x of the component that the uniform draw selects: [B, D]."""
        count, components, dims = self.means.shape
        uniform = ops.cast(uniform, "float32")
        label = label_numbers(labels, count=count, like=uniform)
        component = label * components + selected_component(
            self.shares, uniform, label
        )  # [B], among all labels' components
        factors = ops.take(self.factors.reshape(-1, dims, dims), component, axis=0)  # [B, D, D]
        deviations = ops.squeeze(ops.matmul(factors, ops.expand_dims(ops.cast(normal, "float32"), -1)), -1)
        return ops.take(self.means.reshape(-1, dims), component, axis=0) + temperature * deviations

    @property
    def multiplications(self) -> int:
        """The square of D."""
        return int(self.means.shape[2]) ** 2

    def log_density(self, codes: Floats, labels: NDArray[np.int64] | None = None) -> Doubles:
        """Return the log density of the mixture of the label: [N], nats."""
        log_densities = np.full(len(codes), -np.inf)
        for label, rows, used, components in self._of_components(codes, labels):
            log_densities[rows] = _log_mixture(self.shares[label, used][None], components, None)
        return log_densities

    def components(self, codes: Floats, labels: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        """Return the component that each code most likely comes from: [N]."""
        numbers = np.zeros(len(codes), np.int64)
        for label, rows, used, components in self._of_components(codes, labels):
            numbers[rows] = used[np.argmax(np.log(self.shares[label, used]) + components, axis=1)]
        return numbers

    def _of_components(
        self, codes: Floats, labels: NDArray[np.int64] | None
    ) -> Iterator[tuple[int, NDArray[np.bool_], NDArray[np.intp], Doubles]]:
        """Yield each label, the rows of its codes [N], its components with a share, and their log densities [n, K]."""
        z = codes.astype(np.float64)
        if len(self.shares) == 1 or labels is None:
            labels = np.zeros(len(codes), np.int64)
        for label in np.unique(labels).tolist():
            rows, used = labels == label, np.flatnonzero(self.shares[label] > 0)
            components = []
            for component in used:
                factor = self.factors[label, component].astype(np.float64)
                white = np.linalg.solve(factor, (z[rows] - self.means[label, component]).T).T
                components.append(_log_normal(white) - np.log(np.diag(factor)).sum())
            yield label, rows, used, np.stack(components, axis=1)


@dataclass(frozen=True, eq=False)
class AggregatePosterior(DensitySampler):
    """The mixture of the posteriors of all training images: Tomczak & Welling 2018, "VAE with a VampPrior", equation 4.

    With bandwidth 1 this is the aggregate posterior itself. Each code lies near the code of one training image, and its image
    looks like that one: the smaller the bandwidth or the temperature, the more alike.

    Args:
        means: Means of the images' posteriors, sorted by label: [N, D].
        deviations: Standard deviations of the posteriors: [N, D].
        starts: The rows of label l are ``starts[l]`` to ``starts[l + 1]``: [L + 1], int32. For a label without rows, any row
            is drawn. No label has more than 2²⁴ rows.
        bandwidth: Factor of the standard deviations.
    """

    kind: ClassVar[Kind] = "posterior"
    means: Floats
    deviations: Floats
    starts: NDArray[np.int32]
    bandwidth: float = 1.0

    def codes(self, normal: Any, uniform: Any, labels: Any = None, *, temperature: Any = 1.0) -> Any:
        """Return μ + bandwidth · σ · x of the row that the uniform draw selects: [B, D]."""
        uniform = ops.cast(uniform, "float32")
        label = label_numbers(labels, count=len(self.starts) - 1, like=uniform)
        rows = np.diff(self.starts)
        first = np.where(rows > 0, self.starts[:-1], 0).astype(np.int32)
        rows = np.where(rows > 0, rows, len(self.means)).astype(np.int32)
        available = ops.take(rows, label, axis=0)  # [B]
        place = ops.cast(ops.floor(uniform * ops.cast(available, "float32")), "int32")
        row = ops.take(first, label, axis=0) + ops.minimum(place, available - 1)  # rounding may reach the next label
        deviations = self.bandwidth * ops.take(self.deviations, row, axis=0)
        return ops.take(self.means, row, axis=0) + temperature * deviations * ops.cast(normal, "float32")

    def log_density(self, codes: Floats, labels: NDArray[np.int64] | None = None) -> Doubles:
        """Return the log density of the mixture of the label's rows: [N], nats. Each code takes 8 · N · D bytes in turn."""
        several = len(self.starts) > 2 and labels is not None
        log_densities = np.empty(len(codes))
        for place, code in enumerate(codes.astype(np.float64)):
            first, last = self.starts[labels[place] :][:2] if several and labels is not None else (0, len(self.means))
            rows = slice(first, last) if last > first else slice(None)
            deviations = np.float64(self.bandwidth) * self.deviations[rows]
            posteriors = _log_normal((code - self.means[rows]) / deviations) - np.log(deviations).sum(axis=1)
            log_densities[place] = np.logaddexp.reduce(posteriors) - np.log(len(posteriors))
        return log_densities


def _log_normal(codes: Doubles) -> Doubles:
    """Return the log density of N(0, I): [N, D] to [N]."""
    log_density: Doubles = -0.5 * (np.square(codes).sum(axis=1) + codes.shape[1] * math.log(2 * math.pi))
    return log_density


def _log_mixture(shares: Floats, components: Doubles, labels: NDArray[np.int64] | None) -> Doubles:
    """Return the log density of a mixture [N], from the log density of each component [N, K] and the shares [L, K]."""
    with np.errstate(divide="ignore"):  # of a share of 0
        log_shares = np.log(shares.astype(np.float64))
    label_shares = log_shares if len(log_shares) == 1 or labels is None else log_shares[labels]
    log_density: Doubles = np.logaddexp.reduce(label_shares + components, axis=1)
    return log_density


def selected_component(shares: Floats, uniform: Any, label: Any) -> Any:
    """Return the component that each uniform draw selects, by the shares [L, K] of its label: [B], int32.

    Component k is selected by draws between the sum of the shares before it and the sum that includes it.
    """
    if shares.shape[1] == 1:
        return ops.zeros_like(label)  # because onnxruntime-web 1.30 cannot add up a tensor without columns
    # The draw at which each component except the first begins. After the last share above 0 rounding may leave a gap: no
    # component begins there.
    exact = shares.astype(np.float64)
    begins = exact.cumsum(axis=1)[:, :-1]
    remaining = exact[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:]
    begins = np.where(remaining > 0, begins, np.inf).astype(np.float32)  # [L, K - 1]
    passed = ops.expand_dims(uniform, -1) >= ops.take(begins, label, axis=0)
    return ops.sum(ops.cast(passed, "int32"), axis=-1)


def label_numbers(labels: Any, *, count: int, like: Any) -> Any:
    """Return the label of each code: [B], int32; 0 if there is only one label."""
    if count == 1:
        return ops.zeros_like(like, dtype="int32")
    if labels is None:
        raise ValueError(f"labels: expected the label of each code, one of {count}, found none")
    return ops.cast(labels, "int32")
