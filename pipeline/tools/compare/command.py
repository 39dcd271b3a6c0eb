"""Runs side by side: their figures, their settings, what they make of the same test images and of the same codes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from components.reporting.console import console, counted
from pipeline.tools.compare.images import choose, make
from pipeline.tools.compare.metrics import Group, compare
from pipeline.tools.compare.page import MARKS, render
from pipeline.tools.compare.runs import Run, read_runs
from pipeline.tools.compare.verdict import listed
from schemas import atomic
from schemas.artifacts.manifest import MANIFEST
from schemas.errors import UsageError

_LONGEST = 120  # characters of a file's name


def compare_runs(names: Sequence[str], *, runs: Path, out: Path | None) -> None:
    """Writes the page, and prints a short table.

    Args:
        names: Of runs below `runs`, or paths of runs' folders: two at least.
        runs: Folder of all runs.
        out: The HTML file. Default: ``compare-<a>-<b>.html`` in `runs`.

    Raises:
        UsageError: A name or `out` cannot be used.
        DataError: A run has no evaluation, or an artifact is not what its manifest says.
        StageFailed: TensorFlow's process ended without images.
    """
    found = read_runs(names, runs=runs)
    page = _page_path(found, runs=runs, out=out)
    groups = compare(found)
    chosen = choose(found)
    with console.status("asking the generators"):
        made = make(found, chosen)
    summary = summed_up(found, groups)
    text = render(found, groups, summary=summary, chosen=chosen, made=made, folder=page.parent)
    verb = "replaced" if page.exists() else "wrote"
    atomic.write_text(page, text)
    for line in [*_table(found, groups), "", summary]:
        console.print(line, markup=False)
    for run in found:
        if run.no_pictures:
            console.print(f"no images of {run.name}: {run.no_pictures}", markup=False)
    console.print(f"{verb} {page}", markup=False)


def summed_up(runs: Sequence[Run], groups: Sequence[Group]) -> str:
    """Who is best in how many figures, in sentences."""
    clear, unclear = ({run.name: 0 for run in runs} for _ in range(2))
    level = 0
    for row in (row for group in groups for row in group.rows):
        marks = [cell.mark for cell in row.verdict.cells]
        level += "level" in marks
        for run, mark in zip(runs, marks, strict=True):
            clear[run.name] += mark == "best"
            unclear[run.name] += mark == "first" and "level" not in marks
    why = _reasons(groups)
    if not level and not any(clear.values()) and not any(unclear.values()):
        return f"No figure ranks these runs{f': they differ in {why}' if why else ''}."
    sentences = [
        f"Best by more than the uncertainty: {_each(clear)}."
        if any(clear.values())
        else "No run is best by more than the uncertainty."
    ]
    if level:
        sentences.append(f"No clear best in {counted(level, 'figure')}.")
    if any(unclear.values()):
        sentences.append(f"First where nobody knows the uncertainty: {_each(unclear)}.")
    return " ".join([*sentences, *([f"Some figures cannot be compared: the runs differ in {why}."] if why else [])])


def _each(counts: dict[str, int]) -> str:
    return listed([f"{name} in {counted(count, 'figure')}" for name, count in counts.items() if count])


def _reasons(groups: Sequence[Group]) -> str:
    """Why figures cannot be compared, what concerns most of them first."""
    found = Counter(what.partition(" (")[0] for group in groups for row in group.rows for what in row.verdict.other)
    return listed([what for what, _ in found.most_common()])


def _page_path(found: Sequence[Run], *, runs: Path, out: Path | None) -> Path:
    if out is None:
        names = [run.path.resolve().name for run in found]
        name = f"compare-{'-'.join(names)}"
        return runs / f"{name if len(name) <= _LONGEST else f'compare-{names[0]}-and-{len(names) - 1}-more'[:200]}.html"
    if out.suffix.lower() not in (".html", ".htm") or out.is_dir():
        what = "a folder" if out.is_dir() else out.name
        raise UsageError(f"--out {out}: expected a name that ends in .html, found {what}")
    for folder in out.resolve().parents:
        if (folder / MANIFEST).is_file():
            raise UsageError(
                f"--out {out}: expected a place outside artifacts, which hold no other files, found {folder}"
            )
    return out


def _table(runs: Sequence[Run], groups: Sequence[Group]) -> list[str]:
    """The figures that matter most, as lines for a terminal."""
    rows = [["", *(run.name for run in runs)]]
    for row in (row for group in groups for row in group.rows):
        if not row.key.startswith("metrics.") and not row.key.endswith(".frechet"):
            continue
        space = row.key.split(".")[1]
        cells = [
            " ".join(filter(None, [cell.number, cell.spread and f"± {cell.spread}", MARKS[cell.mark]]))
            for cell in row.verdict.cells
        ]
        title = row.title if row.key.startswith("metrics.") else f"{row.title}, {space}"
        ranked = any(cell.mark for cell in row.verdict.cells)
        note = f"not {'all ' if ranked else ''}comparable" if row.verdict.other else ""
        rows.append([title, *cells, note] if note else [title, *cells])
    columns = range(len(runs) + 1)
    widths = [max(len(row[column]) for row in rows) for column in columns]
    return [
        "  ".join(f"{text:<{width}}" for text, width in zip(row, [*widths, 0], strict=False)).rstrip() for row in rows
    ]
