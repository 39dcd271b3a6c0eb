"""The command line's own errors, such as an unknown option: one line each, as for any other bad input."""

from __future__ import annotations

import difflib
from typing import Any

import typer
from pydantic import ValidationError

from pipeline.recipes.mistakes import expected_by
from schemas.errors import UsageError
from schemas.recipe.values import shown


class App(typer.Typer):
    """A Typer application that raises its errors as `UsageError`, instead of drawing a box around them."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Run a command.

        Raises:
            UsageError: The command line names no command, or options and values that the command cannot take.
            SystemExit: The command ended early, with its exit status.
        """
        try:
            status = super().__call__(*arguments, standalone_mode=False, **options)
        except typer.TyperException as error:
            if line := _line(error):
                raise UsageError(line) from None
            raise SystemExit(UsageError.exit_status) from None  # without arguments: the help is printed already
        except typer.Abort:
            raise KeyboardInterrupt from None
        if isinstance(status, int) and status:
            raise SystemExit(status)


def _line(error: typer.TyperException) -> str:
    """Return a command line's error in one line. Typer's classes of errors are not public; their attributes tell them apart."""
    context, option = getattr(error, "ctx", None), getattr(error, "option_name", None)
    help_hint = f"; see {context.command_path} --help" if context is not None else ""
    if isinstance(error, typer.BadParameter):
        return f"{_name(error)}: {_value_error(error)}"
    if error.message.startswith("No such command"):
        name, commands = error.message.split("'")[1], context.command.list_commands(context) if context else []
        return f"{name}: expected a command that exists{_hint(name, commands)}{help_hint}"
    if error.message.startswith("No such option"):
        options = [name for parameter in context.command.params for name in parameter.opts] if context else []
        return f"{option}: expected an option that exists{_hint(str(option), options)}{help_hint}"
    if option and "requires an argument" in error.message:
        return f"{option}: expected a value, found none"
    if option and "does not take a value" in error.message:
        return f"{option}: expected no value, found one"
    if error.message.startswith("Got unexpected extra argument"):
        words = error.message.partition("(s) (")[2].removesuffix(")") or error.message
        return f"{context.info_name if context else 'the command'}: expected no further word, found {words}{help_hint}"
    return " ".join(error.format_message().split())


def _name(error: typer.BadParameter) -> str:
    """Return the option or argument as a person writes it, such as `--port` or `IMAGE`."""
    parameter: Any = error.param
    if parameter is None:
        return "the command line"
    longest: str = max(parameter.opts, key=len)
    return longest if longest.startswith("-") else str(parameter.metavar or longest).upper()


def _value_error(error: typer.BadParameter) -> str:
    cause = error.__cause__
    if isinstance(cause, ValidationError):
        first = cause.errors()[0]
        value = first["input"]
        return f"expected {expected_by(first)}, found {value if isinstance(value, str) else shown(value)}"
    return "expected a value, found none" if not error.message else " ".join(error.message.split())


def _hint(name: str, names: list[str]) -> str:
    close = difflib.get_close_matches(name, names, n=1)
    return f" (did you mean {close[0]}?)" if close else ""
