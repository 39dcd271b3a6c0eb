"""What a person sees while a stage works: short lines and one bar, on standard output."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

console = Console(highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """Prints one line of a stage's story, indented under the stage's name."""
    console.print(f"  {text}", markup=False)


class _RateColumn(ProgressColumn):
    """Items per second, as `1,234 images/s`."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self.unit = unit

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f} {self.unit}/s", style="cyan")


@contextmanager
def bar(description: str, *, total: int, unit: str = "images") -> Iterator[Callable[..., None]]:
    """A live bar; yields a function that sets how many items are done, and a note after it, "" for none.

    Where there is no terminal, nothing is drawn.
    """
    columns = (
        TextColumn("  {task.description}"),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        _RateColumn(unit),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(description, total=total, note="")
        yield lambda done, note="": progress.update(task, completed=done, note=note)


@contextmanager
def watched(
    description: str, *, total: int, count: Callable[[], int], note: Callable[[], str] = str, unit: str = "images"
) -> Iterator[None]:
    """A live bar over work done by other processes: twice a second `count` says how many items are done, `note` more."""
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
    """So many of something, in the singular or the plural."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
