"""A picture of a search."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure


def search_figure(trials: list[dict[str, Any]], *, best: str) -> Figure:
    """Learning rate against validation ELBO, a colour per latent size, beside the best value so far.

    Args:
        trials: Rows of `schemas.tables.TRIALS`.
        best: The winning trial.
    """
    done = [trial for trial in trials if trial["val_elbo"] is not None]
    figure = Figure(figsize=(10, 4), layout="constrained", dpi=120)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    sizes = sorted({trial["latent_dim"] for trial in done})
    from matplotlib import colormaps

    colours = colormaps["viridis"]
    for rank, size in enumerate(sizes):
        members = [trial for trial in done if trial["latent_dim"] == size]
        left.scatter(
            [trial["learning_rate"] for trial in members],
            [trial["val_elbo"] for trial in members],
            s=60,
            color=colours(rank / max(1, len(sizes) - 1) * 0.9),
            edgecolors="white",
            linewidths=0.8,
            label=str(size),
            zorder=3,
        )
    winner = next(trial for trial in done if trial["trial"] == best)
    left.scatter(
        winner["learning_rate"],
        winner["val_elbo"],
        s=190,
        facecolors="none",
        edgecolors="crimson",
        linewidths=1.8,
        zorder=4,
    )
    left.set(xscale="log", xlabel="learning rate", ylabel="validation ELBO, nats per image (higher is better)")
    left.legend(title="latent_dim", fontsize=8, title_fontsize=8, frameon=False)
    left.set_title(f"{len(done)} trials; the winner is circled", loc="left", fontsize=10)

    so_far, values = float("-inf"), []
    for trial in done:
        so_far = max(so_far, trial["val_elbo"])
        values.append(so_far)
    numbers = range(1, len(done) + 1)
    right.step(numbers, values, where="post", color="crimson", linewidth=1.8)
    right.plot(numbers, [trial["val_elbo"] for trial in done], "o", color="0.7", markersize=4, zorder=0)
    right.set(xlabel="trial")
    right.xaxis.get_major_locator().set_params(integer=True)
    right.set_title("best so far", loc="left", fontsize=10)
    for axes in (left, right):
        axes.grid(color="0.92", zorder=-1)
        axes.spines[["top", "right"]].set_visible(False)
    return figure
