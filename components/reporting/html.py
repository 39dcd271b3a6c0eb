"""Templates of documents for people, and images within them."""

from __future__ import annotations

import base64
from pathlib import Path

import jinja2

from components.reporting.markdown import as_markdown
from components.reporting.numbers import as_distance, as_percent, fixed, general, with_error


def templates(folder: Path, *, html: bool = True) -> jinja2.Environment:
    """Return the templates in a folder, which can call functions of `numbers`; a name that a template does not get is an error.

    Args:
        folder: Where the templates are.
        html: Whether they make HTML, in which values are escaped. Markdown has a filter, `markdown`, for texts from elsewhere.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=html,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for function in (as_distance, as_percent, fixed, general, with_error):
        environment.globals[function.__name__] = function
    environment.filters["markdown"] = as_markdown
    return environment


def png_url(png: bytes) -> str:
    """Return a PNG as a data URL, for a page that needs no other file."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
