"""What the tests of export share."""

from __future__ import annotations

import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.by_hand import write_evaluation

from schemas.artifacts.kinds import Examples, Generator, Model, ModelEvaluation
from schemas.recipe.recipe import ExportSection
from schemas.recipe.settings import ExportSettings

Export = Callable[..., dict[str, int]]

# Manifest of a trained model, as far as a model card reads it.
TRAINED = {
    "settings": {"model": {"network": "dense"}, "loss": {"likelihood": "bernoulli"}},
    "counts": {"epochs": 3},
    "recipe": {
        "name": "bars",
        "title": "Bright bars",
        "sources": [{"kind": "folder", "path": "/home/somebody/bars"}],
        "data": {"about": "Bars by nobody,\nCC0"},
    },
    "versions": {"latent-mill": "0.1.0"},
}


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare forms in this process, and time a call or three, where the claim is not about another process."""
    from components.export import fresh_process

    monkeypatch.setattr(fresh_process, "MIN_SECONDS", 0.0)

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        assert command[1] == fresh_process.__file__
        try:
            fresh_process.main(*command[2:])
        except Exception:
            return subprocess.CompletedProcess(command, 1, "", traceback.format_exc())
        finally:  # what it forbids to import, later tests may
            for name in [name for name, module in sys.modules.items() if module is None and "." not in name]:
                del sys.modules[name]
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr("components.export.parity.subprocess.run", run)


@pytest.fixture(scope="session")
def evaluation(tmp_path_factory: pytest.TempPathFactory, seal: Callable[..., None]) -> ModelEvaluation:
    """Return a sealed evaluation of a model without gates, whose codes come from N(0, I)."""
    evaluation = ModelEvaluation(tmp_path_factory.mktemp("evaluation"))
    write_evaluation(evaluation)
    seal(evaluation)
    return evaluation


@pytest.fixture(scope="session")
def export_to(tiny_examples: Examples, evaluation: ModelEvaluation, seal: Callable[..., None]) -> Export:
    """Return a function that exports a VAE from its `.keras` file: ``export_to(generator, vae, formats=["onnx"])``.

    Further keywords are those of the recipe's `export` section. Without `formats` the SavedModel alone is written.
    """

    def run(generator: Generator, vae: Any, *, examples: Examples = tiny_examples, **section: Any) -> dict[str, int]:
        from components.export.component import export

        model = Model(generator.path.parent / "model")
        for folder in (model.path, generator.path, generator.work):
            folder.mkdir(parents=True, exist_ok=True)
        vae.save(model.vae_path)
        seal(model, manifest=TRAINED, Examples="12ab")
        settings = ExportSettings(seed=0, export=ExportSection.model_validate({"formats": [], **section}))
        return export(model, examples, evaluation, generator, settings)

    return run


@pytest.fixture
def generator(tmp_path: Path) -> Generator:
    """Return a place for a generator."""
    return Generator(tmp_path / "generator")


@pytest.fixture(scope="module")
def saved_model(vae: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the SavedModel of a module's fixture `vae`."""
    from components.export.saved_model import write_saved_model

    path: Path = tmp_path_factory.mktemp("export") / "saved_model"
    write_saved_model(vae, path)
    return path


@pytest.fixture(scope="module")
def loaded(saved_model: Path) -> Any:
    """Return the SavedModel, loaded; its signatures do not hold its weights."""
    import tensorflow as tf

    return tf.saved_model.load(str(saved_model))
