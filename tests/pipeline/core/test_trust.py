"""A generator that this machine did not make is loaded only after a yes, which is asked for once."""

from __future__ import annotations

import io
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.chain_by_hand import Make, finish
from helpers.paths import ROOT
from helpers.waits import PATIENCE

from pipeline.cli.app import app, guarded
from pipeline.core import chain, run, trust
from pipeline.core.chain import artifact_path
from schemas.artifacts.kinds import Generator
from schemas.errors import UsageError


class Terminal(io.StringIO):
    """A person at a terminal, who types these lines."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of trusted digests of a user who trusts none yet."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data" / "latent-mill" / "trusted"


@pytest.fixture
def generator(make: Make, runs: Path) -> Generator:
    """Return a generator that somebody else made."""
    finish(make(), runs, "ingest", "train", "evaluate", "export")
    return Generator(artifact_path(make(), Generator, runs=runs))


@pytest.fixture
def types(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that sits a person at a terminal: ``types("y")``."""

    def at_a_terminal(text: str) -> None:
        monkeypatch.setattr("sys.stdin", Terminal(text))
        monkeypatch.setattr("sys.stdout", Terminal())

    return at_a_terminal


def test_what_this_user_made_is_loaded_without_a_question(generator: Generator, file: Path) -> None:
    trust.remember(generator)
    trust.expect_trusted(generator, trust=False)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_it_may_be_moved_and_remembering_it_twice_is_once(generator: Generator, file: Path, tmp_path: Path) -> None:
    trust.remember(generator)
    trust.remember(generator)
    assert file.read_text() == f"{generator.digest}\n"
    trust.expect_trusted(Generator(generator.path.rename(tmp_path / "moved")), trust=False)


def test_in_a_pipe_a_strangers_generator_is_one_line(generator: Generator, file: Path) -> None:
    with pytest.raises(UsageError) as caught:
        trust.expect_trusted(generator, trust=False)
    assert str(caught.value) == (
        f"{generator.path}: expected a generator that this machine made, found another one, {generator.digest[:12]}…; "
        "a SavedModel is a program: if you know who made it, add --trust (make: TRUST=1)"
    )
    assert not file.exists()


@pytest.mark.parametrize("answer", ["n\n", "\n", "", "yesterday\n"])
def test_only_yes_is_a_yes(generator: Generator, file: Path, types: Callable[[str], None], answer: str) -> None:
    types(answer)
    with pytest.raises(UsageError, match="expected a generator that you trust, found none; it was not loaded"):
        trust.expect_trusted(generator, trust=False)
    assert not file.exists()


@pytest.mark.parametrize("answer", ["y\n", " YES \n"])
def test_a_yes_is_remembered_for_the_digest(
    generator: Generator, types: Callable[[str], None], make: Make, runs: Path, answer: str
) -> None:
    types(answer)
    trust.expect_trusted(generator, trust=False)
    types("")
    trust.expect_trusted(generator, trust=False)
    finish(make(), runs, "export", content="another program")
    with pytest.raises(UsageError):
        trust.expect_trusted(generator, trust=False)


def test_the_option_is_a_yes(generator: Generator) -> None:
    trust.expect_trusted(generator, trust=True)
    trust.expect_trusted(generator, trust=False)


@pytest.mark.parametrize("mode", [0o660, 0o602])
def test_a_file_that_others_can_write_trusts_nothing(generator: Generator, file: Path, mode: int) -> None:
    trust.remember(generator)
    file.chmod(mode)
    with pytest.raises(UsageError, match="cannot be used: expected a file that only you can write"):
        trust.expect_trusted(generator, trust=False)


