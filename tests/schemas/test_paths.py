"""Paths as people write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import UsageError
from schemas.paths import user_path


def test_a_tilde_stands_for_the_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    assert user_path("~/photos") == user_path(Path("~", "photos")) == Path("/home/ann/photos")
    assert user_path("photos/~") == Path("photos/~")


def test_the_home_of_nobody_is_one_line() -> None:
    with pytest.raises(
        UsageError, match=r"~nobody-here/p: expected a path, found ~nobody-here, which is nobody's home"
    ):
        user_path("~nobody-here/p")
