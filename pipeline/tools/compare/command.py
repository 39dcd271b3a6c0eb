"""The command `compare`: runs side by side, by their figures, their settings, and their images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from components.reporting.console import console, counted
from pipeline.core.trust import expect_trusted
from pipeline.tools.compare.images import choose_test_images, run_generators
from pipeline.tools.compare.metrics import Group, compare
from pipeline.tools.compare.page import MARKS, render
from pipeline.tools.compare.runs import Run, read_runs
from pipeline.tools.compare.verdict import listed
from schemas import atomic
from schemas.artifacts.manifest import MANIFEST
from schemas.errors import UsageError

_LONGEST_NAME = 120  # characters of a file's name


def compare_runs(names: Sequence[str], *, runs: Path, out: Path | None, trust: bool = False) -> None:
    """Write the page, and print a short table.

    Args:
        names: Names of runs below `runs`, or paths of runs' folders: two at least.
        runs: Folder of all runs.
        out: The HTML file. Default: ``compare-<a>-<b>.html`` in `runs`.
        trust: Load the runs' generators, even those that this machine did not make.

    Raises:
        UsageError: A name or `out` cannot be used, or a generator is not trusted.
        DataError: A run has no evaluation, or an artifact is not what its manifest says.
        StageFailed: TensorFlow's process ended without images.
    """
    compared = read_runs(names, runs=runs)
    page = _page_path(compared, runs=runs, out=out)
    for run in compared:
        if run.generator is not None:
            expect_trusted(run.generator, trust=trust)
    groups = compare(compared)
    test_images = choose_test_images(compared)
    with console.status("running the generators"):
        outputs = run_generators(compared, test_images)
    summary = summarise(compared, groups)
    with console.status("drawing the page"):
        text = render(compared, groups, summary=summary, test_images=test_images, outputs=outputs, folder=page.parent)
    verb = "replaced" if page.exists() else "wrote"
    atomic.write_text(page, text)
    for line in [*_table(compared, groups), "", summary]:
        console.print(line, markup=False)
    for run in compared:
        if run.no_generator:
            console.print(f"no images of {run.name}: {run.no_generator}", markup=False)
    console.print(f"{verb} {page}", markup=False)


def summarise(runs: Sequence[Run], groups: Sequence[Group]) -> str:
    """Say which run is best in how many figures, in sentences."""
    best, first = ({run.name: 0 for run in runs} for _ in range(2))
    level = 0
    for row in (row for group in groups for row in group.rows):
        marks = [cell.mark for cell in row.verdict.cells]
        level += "level" in marks
        for run, mark in zip(runs, marks, strict=True):
            best[run.name] += mark == "best"
            first[run.name] += mark == "first" and "level" not in marks
    differences = _differences(groups)
    if not level and not any(best.values()) and not any(first.values()):
        return f"No figure ranks these runs{f': they differ in {differences}' if differences else ''}."
    sentences = ["No run is best by more than the uncertainty."]
    if any(best.values()):
        sentences = [f"Best by more than the uncertainty: {_counts(best)}."]
    if level:
        sentences.append(f"No clear best in {counted(level, 'figure')}.")
    if any(first.values()):
        sentences.append(f"First, with unknown uncertainty: {_counts(first)}.")
    if differences:
        sentences.append(f"Some figures cannot be compared: the runs differ in {differences}.")
    return " ".join(sentences)


def _counts(counts: dict[str, int]) -> str:
    return listed([f"{name} in {counted(count, 'figure')}" for name, count in counts.items() if count])


def _differences(groups: Sequence[Group]) -> str:
    """List why figures cannot be compared, the most frequent reason first."""
    reasons = Counter(
        reason.partition(" (")[0] for group in groups for row in group.rows for reason in row.verdict.differences
    )
    return listed([reason for reason, _ in reasons.most_common()])


def _page_path(compared: Sequence[Run], *, runs: Path, out: Path | None) -> Path:
    if out is None:
        names = [run.path.resolve().name for run in compared]
        name = f"compare-{'-'.join(names)}"
        if len(name) > _LONGEST_NAME:
            name = f"compare-{names[0]}-and-{len(names) - 1}-more"[:200]
        return runs / f"{name}.html"
    if out.suffix.lower() not in (".html", ".htm") or out.is_dir():
        actual = "a folder" if out.is_dir() else out.name
        raise UsageError(f"--out {out}: expected a name that ends in .html, found {actual}")
    for folder in out.resolve().parents:
        if (folder / MANIFEST).is_file():
            raise UsageError(
                f"--out {out}: expected a place outside artifacts, which hold no other files, found {folder}"
            )
    return out


def _table(runs: Sequence[Run], groups: Sequence[Group]) -> list[str]:
    """Return the most important figures, as lines for a terminal."""
    lines = [["", *(run.name for run in runs)]]
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
        note = f"not {'all ' if ranked else ''}comparable" if row.verdict.differences else ""
        lines.append([title, *cells, note] if note else [title, *cells])
    widths = [max(len(line[column]) for line in lines) for column in range(len(runs) + 1)]
    return [
        "  ".join(f"{text:<{width}}" for text, width in zip(line, [*widths, 0], strict=False)).rstrip()
        for line in lines
    ]
