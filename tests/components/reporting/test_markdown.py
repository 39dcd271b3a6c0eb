"""A text of somebody else stays text in Markdown."""

from __future__ import annotations

import pytest

from components.reporting.markdown import as_markdown


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("Zalando's images, MIT; from https://x.org/a_b-c", "Zalando's images, MIT; from https://x.org/a_b-c"),
        ("<img src=x onerror=alert(1)>", "&lt;img src=x onerror=alert(1)&gt;"),
        ("&lt;b&gt;", "&amp;lt;b&amp;gt;"),
        ("[here](javascript:alert(1))", "\\[here\\](javascript:alert(1))"),
        ("![](http://x/pixel.png)", "!\\[\\](http://x/pixel.png)"),
        ("a | b *c* _d_ `e` ~~f~~ $g$ \\", "a \\| b \\*c\\* \\_d\\_ \\`e\\` \\~\\~f\\~\\~ \\$g\\$ \\\\"),
        ("# head", "\\# head"),
        ("- item", "\\- item"),
        ("1. item", "1\\. item"),
        ("2024", "2024"),
        ("a\n\n# head\n---\n<b>", "a # head --- &lt;b&gt;"),
        ("\x1b[31mred\u202e\0", "�\\[31mred��"),
        ("", ""),
    ],
)
def test_nothing_in_a_text_has_an_effect(text: str, markdown: str) -> None:
    assert as_markdown(text) == markdown
