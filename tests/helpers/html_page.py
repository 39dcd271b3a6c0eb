"""A page of HTML: its tags, words and code. No test is here."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

VOID = {"meta", "img", "br", "hr", "link", "input"}


class Page(HTMLParser):
    """A parser that collects a page; it fails where tags do not nest.

    Attributes:
        open: Names of the tags that are open.
        tags: Each tag's name and attributes.
        text: The text, without tags.
        code: Contents of style and script, by name.
        heads: Levels and words of the headings.
    """

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.code = {"style": "", "script": ""}
        self.heads: list[tuple[int, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag in ("h1", "h2", "h3", "h4"):
            self.heads.append((int(tag[1]), ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))  # of SVG

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in self.code:
            self.code[self.open[-1]] += data
            return
        self.text += f"{data} "
        if self.open and self.open[-1] in ("h1", "h2", "h3", "h4"):
            level, words = self.heads[-1]
            self.heads[-1] = (level, words + data)

    @property
    def words(self) -> str:
        return " ".join(self.text.split())

    def of(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of each tag with this name."""
        return [attributes for name, attributes in self.tags if name == tag]


def page_from(html: str) -> Page:
    """Parse a page; fail where its tags do not nest."""
    page = Page()
    page.feed(html)
    page.close()
    assert page.open == []
    return page


def page_of(path: Path) -> Page:
    """Parse the page in a file; see `page_from`."""
    return page_from(path.read_text(encoding="utf-8"))
