"""The command that a person will most likely run next."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path

from pipeline.cli.options import RUNS
from pipeline.recipes.setting_list import split_settings
from schemas.artifacts.kinds import Generator
from schemas.errors import UsageError

_AFTER = {"ingest": "train", "tune": "train", "train": "evaluate", "evaluate": "generate", "export": "generate"}


def next_step(
    target: str, *, recipe: str, source: str | None, overrides: Sequence[str], runs: Path, generator: Generator
) -> str:
    """Return what to do after a command, in a line with the command for it.

    Args:
        target: The command that has ended: a stage, or all.
        recipe: The recipe's name or path, as the command got it.
        source: The path of images that it got.
        overrides: The settings that it got: the next command needs the same, or it would make the same things anew.
        runs: The folder of all runs.
        generator: The recipe's generator, which the explorer needs in the form ONNX.
    """
    variables = [f"RECIPE={shlex.quote(recipe)}"]
    variables += [f"SOURCE={shlex.quote(source)}"] if source is not None else []
    variables += [f"SET={shlex.quote(' '.join(map(_in_a_list, overrides)))}"] if overrides else []
    variables += [f"RUNS={shlex.quote(str(runs))}"] if runs != RUNS else []
    words = " ".join(variables)
    if target in _AFTER:
        more = f" (make tune {words} before it searches for better settings)" if target == "ingest" else ""
        return f"next: make {_AFTER[target]} {words}{more}"
    if (generator.path / "onnx" / "decode.onnx").is_file():
        runs_alone = " ".join(word for word in variables if word.startswith(("RECIPE=", "RUNS=")))
        return f"next: walk from image to image in your browser: make explore {runs_alone}"
    return f"next: make generate {words} N=10000"


def _in_a_list(override: str) -> str:
    """Return an override as it stands in make's SET, where a value with a space is in quotes."""
    try:
        if split_settings(override) == [override]:
            return override
    except UsageError:
        pass
    key, _, value = override.partition("=")
    return f"{key}={json.dumps(value, ensure_ascii=False)}"
