"""The whole command line, and how a command ends: an exit status, and one line for an error."""

from __future__ import annotations

import os
from collections.abc import Callable

import typer

from components.reporting.console import one_line
from pipeline.cli import artifacts, recipes, stages, tfx, tools
from pipeline.cli.command_line import App
from pipeline.core.child_process import StageFailed
from schemas.errors import DataError, UsageError

app = App(
    help="Raw images in, a generator and synthetic image sets out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for _group in (stages, artifacts, recipes, tools):
    app.add_typer(_group.app)
app.add_typer(tfx.app, name="tfx")

INTERRUPTED = 130  # exit status


def main() -> None:
    """Run a command. An error is one line on standard error, with exit status 2 (usage) or 1 (data)."""
    raise SystemExit(guarded(app))


def guarded(command: Callable[[], object]) -> int:
    """Run a command; return its exit status: 0, 2 for usage, 1 for data, 130 if interrupted."""
    try:
        command()
        return 0
    except SystemExit as end:  # a command that ended early, such as --help
        status = end.code if isinstance(end.code, int) else 1
    except KeyboardInterrupt:
        status = INTERRUPTED
    except (UsageError, DataError, StageFailed) as error:
        typer.echo(f"error: {one_line(str(error))}", err=True)
        status = error.exit_status
    except OSError as error:
        if error.errno is None:
            raise
        typer.echo(
            one_line(f"error: {error.filename or 'the output, or a file'}: {os.strerror(error.errno)}"), err=True
        )
        status = 1
    if status == INTERRUPTED:
        typer.echo("\nstopped; run the same command again to resume", err=True)
    return status
