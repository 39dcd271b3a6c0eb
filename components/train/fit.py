"""Training from beginning to end."""

from __future__ import annotations

import math
from dataclasses import replace

import keras
import tensorflow as tf

from components.engine.batch_norm import IMAGES as BATCH_NORM_IMAGES
from components.engine.batch_norm import PreciseBatchNorm
from components.engine.device import prepare_device
from components.engine.keras_file import save_model
from components.engine.optimizer import make_optimizer
from components.engine.probe import Engine, choose_engine, halve_batches
from components.examples.dataset import readable
from components.examples.training_images import MEMORY_SHARE, TrainingImages
from components.reporting.console import counted, say
from components.reporting.numbers import as_setting, data_size
from components.train.ema import AveragedWeights
from components.train.event_files import remove_host
from components.train.importance_weighted import ImportanceWeighted
from components.train.pictures import Pictures, make_film
from components.train.progress import EpochProgress, StopWhenLost, print_epochs
from components.train.replicas import Replicas
from components.train.sharpen import check_sharpening, sharpened
from components.train.starting_weights import Weights, starting_weights
from components.train.state import ResumableEarlyStopping, TrainingState
from components.train.tuned import with_tuned
from models.augment import Augment
from models.build import build_vae
from models.vae import VAE
from schemas.artifacts import tables
from schemas.artifacts.kinds import Examples, HyperParameters, Model
from schemas.artifacts.records import Statistics
from schemas.recipe.settings import TrainSettings


def fit(
    examples: Examples, hyperparameters: HyperParameters | None, model: Model, settings: TrainSettings
) -> dict[str, int]:
    """Train a model and write it: see `components.train.component.train`."""
    device = prepare_device(deterministic=settings.train.deterministic)
    settings, tuned_values = with_tuned(settings, hyperparameters)
    images = TrainingImages(examples)
    check_sharpening(settings, images.statistics)
    state = TrainingState.read(model.work / "state.npz")
    start = None if state.epochs else starting_weights(settings, images.statistics)
    if not state.finished(settings.train.epochs):
        if tuned_values:
            values = ", ".join(f"{key} {as_setting(value)}" for key, value in tuned_values.items())
            say(f"tuned   {values} from the search (train.use_tuned=false uses the recipe's values)")
        engine = choose_engine(
            settings.train.engine,
            settings.model,
            settings.loss,
            images.statistics,
            batch_size=settings.train.batch_size,
            images=images.count * settings.train.epochs,
            deterministic=settings.train.deterministic,
            path=model.work / "engine.json",
        )
        _train_within_memory(images, model, settings, state, start=start, engine=engine, device=device)
    remove_host(model.logs_path)
    best = _best_model(settings, images.statistics, state)
    if settings.train.sharpen:
        best = sharpened(best, images, model, settings, epochs=state.epochs)
    make_film(model.progress_path)
    return _write(model, best, state)


def _train_within_memory(
    images: TrainingImages,
    model: Model,
    settings: TrainSettings,
    state: TrainingState,
    *,
    start: Weights | None,
    engine: Engine,
    device: str,
) -> None:
    """Train; where memory runs out, go on from the last finished epoch with batches in smaller parts."""
    replicas = Replicas()
    while True:
        try:
            return _train(images, model, settings, state, start=start, engine=engine, replicas=replicas, device=device)
        except tf.errors.ResourceExhaustedError:
            # Nothing more in this clause: the error's traceback holds all that was in memory.
            pass
        engine = halve_batches(
            engine, batch_size=settings.train.batch_size, devices=replicas.count, path=model.work / "engine.json"
        )


def _train(
    images: TrainingImages,
    model: Model,
    settings: TrainSettings,
    state: TrainingState,
    *,
    start: Weights | None,
    engine: Engine,
    replicas: Replicas,
    device: str,
) -> None:
    """Train from the state to the end, or until memory runs out."""
    section, batch_size = settings.train, settings.train.batch_size
    steps = math.ceil(images.count / batch_size)
    vae = _build(settings, images.statistics, engine=engine, replicas=replicas, steps=steps)
    if start is not None and not state.epochs:
        vae.set_weights(start)
    _augment(vae, settings, steps=steps, compiled=replicas.count == 1)
    _print_start(vae, images, settings, state, replicas=replicas, device=device)
    progress = EpochProgress(epochs=section.epochs, images=images.count, batch_size=batch_size)
    with readable(images.examples), replicas.sharing(vae), progress.resources:
        forward = math.ceil(batch_size / engine.parts)  # what fits in training fits in validation
        training = images.training(
            batch_size=batch_size,
            seed=settings.seed,
            first_epoch=state.epochs,
            epochs=section.epochs,
            labelled=vae.conditional,
        )
        measured = images.measured(count=BATCH_NORM_IMAGES, batch_size=forward, labelled=vae.conditional)
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
                AveragedWeights(swapped=state.epochs > 0),  # before the callbacks that measure or save weights
                PreciseBatchNorm(measured),
                Pictures(model.progress_path, images.examples, epochs=section.epochs, seed=settings.seed),
                keras.callbacks.TensorBoard(str(model.logs_path), write_graph=False),
                ResumableEarlyStopping(model.work / "state.npz", state, patience=section.patience),
            ],
            shuffle=False,  # the data set is shuffled already
            verbose=0,
        )


