"""Training from beginning to end."""

from __future__ import annotations

import math
from dataclasses import replace

import keras

from components.batch_norm import PreciseBatchNorm
from components.console import say
from components.dataset import batches, read_statistics, readable, training_batches
from components.device import prepare_device
from components.engine import choose_engine
from components.optimizer import make_optimizer
from components.train.ema import AveragedWeights
from components.train.keras_file import save_model
from components.train.pictures import Pictures, make_film
from components.train.progress import EpochProgress, StopWhenLost, tell_epochs
from components.train.replicas import Replicas
from components.train.state import ResumableEarlyStopping, TrainingState
from components.train.tuned import with_tuned
from models.build import build_vae
from models.vae import VAE
from schemas import tables
from schemas.artifacts import Examples, HyperParameters, Model
from schemas.settings import TrainSettings


def fit(
    examples: Examples, hyperparameters: HyperParameters | None, model: Model, settings: TrainSettings
) -> dict[str, int]:
    """See `components.train.component.train`."""
    device = prepare_device(deterministic=settings.train.deterministic)
    statistics = read_statistics(examples)
    settings, tuned = with_tuned(settings, hyperparameters)

    keras.utils.clear_session()  # layers are named by counters; these start anew, so that names do not depend on history
    images, batch_size = statistics.records["train"], settings.train.batch_size
    steps = math.ceil(images / batch_size)
    engine = choose_engine(
        settings.train.engine,
        settings.model,
        settings.loss,
        statistics,
        batch_size=batch_size,
        images=images * settings.train.epochs,
        deterministic=settings.train.deterministic,
        kept=model.work / "engine.json",
    )
    replicas = Replicas()
    if replicas.count > 1:
        engine = replace(engine, jit=False, steps=1)  # TensorFlow loops over no shared steps
    with replicas.scope():
        vae = engine.build(settings.model, settings.loss, statistics, seed=settings.seed)
        vae.kl_warmup_steps = settings.loss.kl_warmup_epochs * steps
        engine.compile(vae, make_optimizer(settings.train, steps_per_epoch=steps))
        vae.optimizer.build(vae.trainable_variables)
    say(f"model   {settings.model.network}, {vae.count_params():,} weights, latent_dim {vae.latent_dim}, on {device}")
    say(f"trains  on {images:,} images, {batch_size} per step, learning rate {settings.train.learning_rate:.3g}")
    if vae.conditional:
        say(f"labels  {len(vae.labels):,}, which encoder and decoder take")
    if replicas.count > 1:
        say(f"shares  each batch among {replicas.count} devices")
    if tuned:
        say(f"tuned   {', '.join(tuned)} as the search found (train.use_tuned=false: as the recipe says)")

    state_path = model.work / "state.npz"
    state = TrainingState.read(state_path)
    if state.epochs:
        say(f"resumes after epoch {state.epochs}")
    epochs = settings.train.epochs
    if state.epochs < epochs and not state.stopped:
        training = training_batches(
            examples,
            batch_size=batch_size,
            seed=settings.seed,
            first_epoch=state.epochs,
            epochs=epochs,
            labelled=vae.conditional,
        )
        validation = batches(examples, "validation", batch_size=batch_size, labelled=vae.conditional)
        with readable(examples), replicas.sharing(vae):
            vae.fit(
                replicas.share(training),
                steps_per_epoch=steps,
                initial_epoch=state.epochs,
                epochs=epochs,
                **replicas.validation(validation),
                callbacks=[
                    StopWhenLost(
                        examples,
                        batch_size=batch_size,
                        seed=settings.seed,
                        learning_rate=settings.train.learning_rate,
                        path=model.work / "lost.txt",
                    ),
                    EpochProgress(epochs=epochs, images=images, batch_size=batch_size),
                    AveragedWeights(swapped=state.epochs > 0),  # before what measures or keeps weights
                    PreciseBatchNorm(examples, batch_size=batch_size, labelled=vae.conditional),
                    Pictures(model.progress_path, examples, epochs=epochs, seed=settings.seed),
                    keras.callbacks.TensorBoard(str(model.logs_path), write_graph=False),
                    ResumableEarlyStopping(state_path, state, patience=settings.train.patience),
                ],
                shuffle=False,  # the data set does
                verbose=0,
            )
    make_film(model.progress_path)
    # Without the optimizer: its state is of the last epoch, the weights are of the best. And whatever the engine was: in
    # float32, of Keras's own layers.
    keras.utils.clear_session()
    best = build_vae(settings.model, settings.loss, statistics, seed=settings.seed)
    best.set_weights(state.best_weights)
    return _write(model, best, state)


def _write(model: Model, best: VAE, state: TrainingState) -> dict[str, int]:
    save_model(best, model.vae_path, work=model.work)
    tables.write_table(model.history_path, state.history, tables.HISTORY)
    tell_epochs(state.history, best=state.best_epoch, stopped=state.stopped)
    return {"epochs": state.epochs, "best_epoch": state.best_epoch + 1, "weights": best.count_params()}
