"""Training from beginning to end."""

from __future__ import annotations

import math
from dataclasses import replace

import keras
import tensorflow as tf

from components.engine.batch_norm import IMAGES as MEASURED
from components.engine.batch_norm import PreciseBatchNorm
from components.engine.device import prepare_device
from components.engine.keras_file import save_model
from components.engine.optimizer import make_optimizer
from components.engine.probe import Engine, choose_engine, halved
from components.examples.dataset import readable
from components.examples.training_images import SHARE, TrainingImages
from components.reporting.console import say
from components.train.ema import AveragedWeights
from components.train.importance_weighted import ImportanceWeighted
from components.train.pictures import Pictures, make_film
from components.train.progress import EpochProgress, StopWhenLost, tell_epochs
from components.train.replicas import Replicas
from components.train.state import ResumableEarlyStopping, TrainingState
from components.train.tuned import with_tuned
from models.build import build_vae
from models.vae import VAE
from schemas.artifacts import tables
from schemas.artifacts.kinds import Examples, HyperParameters, Model
from schemas.recipe.settings import TrainSettings


def fit(
    examples: Examples, hyperparameters: HyperParameters | None, model: Model, settings: TrainSettings
) -> dict[str, int]:
    """See `components.train.component.train`."""
    device = prepare_device(deterministic=settings.train.deterministic)
    settings, tuned = with_tuned(settings, hyperparameters)
    images = TrainingImages(examples)
    state = TrainingState.read(model.work / "state.npz")
    if not state.finished(settings.train.epochs):
        if tuned:
            say(f"tuned   {', '.join(tuned)} as the search found (train.use_tuned=false: as the recipe says)")
        _until_it_fits(images, model, settings, state, device)
    make_film(model.progress_path)
    # Without the optimizer: its state is of the last epoch, the weights are of the best. And whatever the engine was: in
    # float32, of Keras's own layers.
    keras.utils.clear_session()
    best = build_vae(settings.model, settings.loss, images.statistics, seed=settings.seed)
    best.set_weights(state.best_weights)
    return _write(model, best, state)


def _until_it_fits(
    images: TrainingImages, model: Model, settings: TrainSettings, state: TrainingState, device: str
) -> None:
    """Trains; where memory runs out, from the last finished epoch on with batches in smaller parts."""
    kept, replicas = model.work / "engine.json", Replicas()
    engine = choose_engine(
        settings.train.engine,
        settings.model,
        settings.loss,
        images.statistics,
        batch_size=settings.train.batch_size,
        images=images.count * settings.train.epochs,
        deterministic=settings.train.deterministic,
        kept=kept,
    )
    while True:
        try:
            return _train(images, model, settings, state, engine=engine, replicas=replicas, device=device)
        except tf.errors.ResourceExhaustedError:
            # Outside of this clause: the error's traceback holds all that was in memory.
            pass
        engine = halved(engine, batch_size=settings.train.batch_size, devices=replicas.count, kept=kept)


def _train(
    images: TrainingImages,
    model: Model,
    settings: TrainSettings,
    state: TrainingState,
    *,
    engine: Engine,
    replicas: Replicas,
    device: str,
) -> None:
    """From where the state stands to the end, or until memory runs out."""
    keras.utils.clear_session()  # layers are named by counters; these start anew, so that names do not depend on history
    section, batch_size = settings.train, settings.train.batch_size
    steps = math.ceil(images.count / batch_size)
    engine = replace(engine, steps=_in_calls(steps, most=engine.steps))
    if replicas.count > 1:
        engine = replace(engine, jit=False, steps=1)  # TensorFlow loops over no shared steps
    with replicas.scope():
        vae = engine.build(settings.model, settings.loss, images.statistics, seed=settings.seed)
        vae.kl_warmup_steps = settings.loss.kl_warmup_epochs * steps
        engine.compile(vae, make_optimizer(section, steps_per_epoch=steps))
        vae.optimizer.build(vae.trainable_variables)
    say(f"model   {settings.model.network}, {vae.count_params():,} weights, latent_dim {vae.latent_dim}, on {device}")
    say(f"trains  on {images.count:,} images, {batch_size} per step, learning rate {section.learning_rate:.3g}")
    if vae.conditional:
        say(f"labels  {len(vae.labels):,}, which encoder and decoder take")
    if replicas.count > 1:
        say(f"shares  each batch among {replicas.count} devices")
    if not images.resident:
        say(f"reads   {images.bytes / 1e9:,.1f} GB of images from disk in each epoch: more than {SHARE:.0%} of memory")

    if state.epochs:
        say(f"resumes after epoch {state.epochs}")
    forward = math.ceil(batch_size / engine.parts)  # what fits in training fits in validation
    progress = EpochProgress(epochs=section.epochs, images=images.count, batch_size=batch_size)
    with readable(images.examples), replicas.sharing(vae), progress.resources:
        training = images.training(
            batch_size=batch_size,
            seed=settings.seed,
            first_epoch=state.epochs,
            epochs=section.epochs,
            labelled=vae.conditional,
        )
        measured = images.measured(count=MEASURED, batch_size=forward, labelled=vae.conditional)
        vae.fit(
            replicas.share(training),
            steps_per_epoch=steps,
            initial_epoch=state.epochs,
            epochs=section.epochs,
            **replicas.validation(images.validation(batch_size=forward, labelled=vae.conditional)),
            callbacks=[
                StopWhenLost(
                    images.examples,
                    batch_size=batch_size,
                    seed=settings.seed,
                    learning_rate=section.learning_rate,
                    path=model.work / "lost.txt",
                ),
                progress,
                *_importance_weighted(settings),
                AveragedWeights(swapped=state.epochs > 0),  # before what measures or keeps weights
                PreciseBatchNorm(measured),
                Pictures(model.progress_path, images.examples, epochs=section.epochs, seed=settings.seed),
                keras.callbacks.TensorBoard(str(model.logs_path), write_graph=False),
                ResumableEarlyStopping(model.work / "state.npz", state, patience=section.patience),
            ],
            shuffle=False,  # the data set does
            verbose=0,
        )


def _in_calls(steps: int, *, most: int) -> int:
    """Steps per call, such that an epoch's are whole calls: Keras would go on into the next epoch's images."""
    return max(size for size in range(1, min(most, steps) + 1) if steps % size == 0)


def _importance_weighted(settings: TrainSettings) -> list[keras.callbacks.Callback]:
    loss, epochs = settings.loss, settings.train.epochs
    if not loss.importance_epochs:
        return []
    return [ImportanceWeighted(first=epochs - loss.importance_epochs, samples=loss.importance_samples)]


def _write(model: Model, best: VAE, state: TrainingState) -> dict[str, int]:
    save_model(best, model.vae_path, work=model.work)
    tables.write_table(model.history_path, state.history, tables.HISTORY)
    tell_epochs(state.history, best=state.best_epoch, stopped=state.stopped)
    return {"epochs": state.epochs, "best_epoch": state.best_epoch + 1, "weights": best.count_params()}
