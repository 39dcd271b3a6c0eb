"""The whole stage: check the gates, write each form and compare it, write the model card."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np

from components.engine.device import prepare_device
from components.examples.dataset import labelled_batches, readable
from components.export.description import write_description
from components.export.forms import DEFAULT, FORMS, FormSource, forms_to_write
from components.export.model_card import model_card
from components.export.parity import Parity, keras_results, time_and_memory
from components.export.signatures import signatures
from components.latents.sampler_file import read_sampler
from components.reporting.console import say
from components.reporting.numbers import data_size, general
from models.vae import VAE  # registers the classes that the file names
from schemas import atomic
from schemas.artifacts.kinds import Examples, Generator, Model, ModelEvaluation
from schemas.artifacts.records import read_statistics
from schemas.errors import DataError, UsageError
from schemas.recipe.settings import ExportSettings

IMAGES = 64  # real images on which encode and reconstruct are compared


def run(
    model: Model, examples: Examples, evaluation: ModelEvaluation, generator: Generator, settings: ExportSettings
) -> dict[str, int]:
    """Run the stage: see `components.export.component.export`."""
    names = forms_to_write(settings.export.formats)
    check_gates(evaluation, despite=settings.export.despite)
    prepare_device()
    say(f"reads   {model.vae_path}")
    vae: VAE = keras.models.load_model(model.vae_path, compile=False, safe_mode=True)
    sampler = read_sampler(evaluation.sampler_path)
    other_samplers = [read_sampler(path) for path in sorted(evaluation.other_samplers_path.glob("*.npz"))]
    source = FormSource(vae, sampler, signatures(vae, sampler), generator)
    with readable(examples):
        pixels, labels = next(iter(labelled_batches(examples, "test", batch_size=IMAGES, limit=IMAGES)))
    images = np.asarray(vae.crop(pixels, random=False))
    parity = keras_results(vae, images, sampler=sampler, labels=labels.numpy() if vae.conditional else None)
    differences: dict[str, Any] = {}
    infra: dict[str, Any] = {}
    for name in names:
        differences[name], infra[name] = _write_and_check(name, source, parity, tolerance=settings.export.tolerance)
    if settings.export.formats is None and (missing := sorted(set(DEFAULT) - set(names))):
        extras = ",".join(FORMS[name].extra for name in missing)
        say(f"without {', '.join(missing)}: pip install 'latent-mill[{extras}]' brings what they need")
    content = {
        "evaluation": evaluation.digest,
        "tolerance": settings.export.tolerance,
        "forms": differences,
    }
    write_description(vae, generator, sampler=sampler, others=other_samplers)
    _write_json(generator.parity_path, content)
    _write_json(generator.infra_path, infra)
    statistics = read_statistics(examples)
    card = model_card(vae, model=model, statistics=statistics, evaluation=evaluation, settings=settings, infra=infra)
    atomic.write_text(generator.card_path, card)
    say(f"wrote   {generator.card_path.name}, the model card")
    sizes = {f"{name}_bytes": _size(generator.path / name) for name in names}
    return {**sizes, "latent_dim": vae.latent_dim}


def _write_and_check(
    name: str, source: FormSource, parity: Parity, *, tolerance: float
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Write a form; return its differences from the Keras model with their bounds, and its time and memory.

    Raises:
        DataError: The form does not load in a fresh process, or differs by more than its bound.
    """
    form, generator = FORMS[name], source.generator
    folder = generator.path / name
    shutil.rmtree(folder, ignore_errors=True)
    form.write(source)
    written = form.signatures or tuple(source.functions)
    differences = parity.differences(name, generator.path, signatures=written, work=generator.work)
    bounds = {result: parity.bound(result, tolerance * form.slack) for result in differences}
    # Numbers before images: their differences say more.
    for result in sorted(differences, key=lambda result: result.endswith(".images")):
        if not differences[result] <= bounds[result]:  # NaN is not within any bound
            raise DataError(
                f"export.tolerance: expected at most {bounds[result]:g} from the Keras model, found "
                f"{differences[result]:.3g} in {result} of {form.title}"
            )
    values = max(difference for result, difference in differences.items() if result.endswith(".values"))
    say(
        f"wrote   {form.title}, {data_size(_size(folder))}; loaded on its own, its pixels are within {general(values, digits=2)} "
        "of the Keras model's (scale 0 to 1)"
    )
    return {"largest_absolute_difference": differences, "bound": bounds}, time_and_memory(generator.work)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _write_json(path: Path, content: dict[str, Any]) -> None:
    atomic.write_text(path, json.dumps(content, indent=1) + "\n")


def check_gates(evaluation: ModelEvaluation, *, despite: tuple[str, ...]) -> None:
    """Check that the model passes the gates of its recipe, apart from those of `export.despite`.

    Raises:
        UsageError: `export.despite` names a gate that does not exist.
        DataError: A gate failed that is not in `export.despite`.
    """
    gates = json.loads(evaluation.metrics_path.read_bytes())["gates"]
    names = {gate["gate"] for gate in gates}
    if unknown := set(despite) - names:
        expected = ", ".join(sorted(names)) or "none, as evaluate.gates has none"
        raise UsageError(f"export.despite: expected gates of evaluate.gates ({expected}), found {min(unknown)}")
    failed = [gate for gate in gates if not gate["passed"] and gate["gate"] not in despite]
    for gate in gates:
        if not gate["passed"] and gate["gate"] in despite:
            say(f"despite {gate['gate']}: expected {gate['expected']}, found {_measured(gate)}")
    if failed:
        failure = failed[0]
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        raise DataError(
            f"evaluate.gates: expected {failure['gate']} {failure['expected']}, found {_measured(failure)}{more}; "
            f"improve the model, or set export.despite=[{', '.join(gate['gate'] for gate in failed)}] to export it all the same"
        )


def _measured(gate: dict[str, Any]) -> str:
    """Return the value of a gate's metric, or why there is none."""
    return str(gate["why"]) if gate["found"] is None else general(gate["found"])
