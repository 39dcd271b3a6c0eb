"""The speed of training on this machine is measured in a process of its own; without it, a recipe is written, too."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from typing import Any

import pytest

from pipeline.recipes import speed

SECTIONS: dict[str, Any] = {
    "model": {"network": "dense", "latent_dim": 2, "hidden": [4], "conditional": True},
    "loss": {"likelihood": "gaussian"},
    "train": {"batch_size": 4},
}
SHAPE = {"height": 8, "width": 8, "channels": 1, "labels": 2}


def test_the_child_writes_images_per_second(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from components.engine import probe

    monkeypatch.setattr(probe, "PROBE_SECONDS", 0.0)
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps({**SECTIONS, "shape": [8, 8, 1], "labels": 2})))
    speed.main()
    assert float(capsys.readouterr().out) > 0


class Child:
    """A child process that has ended with this output."""

    def __init__(self, output: str) -> None:
        self.process = self
        self.errors = io.BytesIO()
        self.output = output.encode()

    def communicate(self, timeout: float | None = None) -> tuple[bytes, None]:
        if self.output == b"too slow" and timeout:
            raise subprocess.TimeoutExpired("probe", timeout)
        return self.output, None

    def error(self) -> str:
        return ""

    def kill(self) -> None: ...


@pytest.mark.parametrize(("output", "rate"), [("12.5", 12.5), ("0.0", None), ("", None), ("too slow", None)])
def test_what_could_not_be_measured_is_none(output: str, rate: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "start_child", lambda *args, **options: Child(output))
    assert speed.images_per_second(SECTIONS, **SHAPE) == rate
