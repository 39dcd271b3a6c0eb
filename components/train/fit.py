"""Training from beginning to end."""

from __future__ import annotations

import json
import math
from typing import Any

import keras

from components.batch_norm import PreciseBatchNorm
from components.console import say
from components.dataset import batches, read_statistics, readable, training_batches
from components.device import jit_compile, prepare_device
from components.train.ema import AveragedWeights
from components.train.keras_file import save_model
from components.train.optimizer import make_optimizer
from components.train.progress import EpochProgress, StopWhenLost
from components.train.state import ResumableEarlyStopping, TrainingState
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
    tuned: dict[str, Any] = json.loads(hyperparameters.best_path.read_text()) if hyperparameters else {}
    learning_rate = tuned.get("train.learning_rate", settings.train.learning_rate)
    network = settings.model.model_copy(update={"latent_dim": tuned.get("model.latent_dim", settings.model.latent_dim)})

    keras.utils.clear_session()  # layers are named by counters; these start anew, so that names do not depend on history
    vae = build_vae(network, settings.loss, statistics, seed=settings.seed)
    images, batch_size = statistics.records["train"], settings.train.batch_size
    steps = math.ceil(images / batch_size)
    optimizer = make_optimizer(settings.train, learning_rate=learning_rate, steps_per_epoch=steps)
    vae.kl_warmup_steps = settings.loss.kl_warmup_epochs * steps
    vae.compile(optimizer=optimizer, jit_compile=jit_compile())
    vae.optimizer.build(vae.trainable_variables)
    say(f"model   {network.network}, {vae.count_params():,} weights, latent_dim {network.latent_dim}, on {device}")
    say(f"trains  on {images:,} images, {batch_size} per step, learning rate {learning_rate:.3g}")
    if vae.conditional:
        say(f"labels  {len(vae.labels):,}, which encoder and decoder take")
    if tuned:
        say("tuned   latent_dim and learning rate are the search's (train.use_tuned=false: the recipe's)")

    state_path = model.work / "state.npz"
    state = TrainingState.read(state_path)
    if state.epochs:
        say(f"resumes after epoch {state.epochs}")
    epochs = settings.train.epochs
    if state.epochs < epochs and not state.stopped:
        with readable(examples):
            vae.fit(
                training_batches(
                    examples,
                    batch_size=batch_size,
                    seed=settings.seed,
                    first_epoch=state.epochs,
                    epochs=epochs,
                    labelled=vae.conditional,
                ),
                steps_per_epoch=steps,
                initial_epoch=state.epochs,
                epochs=epochs,
                validation_data=batches(examples, "validation", batch_size=batch_size, labelled=vae.conditional),
                callbacks=[
                    StopWhenLost(learning_rate=learning_rate),
                    EpochProgress(epochs=epochs, images=images, batch_size=batch_size),
                    AveragedWeights(swapped=state.epochs > 0),  # before what measures or keeps weights
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
