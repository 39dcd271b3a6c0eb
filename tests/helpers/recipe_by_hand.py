"""A good recipe, and what a person sees of a bad one. No test is here."""

from __future__ import annotations

import pytest

from pipeline.recipes.load import load_recipe
from schemas.errors import UsageError

GOOD = """
name: photos
sources:
  - kind: folder
    path: /photos
preprocess:
  height: 32
  width: 32
model:
  network: conv
loss:
  likelihood: bernoulli
tune:
  space:
    model.latent_dim: [4, 8]
"""


def error_of(name: str, *overrides: str, source: str | None = None) -> str:
    """Return the line that a person sees."""
    with pytest.raises(UsageError) as caught:
        load_recipe(name, source=source, overrides=overrides)
    line = str(caught.value)
    assert "\n" not in line
    return line
