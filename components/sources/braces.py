"""Paths with braces, as shells and WebDataset write them: `train-{000..099}.tar`, `{train,val}/000.tar`."""

from __future__ import annotations

import re
from collections.abc import Iterator

PATTERN = re.compile(r"\{(?:(\d+)\.\.(\d+)|([^{}]*,[^{}]*))\}")


def expand(path: str) -> Iterator[str]:
    """Yield every path that a path with braces stands for, in order; braces of another form are left as they are.

    If the first or the last number begins with 0, all numbers are as wide as the wider of the two.
    """
    match = PATTERN.search(path)
    if not match:
        yield path
        return
    first, last, words = match.groups()
    for word in words.split(",") if words is not None else _numbers(first, last):
        for rest in expand(path[match.end() :]):
            yield f"{path[: match.start()]}{word}{rest}"


def _numbers(first: str, last: str) -> Iterator[str]:
    padded = any(number.startswith("0") and number != "0" for number in (first, last))
    width = max(len(first), len(last)) if padded else 0
    step = 1 if int(first) <= int(last) else -1
    return (f"{number:0{width}d}" for number in range(int(first), int(last) + step, step))
