"""The patterns of texts in a recipe."""

from __future__ import annotations

import json
import re

from schemas.recipe.patterns import IN_WORDS
from schemas.recipe.recipe import Recipe


def test_an_error_says_every_pattern_in_words() -> None:
    schema = json.dumps(Recipe.model_json_schema())
    patterns = {json.loads(text) for text in re.findall(r'"pattern": ("(?:[^"\\]|\\.)*")', schema)}
    assert patterns == IN_WORDS.keys()
