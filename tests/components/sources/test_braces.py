"""Braces in paths, as a shell reads them."""

from __future__ import annotations

import pytest

from components.sources.braces import expand


@pytest.mark.parametrize(
    ("path", "paths"),
    [
        ("a.tar", ["a.tar"]),
        ("t-{9..11}.tar", ["t-9.tar", "t-10.tar", "t-11.tar"]),
        ("t-{008..011}.tar", ["t-008.tar", "t-009.tar", "t-010.tar", "t-011.tar"]),
        ("{0..2}", ["0", "1", "2"]),
        ("{3..1}", ["3", "2", "1"]),
        ("{a,b}/{0..1}", ["a/0", "a/1", "b/0", "b/1"]),
        ("x{a,}", ["xa", "x"]),
        ("{one}", ["{one}"]),
        ("{}", ["{}"]),
        ("a{b", ["a{b"]),
    ],
)
def test_a_path_stands_for_what_a_shell_makes_of_it(path: str, paths: list[str]) -> None:
    assert list(expand(path)) == paths
