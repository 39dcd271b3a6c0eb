"""Training from beginning to end."""

from __future__ import annotations

import math

import keras

from components.batch_norm import PreciseBatchNorm
from components.console import say
from components.dataset import batches, read_statistics, readable, training_batches
from components.device import jit_compile, prepare_device
from components.train.keras_file import save_model
from components.train.progress import EpochProgress, StopWhenLost
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
    vae = build_vae(settings.model, settings.loss, statistics, seed=settings.seed)
    vae.compile(optimizer=keras.optimizers.Adam(settings.train.learning_rate), jit_compile=jit_compile())
    vae.optimizer.build(vae.trainable_variables)
    say(f"model   {settings.model.network}, {vae.count_params():,} weights, latent_dim {vae.latent_dim}, on {device}")
    images, batch_size = statistics.records["train"], settings.train.batch_size
    say(f"trains  on {images:,} images, {batch_size} per step, learning rate {settings.train.learning_rate:.3g}")
    if tuned:
        say(f"tuned   {', '.join(tuned)} as the search found (train.use_tuned=false: as the recipe says)")

    state_path = model.work / "state.npz"
    state = TrainingState.read(state_path)
    if state.epochs:
        say(f"resumes after epoch {state.epochs}")
    epochs = settings.train.epochs
    if state.epochs < epochs and not state.stopped:
        with readable(examples):
            vae.fit(
                training_batches(
                    examples, batch_size=batch_size, seed=settings.seed, first_epoch=state.epochs, epochs=epochs
                ),
                steps_per_epoch=math.ceil(images / batch_size),
                initial_epoch=state.epochs,
                epochs=epochs,
                validation_data=batches(examples, "validation", batch_size=batch_size),
                callbacks=[
                    StopWhenLost(),
                    EpochProgress(epochs=epochs, images=images, batch_size=batch_size),
                    PreciseBatchNorm(examples, batch_size=batch_size),
                    keras.callbacks.TensorBoard(str(model.logs_path), write_graph=False),
                    ResumableEarlyStopping(state_path, state, patience=settings.train.patience),
                ],
                shuffle=False,  # the data set does
                verbose=0,
            )
    return _write(model, vae, state)


def _write(model: Model, vae: VAE, state: TrainingState) -> dict[str, int]:
    # A copy without the optimizer: its state is of the last epoch, the weights are of the best.
    best = VAE.from_config(vae.get_config())
    best.build(vae.get_build_config()["input_shape"])
    best.set_weights(state.best_weights)
    save_model(best, model.vae_path, work=model.work)
    tables.write_table(model.history_path, state.history, tables.HISTORY)
    row = state.history[state.best_epoch]
    why = "stopped early" if state.stopped else "all epochs run"
    say(
        f"best    epoch {state.best_epoch + 1} of {state.epochs} ({why}): validation loss {row['val_loss']:.3f}, "
        f"reconstruction {row['val_reconstruction']:.3f}, KL {row['val_kl']:.3f} nats"
    )
    return {"epochs": state.epochs, "best_epoch": state.best_epoch + 1, "weights": vae.count_params()}
