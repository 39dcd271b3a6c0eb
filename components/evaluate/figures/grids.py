"""Figures of the latent space in images: what codes across it decode to, and codes between two others.

The functions that choose these codes are here too.
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from components.evaluate.figures.mosaics import ROW_PIXELS
from components.images.sheets import Layout, fit_row, lay_out
from components.latents.noise import sampled_codes
from components.reporting.image_grid import Images, image_grid
from components.reporting.numbers import fixed, setting
from components.reporting.style import MARGIN, WIDE, WIDTH, blank, head, styled
from models.code_samplers import UniformBox

COLUMNS = 5  # uniform samples, or pairs of hybrids, per row
MAX_ROW_PIXELS = 2000
_GAP = 0.06
_LEFT = 0.55  # inches, for the numbers and the name of the manifold's vertical axis
_BELOW = 0.46  # inches, for those of its horizontal axis


def manifold_codes(side: int, span: float) -> NDArray[np.float32]:
    """Return the codes of `manifold`, row by row, the first at (−span, +span): [side · side, 2]."""
    values = np.linspace(-span, span, side, dtype=np.float32)
    across, up = np.meshgrid(values, values[::-1])
    return np.stack([across.ravel(), up.ravel()], axis=1)


@styled()
def manifold(images: Images, *, side: int, span: float) -> Figure:
    """Draw a map of a two-dimensional latent space: each image stands where its code lies.

    Args:
        images: What `manifold_codes(side, span)` decode to: [side · side, H, W, C], scale 0 to 1.
        side: Number of images in a row and in a column, at least 2.
        span: The largest value of a code's dimensions.
    """
    cells = fit_row(images, row=side * images.shape[2], target=ROW_PIXELS, most=MAX_ROW_PIXELS)
    sheet = lay_out(cells, Layout(len(cells), side, height=cells.shape[1], width=cells.shape[2]), background=1.0)
    dpi = sheet.shape[1] / (WIDTH - 2 * MARGIN - _LEFT)
    left, below = round((MARGIN + _LEFT) * dpi), round((MARGIN / 2 + _BELOW) * dpi)
    figure = blank((sheet.shape[0] + below) / dpi, dpi=dpi)
    figure.figimage(sheet, xo=left, yo=below)
    width, height = figure.bbox.size
    axes = figure.add_axes((left / width, below / height, sheet.shape[1] / width, sheet.shape[0] / height))
    axes.patch.set_visible(False)
    axes.grid(False)
    axes.spines[:].set_visible(False)
    # A code lies in the middle of its image, so the outermost images reach half a step beyond it.
    edge = span * side / (side - 1)
    axes.set(xlim=(-edge, edge), ylim=(-edge, edge))
    ticks = [
        tick for tick in MaxNLocator(10, steps=(1, 2, 5, 10)).tick_values(-span, span) if abs(tick) <= span * 1.001
    ]
    axes.set(xticks=ticks, yticks=ticks, xlabel="latent dimension 1, z₁", ylabel="latent dimension 2, z₂")
    axes.tick_params(labelsize=8)
    # The label starts where the title starts, however wide the numbers are.
    axes.yaxis.set_label_coords((0.13 - _LEFT) * dpi / sheet.shape[1], 0.5)
    bound = setting(span)
    subtitle = f"Each image is decoded from the code at its place: {side} × {side} codes over [−{bound}, {bound}]²."
    head(figure, "The 2-D manifold", subtitle)
    return figure


def uniform_codes(codes: NDArray[np.float32], *, count: int, seed: int) -> NDArray[np.float32]:
    """Draw codes uniformly from the box around given codes, each dimension from its minimum to its maximum: [count, D].

    Args:
        codes: Posterior means: [n, D], n at least 1.
        count: How many codes to draw.
        seed: Code i depends on the box and (seed, i) alone.
    """
    low, high = codes.min(axis=0), codes.max(axis=0)
    codes_in_box = sampled_codes(
        UniformBox(low, high), seed, start=0, count=count, latent_dim=len(low), labels=None, temperature=1.0
    )
    clipped: NDArray[np.float32] = np.clip(np.asarray(codes_in_box), low, high)
    return clipped


@styled()
def uniform_samples(images: Images, codes: NDArray[np.float32]) -> Figure:
    """Draw new images, five to a row, with the code under each where it has two dimensions.

    Args:
        images: [n, H, W, C], scale 0 to 1, n at least 1.
        codes: The codes that they were decoded from: [n, D].
    """
    columns = min(COLUMNS, len(images))
    cells = fit_row(images, row=columns * images.shape[2], target=ROW_PIXELS, most=MAX_ROW_PIXELS)
    labels = [_code_text(code) for code in codes] if codes.shape[1] == 2 else []
    figure = image_grid(cells, columns=columns, gap=_GAP, inches=WIDTH, labels=labels)
    head(figure, "Uniform samples", "Decoded from codes spread evenly over the box that the test images’ codes span.")
    return figure


def _code_text(code: NDArray[np.float32]) -> str:
    decimals = 2 if np.abs(code).max() < 100 else 0
    return f"({', '.join(fixed(float(value), decimals=decimals) for value in code)})"


@styled()
def hybrids(pairs: tuple[Images, Images], middles: Images) -> Figure:
    """Draw two images and the image halfway between them, a column for each pair.

    Args:
        pairs: Images A and images B: [n, H, W, C] each, scale 0 to 1, n at least 1.
        middles: The decoded means of their codes: [n, H, W, C].
    """
    rows = np.stack([pairs[0], middles, pairs[1]])  # [3, n, H, W, C]
    # Fewer pairs leave room at the right, rather than grow to the figure's width.
    spare = max(0, COLUMNS - rows.shape[1])
    rows = np.pad(rows, ((0, 0), (0, spare), (0, 0), (0, 0), (0, 0)), constant_values=1.0)
    columns, width = rows.shape[1], rows.shape[3]
    cells = fit_row(rows.reshape(-1, *rows.shape[2:]), row=columns * width, target=ROW_PIXELS, most=MAX_ROW_PIXELS)
    figure = image_grid(cells, columns=columns, gap=_GAP, inches=WIDTH, row_heads=("A", "halfway", "B"))
    subtitle = "Top and bottom: two test images. Between them: the decoded mean of their codes."
    head(figure, "Halfway between two images", subtitle)
    return figure


@styled()
def interpolation(rows: NDArray[np.float32]) -> Figure:
    """Draw the steps from one image to another, a row for each pair; above each column stands the share of the second.

    Args:
        rows: Decoded along the straight line between two codes, ends included: [r, steps, H, W, C], scale 0 to 1.
    """
    _, steps, height, width, channels = rows.shape
    cells = fit_row(rows.reshape(-1, height, width, channels), row=steps * width, target=ROW_PIXELS, most=2800)
    shares = [setting(share, digits=3) for share in np.linspace(0, 1, steps)]
    figure = image_grid(cells, columns=steps, gap=_GAP, inches=WIDE, column_heads=shares)
    subtitle = (
        "Decoded along the straight line between the codes of two test images, 0 being the first and 1 the second."
    )
    head(figure, "From one image to another", subtitle)
    return figure
