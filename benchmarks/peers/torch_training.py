"""The PyTorch peer of `benchmarks/train.py`: trains a recipe's network on the same images; needs PyTorch, no TensorFlow.

    /path/to/a/python/with/torch -m benchmarks.peers.torch_training fashion_bn train.npy validation.npy --weights 259716

Images are uint8, [N, H, W, C]. Channels last, Adam as in Keras, the recipe's loss; each epoch has a new random order, and its
last batch may be smaller. The first epoch warms up: speeds are of the epochs after it. Before the validation loss, the
statistics of batch normalisation are averaged over training images, as `components/engine/batch_norm.py` does, so that losses
can be compared. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.peers.torch_vae import TorchVAE
from pipeline.recipes.load import load_recipe
from schemas.recipe.recipe import Recipe

# Images over which batch normalisation's statistics are averaged, as in components/engine/batch_norm.py.
STATISTICS_IMAGES = 4096


def build(recipe: Recipe, pixels: Any) -> TorchVAE:
    """Build the recipe's network for these images [N, C, H, W]."""
    _, channels, height, width = pixels.shape
    mean, deviation = {
        "unit": lambda: ([0.0] * channels, [1.0] * channels),
        "symmetric": lambda: ([0.5] * channels, [0.5] * channels),
        "standardise": lambda: _moments(pixels),
    }[recipe.preprocess.normalise]()
    return TorchVAE(
        recipe.model,
        recipe.loss,
        image_shape=(height, width, channels),
        normalise=recipe.preprocess.normalise,
        mean=mean,
        deviation=deviation,
    )


def _moments(pixels: Any) -> tuple[list[float], list[float]]:
    """Return mean and deviation per channel, on the scale 0 to 1."""
    values = pixels.double() / 255
    return values.mean(dim=(0, 2, 3)).tolist(), values.std(dim=(0, 2, 3), correction=0).tolist()


def read(path: Path, device: torch.device) -> Any:
    """Read images as [N, C, H, W], uint8, channels last: a view of the file's own order."""
    return torch.from_numpy(np.load(path)).to(device).permute(0, 3, 1, 2)


class Training:
    """A network with its optimiser.

    Args:
        vae: The network.
        learning_rate: Adam's.
        bfloat16: Whether to train under autocast.
        compiled: The mode of `torch.compile`, or none.
    """

    def __init__(self, vae: TorchVAE, *, learning_rate: float, bfloat16: bool, compiled: str | None) -> None:
        self.vae = vae
        self.device = vae.pixel_mean.device
        self.bfloat16 = bfloat16
        weights = [weight for weight in vae.parameters() if weight.requires_grad]
        self.optimizer = torch.optim.Adam(weights, lr=learning_rate, eps=1e-7, fused=True)
        self.forward = torch.compile(vae, mode=compiled) if compiled else vae

    def autocast(self) -> torch.autocast:
        """Return the context in which the network is called."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16)

    def step(self, pixels: Any) -> Any:
        """Take a training step; return the loss before it."""
        self.optimizer.zero_grad(set_to_none=True)
        with self.autocast():
            loss = self.forward(pixels)
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def validate(self, pixels: Any, training: Any, *, batch_size: int) -> float:
        """Measure batch normalisation's statistics on training images; return the mean loss over the images `pixels`."""
        norms = [layer for layer in self.vae.modules() if isinstance(layer, torch.nn.BatchNorm2d)]
        with torch.no_grad(), self.autocast():
            if norms:
                momenta = [layer.momentum for layer in norms]
                for layer in norms:
                    layer.reset_running_stats()
                    layer.momentum = None  # a plain average over the batches
                for batch in training[:STATISTICS_IMAGES].split(batch_size):
                    self.vae(batch)
                for layer, momentum in zip(norms, momenta, strict=True):
                    layer.momentum = momentum
            self.vae.eval()
            total = sum(float(self.vae(batch)) * len(batch) for batch in pixels.split(batch_size))
            self.vae.train()
        return total / len(pixels)


def main() -> None:
    """Train, and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", help="a name of recipes/*.yaml, or a file")
    parser.add_argument("training", type=Path, help="a .npy file of the images to train on")
    parser.add_argument("validation", type=Path, help="a .npy file of the images to measure the loss on")
    parser.add_argument("--weights", type=int, help="of Keras's network; another number of weights is an error")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="bfloat16")
    parser.add_argument("--compile", action="store_true", help="use torch.compile, which needs a C++ compiler")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    recipe = load_recipe(options.recipe)
    torch.manual_seed(options.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    images, held_out = read(options.training, device), read(options.validation, device)
    vae = build(recipe, images).to(device)
    if options.weights not in (None, vae.count_weights()):
        sys.exit(f"expected {options.weights:,} weights, as Keras's network has, found {vae.count_weights():,}")
    batch_size, bfloat16 = recipe.train.batch_size, options.precision == "bfloat16"
    compiled = "default" if options.compile else None
    training = Training(vae, learning_rate=recipe.train.learning_rate, bfloat16=bfloat16, compiled=compiled)

    rates = []
    for epoch in range(options.epochs):
        start = time.perf_counter()
        total = torch.zeros((), device=device)
        for rows in torch.randperm(len(images), device=device).split(batch_size):
            total += training.step(images[rows]) * len(rows)
        loss = float(total) / len(images)
        rates.append(len(images) / (time.perf_counter() - start))
        print(f"epoch {epoch + 1}  loss {loss:.3f}  {rates[-1]:,.1f} images/s", flush=True)
    result = {
        "peer": "torch",
        "torch": torch.__version__,
        "recipe": recipe.name,
        "device": torch.cuda.get_device_name() if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads",
        "precision": options.precision,
        "compiled": options.compile,
        "weights": vae.count_weights(),
        "epochs": options.epochs,
        "images_per_second": [round(rate, 1) for rate in rates[1:]],
        "loss": loss,
        "validation_loss": training.validate(held_out, images, batch_size=batch_size),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
