"""Text of a person in Markdown that others publish: it stays text."""

from __future__ import annotations

import re

from components.reporting.console import one_line

# `_` between letters is no emphasis, and stands in addresses.
_MARKS = re.compile(r"[\\`*{}\[\]|~$]|(?<![^\W_])_|_(?![^\W_])")
_FIRST_MARK = re.compile(r"([#+=-]|\d+(?=[.)]))")


def as_markdown(text: str) -> str:
    """Return Markdown that shows this text in one line: no markup, HTML or control character of it has an effect."""
    line = one_line(" ".join(text.split()))
    escaped = _MARKS.sub(r"\\\g<0>", line)
    escaped = escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    first = _FIRST_MARK.match(escaped)
    if first is None:
        return escaped
    mark = first[0]  # of a heading or a list, at the beginning of a line
    return f"{mark}\\{escaped[len(mark) :]}" if mark[0].isdigit() else f"\\{escaped}"
