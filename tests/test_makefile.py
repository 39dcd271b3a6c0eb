"""Every target hands a person's values to its command as they were written: make and the shell read nothing into them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.paths import ROOT

from pipeline.cli.options import all_overrides
from pipeline.recipes.setting_list import split_settings

pytestmark = pytest.mark.process

NASTY = {
    "an apostrophe and a space": "/x/o'brien pics",
    "commands": "a;touch pwned;`touch pwned`$(touch pwned)|touch pwned&&touch pwned",
    "functions of make": "$(shell touch pwned)$(SOURCE)${RUNS}$x$$y$@%",
    "quotes and backslashes": '"a" \\"b\\" \'c\' \\',
    "a second line": "a\n\ttouch pwned\nb",
    "an option": "--help",
    "patterns and a comment": "* ? [a-z] ~ #b !c {d,e}",
    "an equals sign": "a=b:=c",
}
VARIABLES = re.findall(r"^VARIABLES := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[0].split()
STAGES = ("ingest", "tune", "train", "evaluate", "export", "generate", "all")
FLAGS = ["--dry-run", "--verbose", "--trust"]
END = "end of the call"
STUB = f'#!/bin/sh\nprintf "%s\\0" "${{0##*/}}" "$@" "{END}" >> calls\n'

Make = Callable[..., list[list[str]]]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which the Makefile runs, and finds everything installed: programs that write down their arguments."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "requirements").mkdir()
    names = ("py3.11", "py3.12", "py3.13", "uv", "tfx-py3.11", "browser")
    for path in (folder / "setup.py", *(folder / "requirements" / f"{name}.txt" for name in names)):
        path.touch()
    for name in (".venv/bin/python", ".venv/bin/uv", ".venv/bin/tensorboard", ".venv-tfx/bin/python", "bin/python3.11"):
        program = folder / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(STUB)
        program.chmod(0o755)
    run_make(folder, "setup", "setup-tfx", f"TFX_PYTHON={folder / 'bin' / 'python3.11'}")
    return folder


def run_make(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the Makefile in a folder, without the variables of a make that runs the tests."""
    inherited = {name: value for name, value in os.environ.items() if name not in (*VARIABLES, "MAKEFLAGS", "MFLAGS")}
    return subprocess.run(
        ["make", "--no-print-directory", "-f", str(ROOT / "Makefile"), *arguments],
        cwd=folder,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        check=True,
    )


@pytest.fixture
def make(project: Path) -> Make:
    """Return a function that runs make, and returns the calls of programs with their arguments."""

    def run(*arguments: str, **environment: str) -> list[list[str]]:
        (project / "calls").write_text("")
        run_make(project, *arguments, **environment)
        assert not list(project.rglob("pwned"))
        calls: list[list[str]] = [[]]
        for word in (project / "calls").read_text().split("\0")[:-1]:
            if word == END:
                calls.append([])
            else:
                calls[-1].append(word)
        return calls[:-1]

    return run


def expected_calls(value: str) -> dict[str, list[list[str]]]:
    """Return the calls of each target where every variable has this value."""
    recipe, source, runs = f"--recipe={value}", f"--source={value}", f"--runs={value}"
    settings = [f"--settings={value}", f"--set=tune.workers={value}", f"--inception={value}"]
    settings += [f"--set=generate.{key}={value}" for key in ("count", "seed", "format", "indices")]
    read = [recipe, source, *settings, runs]
    command = ["python", "-m", "pipeline"]
    return {
        **{stage: [[*command, stage, *read, *FLAGS]] for stage in STAGES},
        "demo": [[*command, "all", "--recipe=demo", *settings, runs, *FLAGS]],
        "figures": [[*command, "figures", recipe, *settings, runs, "--verbose"]],
        "status": [[*command, "status", *read]],
        "verify": [[*command, "verify", recipe, runs]],
        "compare": [[*command, "compare", f"--names={value}", "--trust"]],
        "explore": [[*command, "explore", recipe, runs, f"--port={value}", f"--out={value}", "--trust"]],
        "recipe": [
            [
                *command,
                "recipe",
                source,
                f"--name={value}",
                "--check",
                f"--image-column={value}",
                f"--label-column={value}",
            ]
        ],
        "recipes": [[*command, "recipes"]],
        "fetch": [[*command, "fetch", recipe]],
        "schema": [[*command, "schema"]],
        "tfx": [[*command, "tfx", "run", *read, "--verbose"]],
        "bench": [
            ["python", "-m", "benchmarks.train"],
            ["python", "-m", "benchmarks.systems", runs, f"--data={value}"],
        ],
        "tensorboard": [["tensorboard", f"--logdir={value}/{value.rsplit('/')[-1]}/model/logs", "--host", "localhost"]],
    }


