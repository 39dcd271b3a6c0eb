"""Options that several commands share."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from pipeline.recipes.setting_list import split_settings
from schemas.errors import UsageError
from schemas.paths import found_at, user_path


def _runs_folder(text: str | Path) -> Path:
    """Return the folder of all runs, which need not exist yet.

    Raises:
        UsageError: There is something else.
    """
    path = user_path(text)
    if path.exists() and not path.is_dir():
        raise UsageError(f"--runs {text}: expected a folder, found {found_at(path)}")
    return path


RecipeName = Annotated[str, typer.Option("--recipe", "-r", help="Name of a recipe, or path of a recipe file.")]
SourcePath = Annotated[str | None, typer.Option("--source", "-s", help="Path of your images.")]
Overrides = Annotated[
    list[str], typer.Option("--set", help="Override a setting, such as train.epochs=5. Can be repeated.")
]
SettingList = Annotated[
    str, typer.Option("--settings", help="Several settings in one text, with spaces between them: make's SET.")
]
RunsFolder = Annotated[Path, typer.Option("--runs", metavar="FOLDER", parser=_runs_folder, help="Folder of all runs.")]
InceptionPath = Annotated[
    str | None, typer.Option("--inception", help="Path of inception-2015-12-05.pt, for FID and KID.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would run, and stop.")]
Trust = Annotated[
    bool, typer.Option("--trust", help="Load a generator that this machine did not make; it runs as a program.")
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show every setting and the libraries' log.")]
RunNames = Annotated[list[str], typer.Argument(metavar="RUN...", help="Names below --runs, or paths of runs' folders.")]
NameList = Annotated[
    str, typer.Option("--names", help="Runs in one text, with spaces between them, quoted as in a shell: make's RUNS.")
]
Page = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", parser=user_path, help="The HTML file. Default: compare-A-B.html in --runs."),
]

RUNS = Path("runs")


def all_overrides(overrides: Sequence[str], *, settings: str = "", inception: str | None = None) -> list[str]:
    """Return the overrides of all options, those of `--settings` first, so that the others count.

    Raises:
        UsageError: A quote or a bracket in `--settings` is not closed.
    """
    by_name = [] if inception is None else [f"evaluate.inception={json.dumps(inception, ensure_ascii=False)}"]
    return [*split_settings(settings), *overrides, *by_name]  # JSON is YAML
