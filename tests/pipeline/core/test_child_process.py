"""A child process that fails is one line, with its log."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from pipeline.core.child_process import StageFailed, run_module

pytestmark = pytest.mark.process


def run(statement: str, **options: object) -> None:
    """Run a statement in a child process: `timeit` is a module that runs what it is given."""
    run_module("timeit", ["-n1", "-r1", statement], name="mix", **options)  # type: ignore[arg-type]


def test_a_child_that_succeeds_is_silent(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run("print(input())", stdin=b"hello", log_path=tmp_path / "logs" / "mix.log")
    assert "hello" in (tmp_path / "logs" / "mix.log").read_text()
    assert capfd.readouterr() == ("", "")


def test_a_loud_child_prints_on_the_screen_and_logs_beside_it(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run("import sys; print('seen'); print('logged', file=sys.stderr)", quiet=False, log_path=tmp_path / "log")
    assert capfd.readouterr().out.startswith("seen\n")
    assert (tmp_path / "log").read_text() == "logged\n"


@pytest.mark.parametrize(
    ("statement", "ending", "crashed"),
    [
        ("raise ValueError('no graph')", r"status 1\): ValueError: no graph", False),
        ("import os; os.abort()", r"signal 6\)", True),
    ],
)
def test_an_unexpected_end_is_one_line_with_hint_and_log(
    statement: str, ending: str, crashed: bool, tmp_path: Path
) -> None:
    log = tmp_path / "mix.log"
    with pytest.raises(
        StageFailed, match=rf"^mix: ended unexpectedly \({ending}; try it again; the log: {log}$"
    ) as error:
        run(statement, log_path=log, hint="try it again")
    assert (error.value.exit_status, error.value.crashed) == (1, crashed)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_child_that_is_killed_was_interrupted_whatever_libraries_logged(number: int, tmp_path: Path) -> None:
    statement = f"import os, sys; print('W0000 00:00: a warning', file=sys.stderr, flush=True); os.kill(os.getpid(), {number:d})"
    with pytest.raises(StageFailed) as error:
        run(statement, log_path=tmp_path / "log", hint="try it again")
    assert str(error.value) == (
        f"mix: was interrupted (signal {number:d}) by somebody, or by the system, as when memory runs out; try it again; "
        f"the log: {tmp_path / 'log'}"
    )
    assert not error.value.crashed


def test_without_a_log_its_exception_is_in_the_message() -> None:
    with pytest.raises(StageFailed, match=r"^mix: ended unexpectedly \(status 1\): ValueError: no graph$"):
        run("raise ValueError('no graph')")


def test_an_error_that_the_child_reports_is_the_message() -> None:
    statement = (
        "import os, sys\n"
        "from components.workers.child import report_error\n"
        "report_error(int(sys.argv[-1]), 'recipe: expected A, found B')\n"
        "os._exit(2)"
    )
    with pytest.raises(StageFailed, match=r"^recipe: expected A, found B$") as error:
        run(statement)
    assert error.value.exit_status == 2


def test_a_child_whose_worker_crashed_reports_it(tmp_path: Path) -> None:
    statement = (
        "import os, sys\n"
        "from components.workers.child import WORKER_CRASHED, report_error\n"
        "report_error(int(sys.argv[-1]), 'beam.workers: one crashed')\n"
        "os._exit(WORKER_CRASHED)"
    )
    with pytest.raises(StageFailed, match=r"^beam.workers: one crashed$") as error:
        run(statement)
    assert (error.value.exit_status, error.value.crashed) == (1, True)


def test_a_verbose_child_logs_on_the_screen(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run("import sys; print('logged', file=sys.stderr)", verbose=True, log_path=tmp_path / "log")
    assert capfd.readouterr().err == "logged\n"
    assert "logged" not in (tmp_path / "log").read_text()


def test_a_child_logs_little_of_tensorflow_unless_verbose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL")
    for verbose, level in ((False, "2"), (True, "0")):
        run("import os; print(os.environ['TF_CPP_MIN_LOG_LEVEL'])", verbose=verbose, log_path=tmp_path / "log")
        assert (tmp_path / "log").read_text().splitlines()[0] == level
