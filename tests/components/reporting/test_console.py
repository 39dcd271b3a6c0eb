"""The console writes every text, also to an output that lacks some characters; no name or label commands the terminal."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest
from rich.console import Console
from rich.text import Text

from components.reporting import console as module
from components.reporting.console import console, one_line, say, write_anything


@pytest.mark.parametrize(
    ("encoding", "text", "expected"),
    [
        ("ascii", "28×28 – caf\u00e9 → “µ”…", b'28x28 - caf? -> "?"...'),
        ("latin-1", "28×28 … café", "28×28 ... café".encode("latin-1")),
        ("utf-8", "28×28 … café", "28×28 … café".encode()),
        ("utf-8", "caf\udce9.png", b"caf?.png"),  # a file's name that is no UTF-8
    ],
)
def test_what_an_output_cannot_hold_is_replaced(encoding: str, text: str, expected: bytes) -> None:
    content = io.BytesIO()
    stream = io.TextIOWrapper(content, encoding=encoding)
    write_anything(stream)
    stream.write(text)
    stream.flush()
    assert content.getvalue() == expected


@pytest.mark.process
@pytest.mark.parametrize(
    "environment",
    [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}],
    ids=lambda environment: next(iter(environment)),
)
def test_a_stage_says_its_last_line_on_an_output_of_ascii(environment: dict[str, str]) -> None:
    others = {name: value for name, value in os.environ.items() if name not in ("PYTHONUTF8", "PYTHONIOENCODING")}
    code = r"from components.reporting.console import say; say('pixels  28\u00d728\u00d71')"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, env={**others, **environment}, check=True)
    assert said.stdout == b"  pixels  28x28x1\n"


@pytest.mark.parametrize("control", ["\x1b", "\x07", "\r", "\x9b", "\x7f", "\u202e", "\u2066", "\u2028", "\0"])
def test_no_control_character_reaches_the_terminal(control: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = f"cat{control}[2Jdog"
    console.print(text, markup=False)
    say(text)
    console.print(Text.assemble(("recipe", "bold"), "  ", text))  # rich itself leaves some out
    out = capsys.readouterr().out
    assert control not in out
    assert out.startswith("cat�[2Jdog\n  cat�[2Jdog\nrecipe  cat")
    assert one_line(text) == "cat�[2Jdog"


def test_a_line_stays_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    say("labels  cat\nexport    up to date")
    console.print("examples/a\nwhole    examples", markup=False)
    assert capsys.readouterr().out == "  labels  cat�export    up to date\nexamples/a�whole    examples\n"


def test_tabs_colours_and_other_scripts_stay(capsys: pytest.CaptureFixture[str]) -> None:
    console.print("a\tb [green]fresh[/green] Äpfel 猫 🐈")
    assert capsys.readouterr().out.replace("\t", " ").split() == ["a", "b", "fresh", "Äpfel", "猫", "🐈"]


@pytest.mark.parametrize("width", [60, 80, 130])
def test_a_bar_takes_one_line_of_any_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(module, "console", Console(file=screen, force_terminal=True, width=width))
    with module.bar("epoch 12/16", total=4051) as update:
        for done in (256, 512, 768):  # so that there is a rate
            update(done, "loss 246.13  reconstruction 241.98  KL 4.15")
    assert screen.getvalue().count("\x1b[1A") <= 1  # the cursor goes up once, at the end, to remove the bar
