"""Short lines and a progress bar on standard output, for a person who watches a stage."""

from __future__ import annotations

import codecs
import io
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Column
from rich.text import Text

_PLAIN = {
    "×": "x",
    "…": "...",
    "→": "->",
    "–": "-",
    "—": "-",
    "−": "-",
    "’": "'",
    "“": '"',
    "”": '"',
    "·": "*",
    "±": "+-",
}


def _in_plain_letters(error: UnicodeError) -> tuple[str, int]:
    """Replace characters that an output's encoding lacks: a line that looks odd is better than a stage that fails at it."""
    assert isinstance(error, UnicodeEncodeError)
    text = error.object[error.start : error.end]
    return "".join(_PLAIN.get(character, "?") for character in text), error.end


codecs.register_error("plain_letters", _in_plain_letters)


def write_anything(stream: object) -> None:
    """Let a stream write every text, also in an encoding that lacks some characters, such as ASCII."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="plain_letters")


# Characters by which a text commands a terminal, ends a line or changes the order of what stands in it; first and last.
_CONTROL_RANGES = (
    *((0x00, 0x08), (0x0A, 0x1F), (0x7F, 0x9F)),
    *((0x200E, 0x200F), (0x2028, 0x202E), (0x2066, 0x2069)),
)
_CONTROLS = {code: "\N{REPLACEMENT CHARACTER}" for first, last in _CONTROL_RANGES for code in range(first, last + 1)}


def one_line(text: str) -> str:
    """Return a text for the terminal without control characters: names and labels may come from anybody."""
    return text.translate(_CONTROLS)


class _Console(Console):
    """A console that prints each text as one line without control characters; its own colours stay."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print as rich does."""
        super().print(*map(_without_controls, objects), **options)


def _without_controls(item: Any) -> Any:
    if isinstance(item, str):
        return one_line(item)
    if isinstance(item, Text):
        item.plain = one_line(item.plain)  # of the same length, so that styles stay in place
    return item


NARROW = 120  # columns of a terminal in which a bar is shorter

write_anything(sys.stdout)
console = _Console(highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """Print one line of a stage's progress, indented under the stage's name."""
    console.print(f"  {text}", markup=False)


class _RateColumn(ProgressColumn):
    """Items per second, as `1,234 images/s`."""

    def __init__(self, unit: str) -> None:
        super().__init__(table_column=Column(no_wrap=True))
        self.unit = unit

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f} {self.unit}/s", style="cyan")


class _NoteColumn(ProgressColumn):
    """The note, cut where the terminal ends: a bar that takes a second line would leave traces."""

    def render(self, task: Task) -> Text:
        return Text(task.fields["note"], no_wrap=True, overflow="ellipsis")


@contextmanager
def bar(description: str, *, total: int, unit: str = "images") -> Iterator[Callable[..., None]]:
    """Show a progress bar, and yield a function that sets how many items are done, and a note after it, "" for none.

    Without a terminal nothing is drawn.
    """
    columns = (
        TextColumn("  {task.description}"),
        BarColumn(bar_width=28 if console.width > NARROW else 12),
        MofNCompleteColumn(table_column=Column(no_wrap=True)),
        _RateColumn(unit),
        TimeRemainingColumn(table_column=Column(no_wrap=True)),
        _NoteColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(description, total=total, note="")
        yield lambda done, note="": progress.update(task, completed=done, note=note)


@contextmanager
def watched(
    description: str, *, total: int, count: Callable[[], int], note: Callable[[], str] = str, unit: str = "images"
) -> Iterator[None]:
    """Show a progress bar of work that other processes do.

    Args:
        description: What the items are.
        total: Number of items.
        count: Called twice a second; returns how many items are done.
        note: Called as often; returns a note that stands after the bar.
        unit: Of the rate.
    """
    stop = threading.Event()
    with bar(description, total=total, unit=unit) as update:

        def watch() -> None:
            while not stop.wait(0.5):
                update(count(), note())

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
        update(count(), note())


def counted(count: int, noun: str) -> str:
    """Return a number with a noun in the singular or the plural, such as `1,234 images`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