@pytest.mark.parametrize("value", NASTY.values(), ids=NASTY)
def test_a_value_reaches_the_command_of_each_target_as_it_was_written(make: Make, value: str) -> None:
    expected = expected_calls(value)
    everything = [f"{name}={value}" for name in VARIABLES if not name.endswith("PYTHON")]
    assert make(*expected, *everything) == [call for calls in expected.values() for call in calls]


@pytest.mark.parametrize("value", NASTY.values(), ids=NASTY)
def test_so_does_a_value_of_the_environment(make: Make, value: str) -> None:
    environment = {name: value for name in VARIABLES if not name.endswith("PYTHON")}
    assert make("generate", **environment) == expected_calls(value)["generate"]


@pytest.mark.parametrize("value", NASTY.values(), ids=NASTY)
def test_the_published_systems_are_below_data(make: Make, value: str) -> None:
    calls = make("systems", f"DATA={value}")
    assert len(calls) == 8
    assert calls[0] == [
        *("python", "-m", "pipeline", "all", "--recipe=mnist_dense", f"--source={value}/mnist", "--runs=runs")
    ]


def test_without_values_a_command_gets_only_the_recipe_and_the_folder_of_runs(make: Make) -> None:
    assert make("train") == [["python", "-m", "pipeline", "train", "--recipe=demo", "--runs=runs"]]
    assert make("compare") == [["python", "-m", "pipeline", "compare"]]


@pytest.mark.parametrize("value", NASTY.values(), ids=NASTY)
def test_help_prints_the_values(project: Path, value: str) -> None:
    printed = run_make(project, "help", *(f"{name}={value}" for name in VARIABLES if name != "PYTHON")).stdout
    assert printed.count(value) >= len(VARIABLES) - len(("PYTHON", "TFX_PYTHON"))
    assert not list(project.rglob("pwned"))


@pytest.mark.parametrize("value", NASTY.values(), ids=NASTY)
def test_a_python_that_does_not_exist_is_one_line(project: Path, value: str) -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        run_make(project, "setup", f"PYTHON={value}", "VENV=.elsewhere")
    assert f"error: PYTHON={value}: expected Python 3.11, 3.12 or 3.13, found none" in caught.value.stderr
    assert not list(project.rglob("pwned"))


def test_a_python_may_have_a_space_in_its_path(project: Path) -> None:
    python = project / "my programs" / "python3"
    python.parent.mkdir()
    python.symlink_to(sys.executable)
    run_make(project, "status", f"PYTHON={python}")


@pytest.mark.parametrize(
    ("variable", "hint"),
    [
        ("EPOCHS", 'SET="train.epochs=…"'),
        ("epochs", 'SET="train.epochs=…"'),
        ("train.patience", 'SET="train.patience=…"'),
        ("recipe", "RECIPE"),
        ("RECIPES", "RECIPE"),
        ("dry-run", "DRY_RUN"),
        ("COUNT", "N"),
        ("COLOUR", 'SET="key=value" for a recipe\'s key'),
        ("a;b'c", 'SET="key=value" for a recipe\'s key'),
    ],
)
def test_a_variable_that_nothing_reads_is_refused_with_the_one_that_was_meant(
    project: Path, variable: str, hint: str
) -> None:
    line = refusal(project, "train", "RECIPE=mums", f"{variable}=3")
    assert f"{variable}=…: expected a variable that is read here, found {variable}; try {hint} (there are " in line
    assert f"(there are {' '.join(VARIABLES)})" in line


