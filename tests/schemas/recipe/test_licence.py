"""Licences that forbid derivatives are known by their names."""

from __future__ import annotations

import pytest

from schemas.recipe.licence import forbids_derivatives


@pytest.mark.parametrize(
    ("licence", "forbidden"),
    [
        ("CC-BY-ND-4.0", True),
        ("CC-BY-NC-ND-3.0", True),
        ("cc by-nd", True),
        ("Creative Commons Attribution-NoDerivatives 4.0", True),
        ("Attribution, no derivatives", True),
        ("CC-BY-4.0", False),
        ("CC0-1.0", False),
        ("MIT OR CC-BY-ND-4.0", False),  # one may choose
        ("MIT AND CC-BY-ND-4.0", True),
        ("Land use and Sound of ENDS", False),
    ],
)
def test_no_derivatives_is_read_from_the_name(licence: str, forbidden: bool) -> None:
    assert forbids_derivatives(licence) == forbidden
