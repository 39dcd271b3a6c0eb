"""The work of the stage, from Examples and Model to metrics, figures and report. Loads TensorFlow."""

from __future__ import annotations

import json

import keras
import numpy as np
from numpy.typing import NDArray

from components.engine.device import prepare_device
from components.evaluate.reconstruction import latent, measure
from components.evaluate.reconstruction.measure import Measurement
from components.evaluate.report import gallery, gates, page, wording
from components.evaluate.report.search import Search
from components.evaluate.samples import judge
from components.evaluate.samples.judgement import Judgement
from components.evaluate.samples.judgement import document as judgement_document
from components.evaluate.samples.low_data_curve import Few
from components.evaluate.samples.own_features import extra_spaces
from components.evaluate.samples.requirements import check_sampler, low_data_left_out
from components.latents.sampler_file import save_sampler
from components.reporting.console import bar, counted, say
from components.reporting.numbers import with_error
from models.likelihoods import Bernoulli, Gaussian, LogisticMixture, WeightedMse
from models.vae import VAE
from schemas import atomic
from schemas.artifacts.kinds import Examples, HyperParameters, Model, ModelEvaluation
from schemas.artifacts.records import Statistics, read_statistics
from schemas.artifacts.tables import HISTORY, read_table
from schemas.errors import DataError
from schemas.recipe.settings import EvaluateSettings

LIKELIHOODS: dict[type, str] = {
    Bernoulli: "Bernoulli",
    WeightedMse: "Gaussian (weighted MSE)",
    Gaussian: "Gaussian (learned deviation)",
    LogisticMixture: "logistic mixture",
}
SMOOTHNESS_CODES = 32  # codes whose pairs are the ends of the lines along which smoothness is measured


def run(
    examples: Examples,
    model: Model,
    hyperparameters: HyperParameters | None,
    evaluation: ModelEvaluation,
    settings: EvaluateSettings,
) -> dict[str, int]:
    """Evaluate a model; see `components.evaluate.component.evaluate`."""
    device = prepare_device(deterministic=True)
    statistics = read_statistics(examples)
    vae = _load(model, statistics=statistics)
    spaces = extra_spaces(settings.evaluate, image_shape=vae.image_shape)  # before the long work: a path may be wrong
    if why := check_sampler(
        vae,
        statistics,
        max_images=settings.evaluate.distance_images,
        sampler=settings.evaluate.sampler,
        flow_steps=settings.evaluate.flow_steps,
    ):
        say(f"flow    left out: {why}")
    few = Few(settings.evaluate.low_data, settings.evaluate.low_data_draws)
    for why in low_data_left_out(vae, statistics, few, max_images=settings.evaluate.distance_images):
        say(f"few     left out: {why}")
    total = statistics.records.get(measure.SPLIT, 0)
    size = f"{statistics.width} × {statistics.height} pixels"
    say(f"reads   {counted(total, 'test image')} of {size}, on {device}")
    with bar("test images", total=total) as update:
        measurement = measure.measure(
            vae,
            examples=examples,
            seed=settings.seed,
            keep_codes=settings.evaluate.scatter_images,
            keep_images=gallery.PAIRS,
            importance_samples=settings.evaluate.importance_samples,
            work=evaluation.work,
            progress=update,
        )
    judgement = judge.judge(
        vae,
        examples=examples,
        seed=settings.seed,
        max_images=settings.evaluate.distance_images,
        sampler=settings.evaluate.sampler,
        flow_steps=settings.evaluate.flow_steps,
        bar=bar,
        extra_spaces=spaces,
        few=few,
        work=evaluation.work,
    )
    ends = list(measurement.codes[:SMOOTHNESS_CODES])
    smoothness = latent.smoothness(lambda codes: _decode(vae, codes), ends)
    document = {**measure.document(measurement), **judgement_document(judgement)}
    document["latent"]["smoothness"] = latent.document(smoothness, codes=len(ends))
    outcomes = gates.check_gates(settings.evaluate.gates, document)
    document["gates"] = gates.document(outcomes)
    _save_samplers(judgement, evaluation)
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    atomic.write_text(evaluation.metrics_path, text + "\n")
    history = read_table(model.history_path, HISTORY)
    figures = gallery.draw(
        vae,
        measurement=measurement,
        statistics=statistics,
        history=history,
        folder=evaluation.figures_path,
        seed=settings.seed,
        judgement=judgement,
    )
    subject = page.Subject(
        settings=settings,
        statistics=statistics,
        examples=examples.manifest,
        model=model.manifest,
        likelihood=LIKELIHOODS[type(vae.likelihood)],
        parameters=vae.encoder.count_params() + vae.decoder.count_params(),
        history=history,
        loss_unit=gallery.loss_unit(vae),
        search=None if hyperparameters is None else Search.of(hyperparameters, model=model.manifest),
        sharp=vae.sharp_decoder is not None,
    )
    atomic.write_text(
        evaluation.report_path,
        page.render(
            subject,
            measurement=measurement,
            judgement=judgement,
            gates=outcomes,
            smoothness=smoothness,
            figures=figures,
        ),
    )
    say(f"metrics {_main_metrics(measurement)}")
    say(f"latent  {wording.dimensions(measurement)}")
    for head, line in wording.judgement(judgement, sampler=settings.evaluate.sampler):
        say(f"{head:<8}{line}")
    for outcome in outcomes:
        say(f"gate    {wording.gate(outcome)}")
    return {"test_images": measurement.images}


def _save_samplers(judgement: Judgement, evaluation: ModelEvaluation) -> None:
    """Save the chosen sampler, and the others except the one that holds codes of training images."""
    save_sampler(judgement.sampler, evaluation.sampler_path)
    if isinstance(judgement.samplers, str):
        return
    for sampler in (result.sampler for result in judgement.samplers):
        if sampler.kind not in ("posterior", judgement.sampler.kind):
            save_sampler(sampler, evaluation.other_samplers_path / f"{sampler.kind}.npz")


def _decode(vae: VAE, codes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Decode codes, with the most frequent label where the model takes one."""
    labels = np.full(len(codes), np.argmax(vae.label_shares)) if vae.conditional else None
    return gallery.decode(vae, codes, labels=labels)


def _load(model: Model, *, statistics: Statistics) -> VAE:
    """Load the model, and check that it is one of these images."""
    try:
        vae = keras.models.load_model(model.vae_path, compile=False, safe_mode=True)
    except (OSError, ValueError, TypeError, KeyError) as error:
        detail = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise DataError(
            f"{model.vae_path}: expected the model that train saved, found something else ({detail}); "
            f"to make it again, remove {model.path}"
        ) from None
    expected = (statistics.height, statistics.width, statistics.channels)
    if not isinstance(vae, VAE) or vae.image_shape != expected:
        actual = vae.image_shape if isinstance(vae, VAE) else type(vae).__name__
        raise DataError(f"{model.vae_path}: expected a model of images of shape {expected}, found {actual}")
    return vae


def _main_metrics(measurement: Measurement) -> str:
    """Return the metrics for the console, with their standard errors."""
    parts = []
    for name, title, unit in (("elbo", "ELBO", " nats per image"), ("psnr", "PSNR", " dB"), ("ssim", "SSIM", "")):
        if name not in measurement.estimates:
            continue
        estimate = measurement.estimates[name]
        value, error = with_error(estimate.value, estimate.standard_error)
        parts.append(f"{title} {value}{f' ± {error}' if error else ''}{unit}")
    return ", ".join(parts)
