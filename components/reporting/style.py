"""The style of figures, independent of a person's own matplotlib settings, and how figures become files."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from matplotlib import style
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.legend import Legend

from schemas import atomic

WIDTH = 6.6  # inches
WIDE = 8.4  # inches, of a figure that takes the report's full width
HEADING = 0.72  # inches, above every figure's content
MARGIN = 0.2  # inches
DPI = 200

INK = "#1b2733"
MUTED = "#5f6d7a"
FAINT = "#dfe4e9"
ACCENT = "#0f766e"
SECOND = "#d9730d"

# Ten colours that differ clearly as dots on white, then a lighter tone of each.
COLOURS = [
    "#3b6fb0",
    "#e8832a",
    "#3f9b4f",
    "#cf3f45",
    "#8a5fb5",
    "#8c5e4d",
    "#de6fb0",
    "#2f3e4e",
    "#c2a812",
    "#1fa9bf",
    "#9cc0e7",
    "#f7c08a",
    "#9bd49b",
    "#f29c9b",
    "#c9b3e0",
    "#c9a798",
    "#f4b9da",
    "#8fa0b2",
    "#e3d77a",
    "#98dbe5",
]
OTHER = "#c3cad1"  # labels beyond the colours, and images without a label

_STYLE: dict[str, Any] = {
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.7,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "grid.color": FAINT,
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
}


@contextmanager
def styled() -> Iterator[None]:
    """Draw in this style, and restore matplotlib's settings afterwards. Also a decorator."""
    with style.context(["default", _STYLE]):
        yield


def blank(height: float, *, width: float = WIDTH, dpi: float = DPI) -> Figure:
    """Return an empty figure whose content has this height in inches; space for a heading is added."""
    return Figure(figsize=(width, height + HEADING), dpi=dpi)


def head(figure: Figure, title: str, subtitle: str) -> None:
    """Write the two lines above a figure's content."""
    width, height = figure.get_size_inches()
    figure.text(MARGIN / width, 1 - 0.2 / height, title, fontsize=13, fontweight="bold", va="top")
    figure.text(MARGIN / width, 1 - 0.45 / height, subtitle, fontsize=9, color=MUTED, va="top")


def fit(figure: Figure) -> None:
    """Lay out a figure's axes and legends within its margins, below the heading."""
    width, height = figure.get_size_inches()
    bottom = MARGIN / 2 / height
    rectangle = (MARGIN / 2 / width, bottom, 1 - MARGIN / width, 1 - HEADING / height - bottom)
    engine = ConstrainedLayoutEngine(rect=rectangle, h_pad=0.08, w_pad=0.08)
    figure.set_layout_engine(engine)


def name_legend(legend: Legend, names: Sequence[str]) -> None:
    """Write a legend's texts as they are: matplotlib would drop a leading underscore and read dollars as formulas."""
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_parse_math(False)
        text.set_text(name)


def shortened(text: str, *, length: int) -> str:
    """Cut a text to at most `length` characters; a cut text ends in an ellipsis."""
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"


@contextmanager
def any_script() -> Iterator[None]:
    """Draw labels in any script without warnings: a letter that the font lacks becomes a box."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support .* natively")
        yield


def encode_png(figure: Figure) -> bytes:
    """Return a figure as PNG; the same figure gives the same bytes."""
    stream = io.BytesIO()
    with styled(), any_script():
        # Without `Software`, which names matplotlib's version.
        figure.savefig(stream, format="png", dpi=figure.dpi, metadata={"Software": None})
    return stream.getvalue()


def save(figure: Figure, path: Path) -> None:
    """Write a figure as a PNG file, whole or not at all."""
    atomic.write_bytes(path, encode_png(figure))
