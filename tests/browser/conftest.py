"""A small generator, its explorer, a server for it, and a browser (`make test-browser`)."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.chromium import browsing, executable
from helpers.paths import ROOT
from helpers.small_chain import words
from numpy.typing import NDArray

from pipeline.recipes.load import load_recipe
from pipeline.tools.explorer.folder import build
from pipeline.tools.explorer.server import HOST, server_of

Pixels = NDArray[np.uint8]


def export(folder: Path, *overrides: str) -> Path:
    """Run a small demo up to its generator; return the folder of runs."""
    settings = words("export.formats=[keras,onnx]", "model.latent_dim=6", "train.use_tuned=false", *overrides)
    command = [sys.executable, "-m", "pipeline", "export", *settings, "--runs", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a generator that takes no labels, of a model with a second decoder for images."""
    return export(tmp_path_factory.mktemp("runs"), "train.sharpen={epochs: 1}")


@pytest.fixture(scope="session")
def conditional_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that does."""
    return export(tmp_path_factory.mktemp("conditional"), "model.conditional=true")


@pytest.fixture(scope="session")
def explorer(runs: Path) -> Path:
    """Its explorer's folder."""
    return build(load_recipe("demo"), runs=runs, out=None)


@pytest.fixture(scope="session")
def serve() -> Iterator[Callable[[Path], str]]:
    """Return a function that serves a folder, and returns the address of its page."""
    servers = []

    def start(folder: Path) -> str:
        server = server_of(folder, port=0)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://{HOST}:{server.server_port}/"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium."""
    pytest.importorskip("playwright", reason="needs Playwright: make test-browser")
    if executable() is None:
        pytest.skip("needs Chromium: install it, or name one in CHROMIUM")
    with browsing() as chromium:
        yield chromium


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """Return a fresh page. An error on it, or a request to another host, fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 1400}, accept_downloads=True)
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("request", lambda request: None if _own(request.url) else complaints.append(request.url))
    yield opened
    context.close()
    assert complaints == []


def _own(url: str) -> bool:
    return url.startswith((f"http://{HOST}:", "blob:", "data:"))


@pytest.fixture(scope="session")
def decoder(runs: Path) -> Any:
    """Return the Keras decoder that export wrote."""
    import keras

    return keras.models.load_model(runs / "demo" / "generator" / "keras" / "decode.keras", compile=False)


@pytest.fixture
def opened(page: Any, explorer: Path, serve: Callable[[Path], str]) -> Any:
    """Return the page, with its first image."""
    page.goto(serve(explorer))
    page.wait_for_selector("[data-testid=picture][data-frames]")
    return page