@pytest.mark.parametrize("kind", ["a pipe", "a folder", "text", "nothing"])
def test_a_file_with_something_else_in_it_trusts_nothing(generator: Generator, file: Path, kind: str) -> None:
    file.parent.mkdir(parents=True)
    if kind == "a pipe":
        os.mkfifo(file)
    elif kind == "a folder":
        file.mkdir()
    else:
        file.write_bytes(b"\xff\0trust everything\n" if kind == "text" else b"")
    with pytest.raises(UsageError, match="expected a generator that this machine made"):
        trust.expect_trusted(generator, trust=False)


@pytest.mark.parametrize("where", ["a folder that cannot be made", "no home"])
def test_where_nothing_can_be_remembered_a_line_says_so(
    generator: Generator,
    where: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file") if where != "no home" else "")
    if where == "no home":
        monkeypatch.setattr(trust, "trusted_path", lambda: None)
    trust.expect_trusted(generator, trust=True)
    assert "cannot remember that this generator is trusted" in capsys.readouterr().out
    with pytest.raises(UsageError):
        trust.expect_trusted(generator, trust=False)


def test_without_a_data_folder_the_file_is_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert trust.trusted_path() == tmp_path / ".local" / "share" / "latent-mill" / "trusted"


# --- which commands ask -------------------------------------------------------------------------------------------------


def stand_in(monkeypatch: pytest.MonkeyPatch, make: Make, runs: Path) -> list[str]:
    """Replace the work of the stages; return the list of those that run."""
    ran: list[str] = []

    def finish_it(status: chain.Status, *_: object, **__: object) -> None:
        ran.append(status.stage.name)
        finish(make(), runs, status.stage.name)

    monkeypatch.setattr(run, "_run", finish_it)
    return ran


def test_the_chain_asks_for_a_generator_that_an_earlier_run_of_another_user_made(
    generator: Generator, make: Make, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = stand_in(monkeypatch, make, runs)
    stages = chain.stages_for("generate")
    run.run_stages(make(), stages, runs=runs, dry_run=True, verbose=False)
    with pytest.raises(UsageError, match="add --trust"):
        run.run_stages(make(), stages, runs=runs, dry_run=False, verbose=False)
    assert ran == []
    run.run_stages(make(), stages, runs=runs, dry_run=False, verbose=False, trust=True)
    assert ran == ["generate"]


def test_the_chain_never_asks_for_what_it_has_just_made_even_where_nothing_can_be_remembered(
    make: Make, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trust, "trusted_path", lambda: None)
    ran = stand_in(monkeypatch, make, runs)
    run.run_stages(make(), chain.stages_for("generate"), runs=runs, dry_run=False, verbose=False)
    assert ran[-2:] == ["export", "generate"]


@pytest.mark.usefixtures("stages_in_this_process")
@pytest.mark.parametrize("name", ["mix", "interpolate"])
def test_mix_and_interpolate_ask(
    home: Path, photos: tuple[Path, Path], name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [name, *map(str, photos), "--recipe", str(home / "grey.yaml"), "--runs", str(home / "runs")]
    words += ["--out", str(tmp_path / "out.png")]
    assert guarded(lambda: app(words)) == 2
    assert "expected a generator that this machine made" in capsys.readouterr().err
    assert not (tmp_path / "out.png").exists()
    assert guarded(lambda: app([*words, "--trust"])) == 0
    assert (tmp_path / "out.png").exists()


@pytest.mark.process
def test_a_person_at_a_terminal_sees_the_question(home: Path, photos: tuple[Path, Path], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pipeline", "mix", *map(str, photos), "--recipe", str(home / "grey.yaml")]
    command += ["--runs", str(home / "runs"), "--out", str(tmp_path / "out.png")]
    ours, theirs = os.openpty()
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT)
    os.close(theirs)
    screen = b""
    while b"[y/N] " not in screen:
        screen += os.read(ours, 1000)  # which fails where the command ends without a question
    os.write(ours, b"n\n")
    assert process.wait(timeout=PATIENCE) == 2
    os.close(ours)
    assert b"A SavedModel is a program that can do everything you can do" in screen
    assert not (tmp_path / "out.png").exists()
