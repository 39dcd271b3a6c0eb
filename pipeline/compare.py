"""Runs side by side: their figures, their settings, what they make of the same test images and of the same codes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from components.console import console
from pipeline.compare_images import choose, make
from pipeline.compare_metrics import Group, compare
from pipeline.compare_page import MARKS, render
from pipeline.compare_runs import Run, read_runs
from pipeline.compare_verdict import listed
from schemas import atomic
from schemas.errors import UsageError
from schemas.manifest import MANIFEST

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
    clear = dict.fromkeys((run.name for run in runs), 0)
    level = unknown = 0
    for row in (row for group in groups for row in group.rows):
        marks = [cell.mark for cell in row.cells]
        if "level" in marks:
            level += 1
        elif "after" in marks:
            unknown += 1
        elif "best" in marks:
            for run, mark in zip(runs, marks, strict=True):
                clear[run.name] += mark == "best"
    if not level and not unknown and not any(clear.values()):
        reasons = [row.but for group in groups for row in group.rows if row.but.startswith("Cannot")]
        why = reasons[0].removeprefix("Cannot be compared: ").split(". ")[0].rstrip(".") if reasons else ""
        return f"No figure ranks these runs{f': {why}' if why else ''}."
    best = listed([f"{name} in {_figures(count)}" for name, count in clear.items() if count])
    sentences = [
        f"Better by more than the uncertainty: {best}." if best else "No run is better by more than the uncertainty."
    ]
    if level:
        sentences.append(f"No clear best in {_figures(level)}.")
    if unknown:
        sentences.append(f"Of {_figures(unknown)} nobody knows the uncertainty.")
    if any("annot be compared" in row.but for group in groups for row in group.rows):
        sentences.append("Not everything can be compared.")
    return " ".join(sentences)


def _figures(count: int) -> str:
    return f"{count} figure{'' if count == 1 else 's'}"


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
            for cell in row.cells
        ]
        title = row.title if row.key.startswith("metrics.") else f"{row.title}, {space}"
        note = "not comparable" if row.but.startswith("Cannot") else ""
        rows.append([title, *cells, note] if note else [title, *cells])
    columns = range(len(runs) + 1)
    widths = [max(len(row[column]) for row in rows) for column in columns]
    return [
        "  ".join(f"{text:<{width}}" for text, width in zip(row, [*widths, 0], strict=False)).rstrip() for row in rows
    ]
