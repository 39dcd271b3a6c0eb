"""Splits several settings in one text, such as make's `SET`, with spaces between them."""

from __future__ import annotations

import re

from schemas.errors import UsageError

_CLOSING = {"[": "]", "{": "}"}
_QUOTES = "\"'"
_BEFORE_VALUES = "[{,: \n\t"  # inside of brackets: where a quote opens a text, and is no apostrophe
# A key, a space, `=`; or a key, `=`, a space, and what is no other setting and thus the value.
_SPACE_BESIDE_EQUALS = re.compile(r"""[^\s=]+(?:\s+=|=\s+(?:["'\[{]|[^\s=]+(?!\S)))""")


def split_settings(text: str) -> list[str]:
    """Return the texts `key=value` of a list of settings.

    A value is YAML, as in a recipe. It ends at a space, unless it is in quotes or brackets:
    ``title="My photos" generate.labels={shoe: 500, bag: 100} train.epochs=5``.

    Raises:
        UsageError: A quote or a bracket is not closed, something follows a closing one directly, or a space stands beside
            the `=` of a setting.
    """
    settings, start = [], _skip_space(text, 0)
    while start < len(text):
        if _SPACE_BESIDE_EQUALS.match(text, start):
            raise _error(text[start:], "no space beside =", "one")
        value = start
        while value < len(text) and text[value] != "=" and not text[value].isspace():
            value += 1
        end = _end_of_value(text, value + 1, setting=text[start:]) if text[value : value + 1] == "=" else value
        settings.append(text[start:end])
        start = _skip_space(text, end)
    return settings


def _end_of_value(text: str, start: int, *, setting: str) -> int:
    """Return the index after the value that begins at `start`."""
    first = text[start : start + 1]
    if not first or first not in "\"'[{":
        end = start
        while end < len(text) and not text[end].isspace():
            end += 1
        return end
    end = _end_of_quote(text, start, setting) if first in _QUOTES else _end_of_brackets(text, start, setting)
    if end < len(text) and not text[end].isspace():
        raise _error(setting, f"a space after {text[end - 1]}", text[end])
    return end


def _end_of_quote(text: str, start: int, setting: str) -> int:
    quote, end = text[start], start + 1
    while end < len(text):
        if quote == '"' and text[end] == "\\":
            end += 2
        elif text[end] != quote:
            end += 1
        elif quote == "'" and text[end + 1 : end + 2] == "'":  # an apostrophe in YAML's single quotes
            end += 2
        else:
            return end + 1
    raise _error(setting, f"a closing {quote}", "none")


def _end_of_brackets(text: str, start: int, setting: str) -> int:
    open_brackets, end = [], start
    while end < len(text):
        character = text[end]
        if character in _CLOSING:
            open_brackets.append(character)
        elif character in _CLOSING.values():
            if character != _CLOSING[open_brackets.pop()]:
                raise _error(setting, "brackets in pairs", character)
            if not open_brackets:
                return end + 1
        elif character in _QUOTES and text[end - 1] in _BEFORE_VALUES:
            end = _end_of_quote(text, end, setting) - 1
        end += 1
    raise _error(setting, f"a closing {_CLOSING[open_brackets[-1]]}", "none")


def _skip_space(text: str, start: int) -> int:
    while start < len(text) and text[start].isspace():
        start += 1
    return start


def _error(setting: str, expected: str, actual: str) -> UsageError:
    return UsageError(f"SET: expected {expected}, found {actual} in {setting[:80]!r}; see docs/recipes.md")
