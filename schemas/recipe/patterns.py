"""The patterns that texts in a recipe must match, and what each means in words."""

from __future__ import annotations

RECIPE_NAME = r"^[a-z0-9][a-z0-9_-]*$"
FILE_NAME = r"^[\w][\w.-]*$"
INDICES = r"^[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*$"
URL = r"^(https://|file:///|http://(localhost|127\.0\.0\.1)[:/])[!-~]+$"
SHA256 = r"^[0-9a-f]{64}$"

IN_WORDS = {
    RECIPE_NAME: "lower-case letters a to z, digits, - and _, with a letter or a digit first",
    FILE_NAME: "letters, digits, ., - and _, with a letter, a digit or _ first",
    INDICES: "numbers and ranges such as 0,5,100-199",
    URL: "a URL that begins with https:// or file:///; http:// only with localhost",
    SHA256: "64 hex digits, 0 to 9 and a to f",
}

MAX_NAME = 100  # characters: file systems allow 255 bytes, of which prefixes and endings of ours take some