@pytest.mark.parametrize("value", NASTY.values(), ids=NASTY)
def test_the_value_of_a_refused_variable_is_not_read(project: Path, value: str) -> None:
    assert "EPOCHS=…: " in refusal(project, "train", f"EPOCHS={value}")


def refusal(project: Path, *arguments: str) -> str:
    """Run make, which refuses its arguments before it runs anything; return its one line."""
    (project / "calls").write_text("")
    with pytest.raises(subprocess.CalledProcessError) as caught:
        run_make(project, *arguments)
    [line] = caught.value.stderr.splitlines()
    assert (caught.value.returncode, (project / "calls").read_text()) == (2, "")
    assert not list(project.rglob("pwned"))
    return str(line)


def test_variables_of_the_makefile_itself_and_of_tests_are_taken(make: Make) -> None:
    [call] = make("test-kills", "KILLS=3", "PYTEST=.venv/bin/python -m pytest -x")
    assert call[:4] == ["python", "-m", "pytest", "-x"]


def test_labels_with_counts_come_through_as_one_setting(make: Make) -> None:
    """As docs/recipes.md and docs/generate.md write them."""
    text = "generate.labels={shoe: 500, bag: 100} title='My photos'"
    [call] = make("generate", f"SET={text}", "N=5")
    [settings] = [part.removeprefix("--settings=") for part in call if part.startswith("--settings=")]
    assert all_overrides(["generate.count=5"], settings=settings) == [*split_settings(text), "generate.count=5"]


# --- make setup ------------------------------------------------------------------------------------------------------

BROKEN_UV = '#!/bin/sh\necho "error: no room for a cache" >&2\necho "  caused by a full disk" >&2\nexit 2\n'
CACHING_UV = (
    '#!/bin/sh\n[ "$1" = cache ] && { echo /proc/no-home/.cache/uv; exit; }\n'
    'echo "uv $UV_CACHE_DIR" >> calls\nmkdir -p "$UV_CACHE_DIR"\n'
)


def set_up(folder: Path, *arguments: str, uv: str) -> str:
    """Run `make setup` in a folder whose uv is this program; return what it prints."""
    (folder / "requirements").mkdir()
    for name in ("setup.py", "requirements/py3.11.txt", "requirements/py3.12.txt", "requirements/py3.13.txt"):
        (folder / name).touch()
    (folder / "requirements" / "uv.txt").touch()
    (folder / ".venv" / "bin").mkdir(parents=True)
    for name, text in (("python", STUB), ("uv", uv)):
        (folder / ".venv" / "bin" / name).write_text(text)
        (folder / ".venv" / "bin" / name).chmod(0o755)
    done = run_make(folder, "setup", *arguments)
    assert done.stderr == ""
    assert not list(folder.glob(".venv/.uv*"))
    return done.stdout


@pytest.mark.parametrize(
    ("arguments", "uv", "reason"),
    [((), BROKEN_UV, " (error: no room for a cache)"), (("UV_PIP=false",), STUB, "")],
)
def test_pip_takes_over_where_uv_cannot_run_and_one_line_says_so(
    arguments: tuple[str, ...], uv: str, reason: str, tmp_path: Path
) -> None:
    first, second = set_up(tmp_path, *arguments, uv=uv).splitlines()
    assert re.fullmatch(r"Installing into \.venv, once, from requirements/py3\.1[123]\.txt", first)
    assert second == f"uv cannot install here{reason}: pip installs everything instead, which takes longer"
    calls = (tmp_path / "calls").read_text().replace("\0", " ")
    assert re.search(r"-m pip install \S+ \S+ --require-hashes -r requirements/py3\.1[123]\.txt", calls)
    assert "--no-deps --no-build-isolation -e ." in calls


def test_uv_has_its_cache_below_venv_where_the_home_cannot_be_written(tmp_path: Path) -> None:
    assert set_up(tmp_path, uv=CACHING_UV).count("\n") == 1
    assert (tmp_path / "calls").read_text().count("uv .venv/.uv-cache\n") == 2
