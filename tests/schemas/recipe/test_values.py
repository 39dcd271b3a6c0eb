"""Values of a recipe, as an error shows them."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from schemas.recipe.values import SHOWN, shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "nothing"),
        (True, "true"),
        ("yes", "'yes'"),
        ([1, {"a": None}], '[1, {"a": null}]'),
        (datetime.date(2020, 1, 1), "a date, 2020-01-01; put text in quotes"),
        ({datetime.date(2020, 1, 1): 1}, "{datetime.date(2020, 1, 1): 1}"),
        ("a" * 200, f"'{'a' * (SHOWN - 1)}…"),
    ],
)
def test_a_value_is_shown_as_in_yaml_and_not_too_long(value: Any, text: str) -> None:
    assert shown(value) == text
