"""The PyTorch peer of `benchmarks/train.py`: trains a recipe's network on the same images; needs PyTorch, no TensorFlow.

    PYTHONPATH=. /path/to/a/python/with/torch benchmarks/torch_peer.py fashion_bn train.npy validation.npy --weights 259716

Images are uint8, [N, H, W, C]. Channels last, Adam as Keras has it, the recipe's loss; each epoch in a new random order, its last
batch smaller where it must be. Speeds are of the epochs after the first, which warms up. Before the validation loss, batch
normalisation's statistics are averaged over training images, as `components/engine/batch_norm.py` does, so that losses can be
compared. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch_vae import TorchVAE

from pipeline.recipes.load import load_recipe
from schemas.recipe.recipe import Recipe

STATISTICS_IMAGES = (
    4096  # over which batch normalisation's statistics are averaged, as in components/engine/batch_norm.py
)


def build(recipe: Recipe, pixels: torch.Tensor) -> TorchVAE:
    """The recipe's network for such images [N, C, H, W]."""
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


def _moments(pixels: torch.Tensor) -> tuple[list[float], list[float]]:
    values = pixels.double() / 255
    return values.mean(dim=(0, 2, 3)).tolist(), values.std(dim=(0, 2, 3), correction=0).tolist()


def read(path: Path, device: torch.device) -> torch.Tensor:
    """Images as [N, C, H, W], uint8, channels last: a view of the file's own order."""
    return torch.from_numpy(np.load(path)).to(device).permute(0, 3, 1, 2)


class Training:
    """A network and its optimiser.

    Args:
        vae: The network.
        learning_rate: Adam's.
        bfloat16: Autocast.
        compiled: The mode of `torch.compile`, or none.
    """

    def __init__(self, vae: TorchVAE, *, learning_rate: float, bfloat16: bool, compiled: str | None) -> None:
        self.vae = vae
        self.device = vae.pixel_mean.device
        self.bfloat16 = bfloat16
        trained = [weight for weight in vae.parameters() if weight.requires_grad]
        self.optimizer = torch.optim.Adam(trained, lr=learning_rate, eps=1e-7, fused=True)
        self.forward = torch.compile(vae, mode=compiled) if compiled else vae

    def autocast(self) -> torch.autocast:
        """What the network is called under."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16)

    def step(self, pixels: torch.Tensor) -> torch.Tensor:
        """A step; the loss before it."""
        self.optimizer.zero_grad(set_to_none=True)
        with self.autocast():
            loss = self.forward(pixels)
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def validate(self, pixels: torch.Tensor, training: torch.Tensor, *, batch_size: int) -> float:
        """The mean loss over images, under measured statistics of batch normalisation."""
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
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", help="a name of recipes/*.yaml, or a file")
    parser.add_argument("training", type=Path, help="a .npy file of the images to train on")
    parser.add_argument("validation", type=Path, help="… to measure the loss of")
    parser.add_argument("--weights", type=int, help="how many Keras's network has; another number is an error")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="bfloat16")
    parser.add_argument("--compile", action="store_true", help="by torch.compile, which needs a C++ compiler")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    recipe = load_recipe(given.recipe)
    torch.manual_seed(given.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    images, held_out = read(given.training, device), read(given.validation, device)
    vae = build(recipe, images).to(device)
    if given.weights not in (None, vae.count_weights()):
        sys.exit(f"expected {given.weights:,} weights, as Keras's network has, found {vae.count_weights():,}")
    batch_size, bfloat16 = recipe.train.batch_size, given.precision == "bfloat16"
    compiled = "default" if given.compile else None
    training = Training(vae, learning_rate=recipe.train.learning_rate, bfloat16=bfloat16, compiled=compiled)

    rates = []
    for epoch in range(given.epochs):
        began = time.perf_counter()
        total = torch.zeros((), device=device)
        for rows in torch.randperm(len(images), device=device).split(batch_size):
            total += training.step(images[rows]) * len(rows)
        loss = float(total) / len(images)
        rates.append(len(images) / (time.perf_counter() - began))
        print(f"epoch {epoch + 1}  loss {loss:.3f}  {rates[-1]:,.1f} images/s", flush=True)
    found = {
        "peer": "torch",
        "torch": torch.__version__,
        "recipe": recipe.name,
        "device": torch.cuda.get_device_name() if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads",
        "precision": given.precision,
        "compiled": given.compile,
        "weights": vae.count_weights(),
        "epochs": given.epochs,
        "images_per_second": [round(rate, 1) for rate in rates[1:]],
        "loss": loss,
        "validation_loss": training.validate(held_out, images, batch_size=batch_size),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
