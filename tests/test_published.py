"""What people publish says nothing of where it was made: no path of a home, no host, no user, in any file of any artifact."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from helpers.paths import ROOT
from helpers.traces import traces
from PIL import Image

from pipeline.cli.app import app, guarded
from pipeline.core import run, stage_process
from schemas.artifacts.kinds import ARTIFACTS, open_artifact
from schemas.artifacts.manifest import MANIFEST

USER, HOME = "ada-lovelace-1815", "home-of-ada-lovelace"  # words that nothing else has


def write_home(home: Path) -> Path:
    """Write a home with photographs, a Keras model and a recipe that names both; return the recipe's path."""
    rng = np.random.default_rng(0)
    for number in range(60):
        path = home / "photos" / ("bright" if number % 2 else "dark") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(100 * (number % 2), 100 * (number % 2) + 99, (12, 12), np.uint8)).save(path)
    (home / "photos" / "dark" / "broken.png").write_bytes(b"\x89PNG of nothing")
    images = keras.Input((12, 12, 1))
    keras.Model(images, keras.layers.Flatten()(images)).save(home / "features.keras")
    recipe = {
        "name": "photos",
        "sources": [{"kind": "folder", "path": str(home / "photos"), "label": "first_folder"}],
        "data": {
            "about": "Photographs.",
            "files": [{"url": f"file://{home}/photos.zip", "sha256": "0" * 64, "name": "a"}],
        },
        "preprocess": {"height": 12, "width": 12, "channels": 1, "validation": 0.2, "test": 0.2, "max_rejected": 0.1},
        "model": {"network": "dense", "latent_dim": 2, "hidden": [8]},
        "loss": {"likelihood": "bernoulli"},
        "train": {"epochs": 2, "batch_size": 16},
        "tune": {"max_trials": 1, "epochs": 1, "space": {"model.latent_dim": [2, 3]}},
        "evaluate": {"feature_model": str(home / "features.keras")},
        "generate": {"around": str(home / "photos" / "dark"), "count": 20, "format": "webdataset"},
        "export": {"formats": ["onnx"]},
        "beam": {"workers": 1},
    }
    (home / "photos.yaml").write_text(json.dumps(recipe))  # JSON is YAML
    return home / "photos.yaml"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of runs in a home, with all artifacts; a generator as SavedModel and as ONNX."""
    home = tmp_path_factory.mktemp("homes") / HOME
    home.mkdir()
    recipe = write_home(home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "run_process", lambda task, **_: stage_process.run_task(task))
        for variable, value in {"HOME": str(home), "USER": USER, "LOGNAME": USER}.items():
            patch.setenv(variable, value)
        words = ["--recipe", str(recipe), "--runs", str(home / "runs")]
        assert guarded(lambda: app(["all", *words])) == 0
        assert guarded(lambda: app(["generate", *words, "--set", "generate.format=parquet"])) == 0
    return home / "runs"


def test_no_file_of_an_artifact_says_whose_machine_made_it(runs: Path) -> None:
    manifests = [path for path in runs.rglob(MANIFEST) if not path.parent.name.startswith(".")]
    assert {type(open_artifact(path.parent)) for path in manifests} == set(ARTIFACTS)
    words = [HOME, USER, str(ROOT), sys.prefix]
    if len(socket.gethostname()) > 5:  # a shorter name stands in every compressed file by chance
        words.append(socket.gethostname())
    lines = [f"{path.parent.name}/{line}" for path in manifests for line in traces(path.parent, words)]
    assert lines == []
    events = [path.name for path in runs.rglob("events.out.tfevents.*")]
    assert events
    assert not [name for name in events if socket.gethostname() in name.split(".")]


def test_what_was_left_out_makes_nothing_stale(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--recipe", str(runs.parent / "photos.yaml"), "--runs", str(runs)]
    assert guarded(lambda: app(["status", *words])) == 0
    assert capsys.readouterr().out.count("up to date") == 6


def test_another_model_of_features_makes_the_evaluation_stale_and_another_place_does_not(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = tmp_path / "moved.keras"
    moved.write_bytes((runs.parent / "features.keras").read_bytes())
    words = [
        "--recipe",
        str(runs.parent / "photos.yaml"),
        "--runs",
        str(runs),
        "--set",
        f"evaluate.feature_model={moved}",
    ]
    assert guarded(lambda: app(["status", *words])) == 0
    assert "to run" not in capsys.readouterr().out
    moved.write_bytes(b"another")
    assert guarded(lambda: app(["status", *words])) == 0
    assert "evaluate  to run      feature_model changed: " in capsys.readouterr().out
