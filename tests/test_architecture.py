"""The structure: imports point one way, looking at runs imports no TensorFlow, and text is UTF-8 in any locale."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.chain_by_hand import finish
from helpers.paths import ROOT

from pipeline.core.chain import STAGES
from pipeline.recipes.load import load_recipe

# Each of these takes a tenth of a second to import, TensorFlow several seconds.
HEAVY = (
    "tensorflow",
    "keras",
    "apache_beam",
    "matplotlib",
    "sklearn",
    "scipy",
    "pandas",
    "onnxruntime",
    "grpc",
    "jinja2",
)


def heavy_imports(*command: str) -> set[str]:
    """Return the heavy packages that a command of `python -m pipeline` imports, in a fresh process."""
    code = (
        "import sys\n"
        "from pipeline.cli.app import app, guarded\n"
        f"guarded(lambda: app({list(command)!r}))\n"
        f"print('IMPORTED', *[name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    return set(done.stdout.rsplit("IMPORTED", 1)[1].split())


@pytest.mark.process
def test_imports_point_one_way() -> None:
    lint_imports = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([lint_imports, "--no-cache"], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.process
@pytest.mark.parametrize("command", ["--help", "status", "recipes", "all --dry-run"])
def test_looking_imports_nothing_heavy(command: str, tmp_path: Path) -> None:
    runs = ["--runs", str(tmp_path)] if command in ("status", "all --dry-run") else []
    assert heavy_imports(*command.split(), *runs) == set()


@pytest.mark.process
def test_a_run_that_is_up_to_date_imports_nothing_heavy(tmp_path: Path) -> None:
    finish(load_recipe("demo"), tmp_path, *(stage.name for stage in STAGES))
    assert heavy_imports("all", "--runs", str(tmp_path)) == set()


@pytest.mark.parametrize("stage", [stage.name for stage in STAGES])
def test_every_stage_has_a_front_door_and_a_make_target(stage: str) -> None:
    assert (ROOT / "components" / stage / "component.py").is_file()
    assert f"\n{stage}: setup ##" in (ROOT / "Makefile").read_text()


@pytest.mark.parametrize("package", ["components", "pipeline"])
def test_every_file_has_a_room(package: str) -> None:
    files = {path.name for path in (ROOT / package).glob("*.py")}
    assert files <= {"__init__.py", "__main__.py"}


# --- text ------------------------------------------------------------------------------------------------------------


def calls_that_take_the_locales_encoding(code: str) -> Iterator[str]:
    """Yield the calls that read or write text without an encoding."""
    for call in ast.walk(ast.parse(code)):
        if isinstance(call, ast.Call) and not any(keyword.arg == "encoding" for keyword in call.keywords):
            texts = [argument.value for argument in call.args if isinstance(argument, ast.Constant)]
            match call.func:
                case ast.Attribute(value, "read_text" | "write_text") if ast.unparse(value) != "atomic":  # ours: UTF-8
                    yield ast.unparse(call)
                case ast.Name("open") | ast.Attribute(_, "open" | "fdopen") if {"r", "w", "a", "x", "r+", "w+"} & {
                    *texts
                }:
                    yield ast.unparse(call)


def test_text_is_utf_8_in_any_locale() -> None:
    files = [
        path for package in ("schemas", "models", "components", "pipeline") for path in (ROOT / package).rglob("*.py")
    ]
    assert len(files) > 100
    calls = {path.name: [*calls_that_take_the_locales_encoding(path.read_text(encoding="utf-8"))] for path in files}
    assert {name: lines for name, lines in calls.items() if lines} == {}