def _build(settings: TrainSettings, statistics: Statistics, *, engine: Engine, replicas: Replicas, steps: int) -> VAE:
    """Build and compile the model for this engine and these devices; `steps` is the number of steps in an epoch."""
    keras.utils.clear_session()  # layers are named by counters: start them anew, so that names do not depend on history
    engine = replace(engine, steps=steps_per_call(steps, most=engine.steps))
    if replicas.count > 1:
        engine = replace(engine, jit=False, steps=1)  # TensorFlow cannot loop over steps that devices share
    with replicas.scope():
        vae = engine.build(settings.model, settings.loss, statistics, seed=settings.seed)
        vae.kl_warmup_steps = settings.loss.kl_warmup_epochs * steps
        engine.compile(vae, make_optimizer(settings.train, steps_per_epoch=steps))
        vae.optimizer.build(vae.trainable_variables)
    return vae


def _augment(vae: VAE, settings: TrainSettings, *, steps: int, compiled: bool) -> None:
    """Let a training change its images, where the recipe asks for it. Compiled by XLA, this takes a seventh of the time."""
    if settings.train.augment.on:
        augment = Augment(settings.train.augment, seed=settings.seed, steps=steps)
        vae.augment = tf.function(augment, jit_compile=True) if compiled else augment


def steps_per_call(steps: int, *, most: int) -> int:
    """Return the largest number of steps per call that divides an epoch's steps.

    With a remainder Keras would go on into the next epoch's images.
    """
    return max(size for size in range(1, min(most, steps) + 1) if steps % size == 0)


def _print_start(
    vae: VAE, images: TrainingImages, settings: TrainSettings, state: TrainingState, *, replicas: Replicas, device: str
) -> None:
    section = settings.train
    say(f"model   {settings.model.network}, {vae.count_params():,} weights, latent_dim {vae.latent_dim}, on {device}")
    rate = as_setting(section.learning_rate)
    say(f"trains  on {counted(images.count, 'image')}, {section.batch_size:,} per step, learning rate {rate}")
    if vae.conditional:
        say(f"labels  {len(vae.labels):,}, conditioning encoder and decoder")
    if changes := section.augment.model_dump(exclude_defaults=True):
        values = ", ".join(key if value is True else f"{key} {as_setting(value)}" for key, value in changes.items())
        say(f"changes each training image anew in each epoch: {values}")
    if replicas.count > 1:
        say(f"shares  each batch among {replicas.count} devices")
    if not images.resident:
        size = data_size(images.bytes)
        say(f"reads   {size} of images from disk in each epoch: they take more than {MEMORY_SHARE:.0%} of memory")
    if state.epochs:
        say(f"resumes after epoch {state.epochs}")


def _importance_weighted(settings: TrainSettings) -> list[ImportanceWeighted]:
    loss, epochs = settings.loss, settings.train.epochs
    if not loss.importance_epochs:
        return []
    return [ImportanceWeighted(first=epochs - loss.importance_epochs, samples=loss.importance_samples)]


def _best_model(settings: TrainSettings, statistics: Statistics, state: TrainingState) -> VAE:
    """Build the model that is saved: float32, of Keras's own layers, with the best epoch's weights.

    It has no optimizer, whose state is of the last epoch, and nothing of the engine that trained it.
    """
    keras.utils.clear_session()
    vae = build_vae(settings.model, settings.loss, statistics, seed=settings.seed)
    vae.set_weights(state.best_weights)
    return vae


def _write(model: Model, best: VAE, state: TrainingState) -> dict[str, int]:
    save_model(best, model.vae_path, work=model.work)
    tables.write_table(model.history_path, state.history, tables.HISTORY)
    print_epochs(state.history, best=state.best_epoch, stopped=state.stopped)
    return {"epochs": state.epochs, "best_epoch": state.best_epoch + 1, "weights": best.count_params()}
