"""Values of a recipe, as an error shows them."""

from __future__ import annotations

import datetime
import json
from typing import Any

SHOWN = 80  # characters


def shown(value: Any) -> str:
    """Return a value of a recipe as an error shows it: as in YAML, and not too long."""
    if value is None:
        return "nothing"
    if isinstance(value, datetime.date):
        return f"a date, {value}; put text in quotes"
    try:
        text = repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    except TypeError:  # a key of JSON is text
        text = str(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
