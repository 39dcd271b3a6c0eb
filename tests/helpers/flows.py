"""A small flow that no training made. No test is here."""

from __future__ import annotations

import numpy as np

from models.flow import Flow, FlowNetwork, Modulation

UNITS, BLOCKS = 6, 2


def small_flow(*, labels: int = 1, dims: int = 4, groups: int = 2, steps: int = 4) -> Flow:
    """Return a flow of random weights, whose second dimension is not in use."""
    random, used = np.random.default_rng(0), dims - 1

    def normal(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return (0.5 * random.standard_normal(shape)).astype(np.float32)

    network = FlowNetwork(
        enter=normal(used, UNITS),
        group=4.0 * normal(labels * groups, UNITS),
        first=normal(BLOCKS, UNITS, UNITS),
        first_bias=normal(BLOCKS, UNITS),
        second=normal(BLOCKS, UNITS, UNITS),
        leave=normal(UNITS, used),
    )
    times = np.linspace(0.0, 1.0, steps + 1, dtype=np.float32)
    waves = np.sin(3.0 * times)[:, None, None] * normal(BLOCKS + 1, UNITS)
    modulation = Modulation(
        scale=(1.0 + waves).astype(np.float32),
        shift=waves.astype(np.float32),
        gain=(0.3 * np.cos(times)[:, None] * normal(used)).astype(np.float32),
        drift=(times[:, None] * normal(used)).astype(np.float32),
    )
    return Flow(
        shares=np.tile(np.linspace(1.0, 2.0, groups, dtype=np.float32) / groups / 1.5, (labels, 1)),
        used=np.delete(np.arange(dims), 1).astype(np.int32),
        means=normal(used),
        deviations=np.exp(normal(used)),
        times=times,
        network=network,
        modulation=modulation,
        latent_dim=dims,
    )
