"""Numbers as a person reads them, and as files hold them."""

from __future__ import annotations

import math
from typing import overload

MOST_DECIMALS = 8
FILE_DIGITS = 6  # of a measured number in a file: more would differ between machines
_SMALLEST_EXPONENT = -4  # smaller numbers are written with an exponent


def fixed(value: float, *, decimals: int) -> str:
    """Return a number with `decimals` decimals, a true minus and a comma between thousands, such as `−1,234.50`."""
    text = f"{value:,.{decimals}f}"
    return text.replace("-", "−") if float(text.replace(",", "")) else text.lstrip("-")


def significant(value: float, *, digits: int) -> str:
    """Return a measured number with `digits` digits, such as `0.500`; one below 0.0001 has an exponent."""
    if value and math.floor(math.log10(abs(value))) < _SMALLEST_EXPONENT:
        return general(value, digits=digits)
    return fixed(value, decimals=decimals_for(value, digits=digits))


def decimals_for(value: float, *, digits: int) -> int:
    """Return how many decimals, at most eight, show `digits` digits of a value."""
    magnitude = math.floor(math.log10(abs(value))) if value else 0
    return min(MOST_DECIMALS, max(0, digits - 1 - magnitude))


def with_error(value: float, error: float | None) -> tuple[str, str]:
    """Return a value and its standard error, both to the error's second digit.

    An unknown error is "", and the value then has four digits. A value never has more digits than files hold.
    """
    if isinstance(value, int):
        return fixed(value, decimals=0), "" if error is None else significant(error, digits=2)
    if error is None:
        return fixed(value, decimals=decimals_for(value, digits=4)), ""
    finest = decimals_for(value, digits=FILE_DIGITS)
    if error == 0:
        return fixed(value, decimals=finest), "0"
    decimals = decimals_for(error, digits=2)
    return fixed(value, decimals=min(decimals, finest)), fixed(error, decimals=decimals)


def general(value: float, *, digits: int = FILE_DIGITS) -> str:
    """Return a number with at most `digits` digits, no trailing zeros and a true minus, such as `−0.001` or `5e−05`."""
    return setting(value, digits=digits).replace("-", "−")


def setting(value: float, *, digits: int = FILE_DIGITS) -> str:
    """Return a number as a recipe can hold it, with at most `digits` digits, such as `-0.001` or `5e-05`."""
    return f"{value:.{digits}g}"


@overload
def rounded(value: float) -> float: ...
@overload
def rounded(value: float | None) -> float | None: ...
def rounded(value: float | None) -> float | None:
    """Round a measured number for a file, to `FILE_DIGITS` digits; None stays None."""
    return None if value is None else float(f"{value:.{FILE_DIGITS}g}")


def data_size(count: float) -> str:
    """Return a number of bytes in megabytes, gigabytes or terabytes, such as `1.5 GB`."""
    unit, name = next(((unit, name) for unit, name in ((1e12, "TB"), (1e9, "GB")) if count >= unit), (1e6, "MB"))
    return f"{count / unit:,.1f} {name}"
