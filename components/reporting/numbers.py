"""Numbers as a person reads them, and as files hold them.

Each kind of figure has one rounding, on the screen, in the report and in the model card: a mean with its standard error is
`with_error`, a loss `as_loss`, a distance `as_distance`, a share `as_percent`, a value of the recipe `as_setting`.
"""

from __future__ import annotations

import json
import math
from typing import Any, overload

MOST_DECIMALS = 8
FILE_DIGITS = 6  # of a measured number in a file: more would differ between machines
_SMALLEST_EXPONENT = -4  # smaller numbers are written with an exponent
_UNKNOWN_ERROR_DIGITS = 4  # of a measured number whose error is unknown
_NORMAL_95 = 1.96  # standard errors from the middle of a 95% interval to its ends


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
    magnitude = math.floor(math.log10(abs(value))) if value and math.isfinite(value) else 0
    return min(MOST_DECIMALS, max(0, digits - 1 - magnitude))


def with_error(value: float, error: float | None) -> tuple[str, str]:
    """Return a value and its standard error, both to the error's second digit.

    An unknown error is "", and the value then has four digits. A value never has more digits than files hold.
    """
    if isinstance(value, int):
        return fixed(value, decimals=0), "" if error is None else significant(error, digits=2)
    if error is None:
        return fixed(value, decimals=decimals_for(value, digits=_UNKNOWN_ERROR_DIGITS)), ""
    finest = decimals_for(value, digits=FILE_DIGITS)
    if error == 0:
        return fixed(value, decimals=finest), "0"
    decimals = decimals_for(error, digits=2)
    return fixed(value, decimals=min(decimals, finest)), fixed(error, decimals=decimals)


def with_interval(value: float, low: float | None, high: float | None) -> tuple[str, str]:
    """Return a value and its 95% interval, such as `0.0123` and `0.0102 to 0.0145`; "" where the interval is unknown."""
    if low is None or high is None:
        return with_error(value, None)
    text = with_error(value, (high - low) / (2 * _NORMAL_95))[0]
    decimals = len(text.partition(".")[2])
    return text, f"{fixed(low, decimals=decimals)} to {fixed(high, decimals=decimals)}"


def as_loss(value: float, *, of: float | None = None) -> str:
    """Return a loss, an ELBO or another number of nats: with two decimals, or four below 1.

    Args:
        value: The number.
        of: The loss that it is a term of, or stands beside: it then has as many decimals as that one.
    """
    return fixed(value, decimals=2 if abs(value if of is None else of) >= 1 else 4)


def as_distance(value: float) -> str:
    """Return a distance between sets of images, whose error is unknown: with four digits."""
    return with_error(value, None)[0]


def as_percent(share: float) -> str:
    """Return a share of images, such as `87.3%`."""
    return f"{fixed(100 * share, decimals=1)}%"


def general(value: float, *, digits: int = FILE_DIGITS) -> str:
    """Return a number with at most `digits` digits, no trailing zeros and a true minus, such as `−0.001` or `5e−05`."""
    return setting(value, digits=digits).replace("-", "−")


def as_setting(value: Any) -> str:
    """Return the value of a recipe key as a person reads it: a number with three digits, words without quotes."""
    return (
        setting(value, digits=3) if isinstance(value, float) else json.dumps(value, ensure_ascii=False).replace('"', "")
    )


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
