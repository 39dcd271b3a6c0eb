"""Numbers as people read them, and as files hold them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.reporting import numbers


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [(1234.5, 1, "1,234.5"), (-1234.5, 2, "−1,234.50"), (-0.04, 1, "0.0"), (0.0, 0, "0"), (-0.6, 0, "−1")],
)
def test_fixed(value: float, decimals: int, text: str) -> None:
    assert numbers.fixed(value, decimals=decimals) == text


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.5, 3, "0.500"),
        (12345.6, 3, "12,346"),
        (-0.00123, 2, "−0.0012"),
        (0.0, 3, "0.00"),
        (0.0000123, 3, "1.23e−05"),
        (-0.0000123, 3, "−1.23e−05"),
    ],
)
def test_significant(value: float, digits: int, text: str) -> None:
    assert numbers.significant(value, digits=digits) == text


@pytest.mark.parametrize(
    ("value", "error", "texts"),
    [
        (-247.9134, 0.8231, ("−247.91", "0.82")),
        (0.017123, 0.000123, ("0.01712", "0.00012")),
        (-25370.3633, 0.0052, ("−25,370.4", "0.0052")),  # files hold six digits
        (-340496.2, 151.0, ("−340,496", "151")),
        (100.0, 0.0, ("100.000", "0")),
        (6.4401, None, ("6.440", "")),
        (0.0, None, ("0.000", "")),
        (-1e-12, 1e-13, ("0.00000000", "0.00000000")),
        (3, None, ("3", "")),
    ],
)
def test_a_value_has_as_many_decimals_as_its_error(value: float, error: float | None, texts: tuple[str, str]) -> None:
    assert numbers.with_error(value, error) == texts


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(0.001, 6, "0.001"), (5e-5, 3, "5e-05"), (-2.5, 6, "-2.5"), (1234567.0, 3, "1.23e+06")],
)
def test_a_setting_is_a_number_for_a_recipe(value: float, digits: int, text: str) -> None:
    assert numbers.setting(value, digits=digits) == text
    assert float(text) == pytest.approx(value, rel=0.01)
    assert numbers.general(value, digits=digits) == text.replace("-", "−")


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_rounding_for_a_file_keeps_six_digits(value: float) -> None:
    rounded = numbers.rounded(value)
    assert rounded == numbers.rounded(rounded)
    assert math.isclose(rounded, value, rel_tol=5.1e-6)


@pytest.mark.parametrize(
    ("count", "text"), [(2e15, "2,000.0 TB"), (1_500_000_000, "1.5 GB"), (2_340_000, "2.3 MB"), (0, "0.0 MB")]
)
def test_data_size(count: int, text: str) -> None:
    assert numbers.data_size(count) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(-121.2538, "−121.25"), (118.2, "118.20"), (1234.567, "1,234.57"), (0.27312, "0.2731"), (0.0, "0.0000")],
)
def test_a_loss(value: float, text: str) -> None:
    assert numbers.as_loss(value) == text


@pytest.mark.parametrize("text", ["nan", "inf", "-inf"])
def test_what_is_no_number_has_a_text_too(text: str) -> None:
    for function in (numbers.as_loss, numbers.as_distance):
        assert function(float(text)) == text.replace("-", "−")


def test_a_distance_a_share_and_settings() -> None:
    assert [numbers.as_distance(value) for value in (12.3456, 0.5, -0.00123456)] == ["12.35", "0.5000", "−0.001235"]
    assert numbers.as_percent(0.8734) == "87.3%"
    settings = (0.00312345, 12, "conv", [7, 5], True, None)
    assert [numbers.as_setting(value) for value in settings] == ["0.00312", "12", "conv", "[7, 5]", "true", "null"]


@pytest.mark.parametrize(
    ("interval", "texts"),
    [
        ((0.012345, 0.0102, 0.0145), ("0.0123", "0.0102 to 0.0145")),
        ((-0.0123, -0.0456, 0.0789), ("−0.012", "−0.046 to 0.079")),
        ((0.1, None, None), ("0.1000", "")),
    ],
)
def test_a_value_with_an_interval(interval: tuple[float, float | None, float | None], texts: tuple[str, str]) -> None:
    assert numbers.with_interval(*interval) == texts


def test_a_term_has_as_many_decimals_as_its_loss() -> None:
    assert numbers.as_loss(0.27312, of=177.8) == "0.27"
    assert numbers.as_loss(1.27312, of=-0.9) == "1.2731"
