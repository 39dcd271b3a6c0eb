"""A flow: a network that carries noise to codes, along a velocity that it learned.

Lipman et al. 2023, "Flow Matching for Generative Modeling". The flow of ``dx/dt = v(x, t)`` carries N(0, I) at t = 0 to the
distribution of codes at t = 1. It is followed in a fixed number of steps, so that it is a fixed map from noise to codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, TypeVar

import numpy as np
from keras import ops
from numpy.typing import NDArray

from models.code_samplers import CodeSampler, Floats, Kind, label_numbers, selected_component

_EPSILON = 1e-6  # added to mean squares


@dataclass(frozen=True, eq=False)
class FlowNetwork:
    """The velocity's network: K residual blocks of W units. All that depends on the time enters as `Modulation`.

    Attributes:
        enter: Weights from D dimensions to W units: [D, W].
        group: What each of G groups of codes adds to the units: [G, W].
        first: Weights of the blocks' first layers: [K, W, W].
        first_bias: Their biases: [K, W].
        second: Weights of the blocks' second layers: [K, W, W].
        leave: Weights from W units to D dimensions: [W, D].
    """

    enter: Any
    group: Any
    first: Any
    first_bias: Any
    second: Any
    leave: Any


@dataclass(frozen=True, eq=False)
class Modulation:
    """What a network does differently at each time; N times, or N images with a time of their own.

    Attributes:
        scale: Factors of the normalised units before each block, and before the last layer: [N, K + 1, W].
        shift: What is added to them: [N, K + 1, W].
        gain: Factors of the position, a part of the velocity: [N, D].
        drift: A part of the velocity that is the same everywhere: [N, D].
    """

    scale: Any
    shift: Any
    gain: Any
    drift: Any


def velocity(network: FlowNetwork, modulation: Modulation, positions: Any, groups: Any) -> Any:
    """Return the velocity at positions [B, D], for one modulation or for B: [B, D].

    Args:
        network: The network.
        modulation: That of the time.
        positions: Where.
        groups: Numbers of groups, from 0: [B].
    """
    units = ops.matmul(positions, network.enter) + ops.take(network.group, groups, axis=0)
    blocks = network.first.shape[0]
    for block in range(blocks):
        inner = ops.matmul(_modulated(units, modulation, block), network.first[block]) + network.first_bias[block]
        units = units + ops.matmul(inner * ops.sigmoid(inner), network.second[block])
    learned = ops.matmul(_modulated(units, modulation, blocks), network.leave)
    return learned + modulation.gain * positions + modulation.drift


def _modulated(units: Any, modulation: Modulation, block: int) -> Any:
    """Return units [B, W] with a mean square of 1, scaled and shifted as the block's modulation says."""
    size = ops.sqrt(ops.mean(ops.square(units), axis=-1, keepdims=True) + _EPSILON)
    return units / size * modulation.scale[:, block] + modulation.shift[:, block]


Part = TypeVar("Part", FlowNetwork, Modulation)


@dataclass(frozen=True, eq=False)
class Flow(CodeSampler):
    """The codes to which a flow carries the normal draws, in S steps of Heun's method.

    Codes come in K groups for each of L labels, of which the uniform draw selects one, as from a mixture: a flow that knows the
    group of a code has less to learn. It is followed in the U dimensions that are in use, standardised; the others are N(0, 1).
    The temperature is that of the normal draws, as is usual for flows (Kingma & Dhariwal 2018, "Glow", section 6). A flow does
    not say how likely a code is: that is a sum of integrals of the divergence, one for each group, which takes too long.

    Args:
        shares: Share of each group among the label's codes: [L, K]. They add up to 1; a share of 0 is never drawn.
        used: The dimensions that are in use, ascending: [U], int32.
        means: Means of these dimensions: [U].
        deviations: Their standard deviations: [U].
        times: The ends of the steps, from 0 to 1: [S + 1].
        network: The network, of U dimensions.
        modulation: Its modulation at each of these times.
        latent_dim: D.
    """

    kind: ClassVar[Kind] = "flow"
    shares: Floats
    used: NDArray[np.int32]
    means: Floats
    deviations: Floats
    times: Floats
    network: FlowNetwork
    modulation: Modulation
    latent_dim: int

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Flow:
        """Return the flow of what `arrays` returned."""
        floats = {name: np.asarray(values, np.float32) for name, values in arrays.items()}
        return cls(
            shares=floats["shares"],
            used=np.asarray(arrays["used"], np.int32),
            means=floats["means"],
            deviations=floats["deviations"],
            times=floats["times"],
            network=FlowNetwork(**{field.name: floats[field.name] for field in fields(FlowNetwork)}),
            modulation=Modulation(**{field.name: floats[field.name] for field in fields(Modulation)}),
            latent_dim=int(arrays["latent_dim"]),
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays from which `of_arrays` builds the same flow, by name."""
        own = {name: getattr(self, name) for name in ("shares", "used", "means", "deviations", "times", "latent_dim")}
        parts = {
            field.name: getattr(part, field.name) for part in (self.network, self.modulation) for field in fields(part)
        }
        return {name: np.asarray(values) for name, values in {**own, **parts}.items()}

    @property
    def multiplications(self) -> int:
        """The network's weights, twice for each step."""
        parts = self.network.enter, self.network.first, self.network.second, self.network.leave
        return 2 * (len(self.times) - 1) * sum(int(np.size(part)) for part in parts)

    def codes(self, normal: Any, uniform: Any, labels: Any = None, *, temperature: Any = 1.0) -> Any:
        """Return the codes to which the flow carries the normal draws times the temperature: [B, D]."""
        noise = temperature * ops.cast(normal, "float32")
        positions = ops.take(noise, self.used, axis=1)
        network, modulations = self._tensors()
        uniform = ops.cast(uniform, "float32")
        count, groups = self.shares.shape
        label = label_numbers(labels, count=count, like=uniform)
        group = label * groups + selected_component(self.shares, uniform, label)
        for step, length in enumerate(np.diff(self.times).tolist()):
            start = velocity(network, modulations[step], positions, group)
            end = velocity(network, modulations[step + 1], positions + length * start, group)
            positions = positions + (0.5 * length) * (start + end)
        codes = self.means + self.deviations * positions
        if len(self.used) == self.latent_dim:
            return codes
        unused = np.setdiff1d(np.arange(self.latent_dim), self.used)
        places = np.argsort(np.concatenate([self.used, unused])).astype(np.int32)
        return ops.take(ops.concatenate([codes, ops.take(noise, unused, axis=1)], axis=1), places, axis=1)

    def _tensors(self) -> tuple[FlowNetwork, list[Modulation]]:
        """Return the network and its modulation at each time as tensors: one of each array, however many steps there are."""
        modulations = [
            Modulation(*(getattr(self.modulation, field.name)[place : place + 1] for field in fields(Modulation)))
            for place in range(len(self.times))
        ]
        return _as_tensors(self.network), [_as_tensors(modulation) for modulation in modulations]


def _as_tensors(part: Part) -> Part:
    """Return a network or a modulation of tensors."""
    return type(part)(*(ops.convert_to_tensor(getattr(part, field.name), "float32") for field in fields(part)))
