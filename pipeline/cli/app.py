"""The whole command line, and how a command ends: its exit status, and one line for what went wrong."""

from __future__ import annotations

import os
from collections.abc import Callable

import typer

from pipeline.cli import artifacts, recipes, stages, tfx, tools
from pipeline.core.child_process import StageFailed
from schemas.errors import DataError, UsageError

app = typer.Typer(
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
    """Runs a command; what goes wrong is one line on standard error, and a status: 2 usage, 1 data."""
    raise SystemExit(guarded(app))


def guarded(command: Callable[[], object]) -> int:
    """Exit status of a command: 0, 2 for usage, 1 for data, 130 when interrupted."""
    try:
        command()
        return 0
    except SystemExit as end:  # typer ends every command this way, also an interrupted one
        status = end.code if isinstance(end.code, int) else 1
    except KeyboardInterrupt:
        status = INTERRUPTED
    except (UsageError, DataError, StageFailed) as error:
        typer.echo(f"error: {error}", err=True)
        status = error.exit_status
    except OSError as error:
        if error.errno is None:
            raise
        typer.echo(f"error: {error.filename or 'a file'}: {os.strerror(error.errno)}", err=True)
        status = 1
    if status == INTERRUPTED:
        typer.echo("\nstopped: what is finished is kept, and the same command continues", err=True)
    return status
