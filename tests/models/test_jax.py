"""The networks use only keras.ops, so that their tests pass on another back end too."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.paths import ROOT


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed")
def test_every_network_can_be_built_and_run_under_jax() -> None:
    here = Path(__file__).parent
    options = ["-q", "--import-mode=importlib", "-p", "no:cacheprovider", "-W", "default"]
    selection = [str(here / "test_networks.py"), "-k", "shape or finite or saved or parameters"]
    command = [sys.executable, "-m", "pytest", *options, *selection]
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(command, cwd=ROOT / "tests", env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
