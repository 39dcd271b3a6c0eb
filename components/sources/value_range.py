"""The range of an array's values, from black to white: recognised over the whole array, then scaled to uint8."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from components.sources.base import ReadError
from components.sources.raw_array import ArrayHeader, RawArray
from schemas.errors import DataError

_BRIGHT = 16  # of 255: an array from 0 to 255 whose largest value is less would be black
_DARK = -0.5  # an array from -1 to 1 whose smallest value is more would be pale; resized images go a little below 0
_SHARE = 0.9  # of the images that fit a range; the others are then rejected
Place = TypeVar("Place")


@dataclass(frozen=True)
class ValueRange:
    """The values of black and of white.

    Attributes:
        low: Black.
        high: White.
        clip: Whether values beyond are cut off, because the recipe says the range; otherwise they reject an image.
    """

    low: float
    high: float
    clip: bool = False

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}".replace("-", "−")

    def holds(self, low: float, high: float) -> bool:
        """Return whether values from `low` to `high` are within; so written that NaN is not."""
        return self.low <= low and high <= self.high


UNIT, SIGNED, BYTES = ValueRange(0, 1), ValueRange(-1, 1), ValueRange(0, 255)
_KNOWN = (UNIT, SIGNED, BYTES)


@dataclass
class Survey:
    """What an array's values are.

    Attributes:
        low: The smallest finite value; infinite where there is none.
        high: The largest one.
        images: Number of images, without black ones.
        fits: Number of images within each of the known ranges.
    """

    low: float = math.inf
    high: float = -math.inf
    images: int = 0
    fits: Mapping[ValueRange, int] | None = None


def type_range(header: ArrayHeader) -> ValueRange | None:
    """Return the range of a type that has one of its own, in which 16 bits are; None for types of which the values tell."""
    return {"b1": UNIT, "u1": BYTES, "u2": ValueRange(0, 65_535)}.get(f"{header.dtype.kind}{header.dtype.itemsize}")


def survey(array: RawArray) -> Survey:
    """Look at all values of an array, image by image; of bytes only until one is above 1, which is not black and white.

    Raises:
        DataError: The file ends too early.
    """
    fits = dict.fromkeys(_KNOWN, 0)
    result = Survey(fits=fits)
    if array.header.dtype.kind == "b":
        return result
    for data in array.items(0, array.header.count):
        values = np.frombuffer(data, array.header.dtype)
        low, high = float(values.min()), float(values.max())
        if low == high == 0:
            continue  # a black image fits every range
        result.images += 1
        for known in _KNOWN:
            fits[known] += known.holds(low, high)
        if math.isfinite(low) and math.isfinite(high):
            result.low, result.high = min(result.low, low), max(result.high, high)
        if array.header.dtype.itemsize == 1 and array.header.dtype.kind == "u" and high > 1:
            break
    return result


def recognise(surveys: Mapping[Place, Survey], headers: Mapping[Place, ArrayHeader]) -> dict[Place, ValueRange]:
    """Return the range of each array of a source.

    Raises:
        DataError: An array's values are in no known range.
    """
    ranges = {place: _recognise(place, surveys[place], header) for place, header in headers.items()}
    # Arrays of one type are parts of the same images: one that happens to be bright or black is read like the others.
    for place, header in headers.items():
        same_type = {ranges[other] for other, its in headers.items() if its.dtype == header.dtype}
        if ranges[place] == UNIT and SIGNED in same_type:
            ranges[place] = SIGNED
        if (own := type_range(header)) in same_type and own is not None:
            ranges[place] = own
    return ranges


def _recognise(place: object, found: Survey, header: ArrayHeader) -> ValueRange:
    own = type_range(header)
    if own is not None and (header.dtype.kind == "b" or found.high <= 0 or found.high > 255):
        return own
    if UNIT.holds(found.low, found.high) or found.low > found.high:
        return UNIT
    if own == BYTES:
        return BYTES
    plausible = [UNIT]
    plausible += [SIGNED] if found.low <= _DARK else []
    plausible += [BYTES] if found.high >= _BRIGHT else []
    fits = found.fits or {}
    likely = next((known for known in plausible if fits.get(known, 0) >= _SHARE * found.images), own)
    if likely is None:
        low, high = f"{found.low:g}", f"{found.high:g}"
        raise DataError(
            f"{place}: expected values from 0 to 1, −1 to 1 or 0 to 255, found {low} to {high}; say which are black and white "
            f"by sources.range, such as [{low}, {high}]"
        )
    return likely


def to_bytes(values: NDArray[Any], value_range: ValueRange) -> NDArray[np.uint8] | ReadError:
    """Scale an image to uint8; return the error if its values are not within the range."""
    if values.dtype.kind == "b":
        return np.where(values, np.uint8(255), np.uint8(0))
    low, high = values.min(), values.max()
    if not (value_range.holds(low, high) or (value_range.clip and not np.isnan(low))):
        kind = "floats" if values.dtype.kind == "f" else "numbers"
        return ReadError(f"expected {kind} from {value_range}, found {low:g} to {high:g}")
    if value_range == BYTES and values.dtype.kind in "ui":
        return values.astype(np.uint8, copy=False)
    if value_range == ValueRange(0, 65_535) and values.dtype.kind == "u":
        pixels: NDArray[np.uint8] = (values // 257).astype(np.uint8)
        return pixels
    if value_range == UNIT:
        return np.rint(values.astype(np.float64) * 255).astype(np.uint8)
    shares = (values.astype(np.float64) - value_range.low) / (value_range.high - value_range.low)
    return np.rint(np.clip(shares, 0, 1) * 255).astype(np.uint8)
