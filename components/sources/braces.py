"""Paths with braces, as shells and WebDataset write them: `train-{000..099}.tar`, `{train,val}/000.tar`."""

from __future__ import annotations

import re
from collections.abc import Iterator

PATTERN = re.compile(r"\{(?:(\d+)\.\.(\d+)|([^{}]*,[^{}]*))\}")


def expanded(path: str) -> Iterator[str]:
    """Every path that one with braces stands for, in order; other braces are letters like any other.

    Numbers are as wide as the wider of the two that are given, where either begins with 0.
    """
    found = PATTERN.search(path)
    if not found:
        yield path
        return
    first, last, words = found.groups()
    for word in words.split(",") if words is not None else _numbers(first, last):
        for rest in expanded(path[found.end() :]):
            yield f"{path[: found.start()]}{word}{rest}"


def _numbers(first: str, last: str) -> Iterator[str]:
    padded = any(number.startswith("0") and number != "0" for number in (first, last))
    width = max(len(first), len(last)) if padded else 0
    step = 1 if int(first) <= int(last) else -1
    return (f"{number:0{width}d}" for number in range(int(first), int(last) + step, step))
