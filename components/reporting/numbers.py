"""Numbers as a person reads them."""

from __future__ import annotations


def number(value: float, *, decimals: int) -> str:
    """A number as it is printed: with a true minus and a comma between thousands."""
    text = f"{value:,.{decimals}f}"
    return text.replace("-", "−") if float(text.replace(",", "")) else text.lstrip("-")
