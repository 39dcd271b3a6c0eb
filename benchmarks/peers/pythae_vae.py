"""The pythae peer: trains pythae's VAE for some minutes with pythae's own trainer, then draws images with two of its samplers.

    python3.11 -m venv /tmp/venv-pythae
    /tmp/venv-pythae/bin/python -m pip install torch --index-url https://download.pytorch.org/whl/cpu
    /tmp/venv-pythae/bin/python -m pip install pythae==0.1.2
    /tmp/venv-pythae/bin/python -m benchmarks.peers.pythae_vae IMAGES.npy OUT.npz --minutes 30 --count 10000 --seed 0

IMAGES.npy is uint8, [N, 28, 28, 1]; its last 2% are pythae's evaluation data, by which pythae selects its best model. OUT.npz has
two sets of images, `normal` and `mixture`; each 500 of `mixture` are in the order of its components: pick among them at random.

The time begins with the first epoch and includes pythae's own evaluations. Where it ends within an epoch, the model of that
moment is evaluated too, after the time, and selected if it is better than the best of the epochs before: pythae's own rule.
`train_loss` is of the last 100 steps.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pythae.data.preprocessors import DataProcessor
from pythae.models import VAE, VAEConfig
from pythae.models.nn.benchmarks.mnist import Decoder_Conv_AE_MNIST, Encoder_Conv_VAE_MNIST
from pythae.samplers import GaussianMixtureSampler, GaussianMixtureSamplerConfig, NormalSampler
from pythae.trainers import BaseTrainer, BaseTrainerConfig
from pythae.trainers.trainer_utils import set_seed
from pythae.trainers.training_callbacks import TrainingCallback

# As pythae trains a VAE on MNIST: examples/scripts/training.py (whose networks are by default the convnets) with its
# configs/mnist/base_training_config.json (batches of 100, 1e-3, Adam by default, no schedule) and configs/mnist/vae_config.json
# (16 latents, "mse", which is VAEConfig's default too), github.com/clementchadebec/benchmark_VAE. It ends after 100 epochs.
BATCH, LEARNING_RATE, LATENTS, LOSS = 100, 1e-3, 16, "mse"


class _TimeIsUp(Exception):
    """The training's time is up: raised within `BaseTrainer.train`, which cannot be ended in another way."""


class Clock(TrainingCallback):
    """A callback that ends the training after some seconds, and records losses and the best evaluation.

    Attributes:
        spent: Seconds of training so far.
        losses: Of every step.
        best: The best evaluation's loss, which the trainer does not publish.
        evaluated: The number of steps before the last evaluation.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.start = 0.0
        self.spent = 0.0
        self.losses: list[float] = []
        self.best = float("inf")
        self.evaluated = 0

    def on_train_begin(self, training_config: BaseTrainerConfig, **kwargs: Any) -> None:
        """Start the clock."""
        self.start = time.perf_counter()

    def on_train_step_end(self, training_config: BaseTrainerConfig, **kwargs: Any) -> None:
        """End the training when its time is up."""
        self.spent = time.perf_counter() - self.start
        if self.spent >= self.seconds:
            raise _TimeIsUp

    def on_log(self, training_config: BaseTrainerConfig, logs: dict[str, float], **kwargs: Any) -> None:
        """Record the evaluation."""
        # By now the trainer has copied its best model.
        self.best = min(self.best, logs["eval_epoch_loss"])
        self.evaluated = len(self.losses)
        self.on_train_step_end(training_config)


class Trainer(BaseTrainer):
    """pythae's trainer, unchanged; it also gives the clock each step's loss, which callbacks do not get."""

    def _optimizers_step(self, model_output: Any = None) -> None:
        super()._optimizers_step(model_output)
        self.callbacks[0].losses.append(model_output.loss.item())


def as_saved(images: Any) -> NDArray[np.uint8]:
    """Return images as `BaseSampler.save_img` makes them, with fractions cut; but of one channel, which it repeats for PNG."""
    pixels: NDArray[np.float32] = torch.movedim(images, 1, 3).cpu().numpy()
    return (255.0 * pixels).astype(np.uint8)


def main() -> None:
    """Train, draw images, and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path, help="a .npy file")
    parser.add_argument("out", type=Path, help="a .npz file")
    parser.add_argument("--minutes", type=float, required=True, help="of training")
    parser.add_argument("--count", type=int, default=10_000, help="images from each sampler")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    pixels = np.load(options.images)
    if pixels.dtype != np.uint8 or pixels.shape[1:] != (28, 28, 1):
        sys.exit(f"expected uint8 [N, 28, 28, 1], which pythae's networks are for, found {pixels.dtype} {pixels.shape}")
    images = np.moveaxis(pixels, 3, 1).astype(np.float32) / 255
    training = len(images) - max(1, round(len(images) * 0.02))
    training -= training % BATCH == 1  # batch normalisation over 1 × 1 pixels fails on a batch of one image
    set_seed(options.seed)
    settings = VAEConfig(input_dim=images.shape[1:], latent_dim=LATENTS, reconstruction_loss=LOSS)
    vae = VAE(settings, encoder=Encoder_Conv_VAE_MNIST(settings), decoder=Decoder_Conv_AE_MNIST(settings))
    processor, clock = DataProcessor(), Clock(options.minutes * 60)
    sets = [processor.to_dataset(processor.process_data(part)) for part in (images[:training], images[training:])]
    schedule = {"num_epochs": 1_000_000, "learning_rate": LEARNING_RATE, "seed": options.seed}
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(vae, *sets, BaseTrainerConfig(folder, BATCH, BATCH, **schedule), callbacks=[clock])
        with contextlib.suppress(_TimeIsUp):
            trainer.train()
    steps, per_epoch = len(clock.losses), len(trainer.train_loader)
    last = trainer.eval_step(steps // per_epoch + 1) if clock.evaluated < steps else float("inf")
    model = trainer.model if last < clock.best else trainer._best_model
    start = time.perf_counter()
    set_seed(options.seed)  # the mixture's fit draws from numpy's global generator
    with torch.no_grad():
        normal = as_saved(NormalSampler(model=model).sample(num_samples=options.count))
        sampler = GaussianMixtureSampler(sampler_config=GaussianMixtureSamplerConfig(n_components=10), model=model)
        sampler.fit(images[:training])
        np.savez(options.out, normal=normal, mixture=as_saved(sampler.sample(num_samples=options.count)))
    trained = steps // per_epoch * training + steps % per_epoch * BATCH
    result: dict[str, Any] = {"peer": "pythae"} | {
        name: version(name) for name in ("pythae", "torch", "scikit-learn", "numpy")
    }
    result |= {"device": trainer.device, "threads": torch.get_num_threads(), "seed": options.seed, "batch_size": BATCH}
    result |= {
        "loss": f"{LOSS} + KL",
        "likelihood": "Gaussian of variance 1, summed over pixels",
        "latent_dim": LATENTS,
    }
    result |= {"learning_rate": LEARNING_RATE, "epochs": round(steps / per_epoch, 3), "seconds": round(clock.spent, 1)}
    result |= {"train_loss": float(np.mean(clock.losses[-100:])), "validation_loss": min(last, clock.best)}
    result |= {"selected": "the end of the time" if last < clock.best else "the end of the best epoch"}
    result |= {"images_per_second": trained / clock.spent, "sampling_seconds": time.perf_counter() - start}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
