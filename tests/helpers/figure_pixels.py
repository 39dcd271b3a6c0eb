"""Figures as pixels and words, for tests. No test is here."""

from __future__ import annotations

from typing import Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from components.reporting.style import any_script, styled

HOSTILE = ("_hidden", "$10 & <b>", "\\frac", "", "鳥", "a label that goes on for far longer than there is room")


def pixels_of(figure: Figure, *, dpi: float | None = None) -> np.ndarray[Any, Any]:
    """Draw a figure: [H, W, 3]. A lower `dpi` is faster; figures that show images need their own."""
    if dpi is not None:
        figure.set_dpi(dpi)
    with styled(), any_script():
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def texts_of(figure: Figure) -> list[str]:
    """Return all words of a figure."""
    return [text.get_text() for text in figure.findobj(matplotlib.text.Text)]
