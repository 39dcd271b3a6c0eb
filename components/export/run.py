"""Export from beginning to end."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np

from components.engine.device import prepare_device
from components.examples.dataset import labelled_batches, read_statistics, readable
from components.export.describe import describe
from components.export.forms import DEFAULT, FORMS, Written, wanted_forms
from components.export.model_card import model_card
from components.export.parity import Parity, keras_answers, took
from components.export.signatures import signatures
from components.latents.sampler_file import read_sampler
from components.reporting.console import say
from models.vae import VAE  # registers the classes that the file names
from schemas import atomic
from schemas.artifacts.kinds import Examples, Generator, Model, ModelEvaluation
from schemas.errors import DataError, UsageError
from schemas.recipe.settings import ExportSettings

IMAGES = 64  # real images on which encode and reconstruct are compared


def run(
    model: Model, examples: Examples, evaluation: ModelEvaluation, generator: Generator, settings: ExportSettings
) -> dict[str, int]:
    """See `components.export.component.export`."""
    wanted = wanted_forms(settings.export.formats)
    check_gates(evaluation, despite=settings.export.despite)
    prepare_device()
    say(f"reads   {model.vae_path}")
    vae: VAE = keras.models.load_model(model.vae_path, compile=False, safe_mode=True)
    sampler = read_sampler(evaluation.sampler_path)
    others = [read_sampler(path) for path in sorted(evaluation.other_samplers_path.glob("*.npz"))]
    written = Written(vae, sampler, signatures(vae, sampler), generator)
    with readable(examples):
        pixels, labels = next(iter(labelled_batches(examples, "test", batch_size=IMAGES, limit=IMAGES)))
    images = np.asarray(vae.crop(pixels, random=False))
    answers = keras_answers(vae, images, sampler=sampler, labels=labels.numpy() if vae.conditional else None)
    parity: dict[str, Any] = {}
    infra: dict[str, Any] = {}
    for name in wanted:
        parity[name], infra[name] = _write_and_check(name, written, answers, tolerance=settings.export.tolerance)
    if settings.export.formats is None and (missing := sorted(set(DEFAULT) - set(wanted))):
        extras = ",".join(FORMS[name].extra for name in missing)
        say(f"without {', '.join(missing)}: pip install 'latent-mill[{extras}]' brings what they need")
    content = {
        "evaluation": evaluation.digest,
        "tolerance": settings.export.tolerance,
        "forms": parity,
    }
    describe(vae, generator, sampler=sampler, others=others)
    _write_json(generator.parity_path, content)
    _write_json(generator.infra_path, infra)
    statistics = read_statistics(examples)
    card = model_card(vae, model=model, statistics=statistics, evaluation=evaluation, settings=settings, infra=infra)
    atomic.write_text(generator.card_path, card)
    say(f"wrote   {generator.card_path.name}, the model card")
    sizes = {f"{name}_bytes": _size(generator.path / name) for name in wanted}
    return {**sizes, "latent_dim": vae.latent_dim}


def _write_and_check(
    name: str, written: Written, answers: Parity, *, tolerance: float
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Its largest differences from the Keras model with what they were held to, and what it took.

    Raises:
        DataError: It does not load in a fresh process, or differs by more.
    """
    form, generator = FORMS[name], written.generator
    folder = generator.path / name
    shutil.rmtree(folder, ignore_errors=True)
    form.write(written)
    asked = form.signatures or tuple(written.functions)
    found = answers.differences(name, generator.path, signatures=asked, work=generator.work)
    bounds = {result: answers.bound(result, tolerance * form.slack) for result in found}
    for result in sorted(found, key=lambda result: result.endswith(".images")):
        if not found[result] <= bounds[result]:  # NaN is no match for any bound
            raise DataError(
                f"export.tolerance: expected at most {bounds[result]:g} from the Keras model, found {found[result]:.3g} in "
                f"{result} of {form.title}"
            )
    values = max(difference for result, difference in found.items() if result.endswith(".values"))
    say(
        f"wrote   {form.title}, {_size(folder) / 1e6:.1f} MB; in a fresh process within {values:.1e} of the Keras model"
    )
    return {"largest_absolute_difference": found, "bound": bounds}, took(generator.work)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _write_json(path: Path, content: dict[str, Any]) -> None:
    atomic.write_text(path, json.dumps(content, indent=1) + "\n")


def check_gates(evaluation: ModelEvaluation, *, despite: tuple[str, ...]) -> None:
    """Refuses a model that does not reach what its recipe demands, save what is named.

    Raises:
        UsageError: `export.despite` names what is no gate.
        DataError: A gate that is not named failed.
    """
    found = json.loads(evaluation.metrics_path.read_bytes())["gates"]
    names = {gate["gate"] for gate in found}
    if unknown := set(despite) - names:
        expected = ", ".join(sorted(names)) or "none, as evaluate.gates has none"
        raise UsageError(f"export.despite: expected gates of evaluate.gates ({expected}), found {min(unknown)}")
    failed = [gate for gate in found if not gate["passed"] and gate["gate"] not in despite]
    for gate in found:
        if not gate["passed"] and gate["gate"] in despite:
            say(f"despite {gate['gate']}: expected {gate['expected']}, found {_figure(gate)}")
    if failed:
        first = failed[0]
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        raise DataError(
            f"evaluate.gates: expected {first['gate']} {first['expected']}, found {_figure(first)}{more}; a better model passes; "
            f"export.despite=[{', '.join(gate['gate'] for gate in failed)}] exports this one all the same"
        )


def _figure(gate: dict[str, Any]) -> str:
    return str(gate["why"]) if gate["found"] is None else f"{gate['found']:.6g}"
