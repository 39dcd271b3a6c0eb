"""The recipes' networks in PyTorch: the layers of `models/networks/{dense,conv}.py`, and the loss of `models/vae.py`.

Written as a user of PyTorch would write them: channels last, PyTorch's own padding. Where the padding is odd, Keras puts the
extra pixel at the end and PyTorch at the beginning, so these are mirror images of Keras's networks: `take_weights` turns the
kernels round, and then Keras's network has the same result for an image as this one has for its mirror image
(`benchmarks/gpu.py` checks this).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from schemas.recipe.model import BernoulliLoss, ConvModel, DenseModel, LossSettings, ModelSettings, MseLoss

Shape = tuple[int, int, int]  # height, width, channels
OUTPUT_ACTIVATION = {"unit": nn.Sigmoid, "symmetric": nn.Tanh, "standardise": nn.Identity}


class TorchVAE(nn.Module):
    """A recipe's VAE.

    Args:
        model: The network's settings: dense or conv.
        loss: The loss's settings: mse or bernoulli.
        image_shape: Height, width and channels of an image.
        normalise: The recipe's `preprocess.normalise`, which decides the last activation under the likelihood `mse`.
        mean: Mean per channel that normalisation subtracts, on the scale 0 to 1.
        deviation: Deviation per channel that it divides by, on the same scale.

    Raises:
        ValueError: The network or the loss has no counterpart here.
    """

    def __init__(
        self,
        model: ModelSettings,
        loss: LossSettings,
        *,
        image_shape: Shape,
        normalise: str,
        mean: list[float],
        deviation: list[float],
    ) -> None:
        super().__init__()
        if not isinstance(loss, MseLoss | BernoulliLoss):
            raise ValueError(f"expected the loss mse or bernoulli, found {loss.likelihood}")
        self.loss_settings = loss
        self.output_activation = OUTPUT_ACTIVATION[normalise]()
        if isinstance(model, DenseModel):
            layers = _dense(model, image_shape)
        elif isinstance(model, ConvModel):
            layers = _conv(model, image_shape)
        else:
            raise ValueError(f"expected the network dense or conv, found {model.network}")
        self.encoder, self.mean, self.log_variance, self.decoder = layers
        self.register_buffer("pixel_mean", 255 * torch.tensor(mean).view(-1, 1, 1))
        self.register_buffer("pixel_deviation", 255 * torch.tensor(deviation).view(-1, 1, 1))
        self.apply(_initialise)
        if isinstance(model, ConvModel) and model.zero_log_variance:
            nn.init.zeros_(self.log_variance.weight)
        if loss.kl == "none":
            self.log_variance.requires_grad_(False)
        self.to(memory_format=torch.channels_last)

    def forward(self, pixels: Any, noise: Any = None) -> Any:
        """Return the mean loss of pixels [B, C, H, W], uint8, channels last; noise [B, D] is drawn unless it is given."""
        targets = (pixels.float() - self.pixel_mean) / self.pixel_deviation
        features = self.encoder(targets)
        mean, log_variance = self.mean(features).float(), self.log_variance(features).float()  # [B, D]
        codes = mean
        if self.loss_settings.kl != "none":
            codes = mean + torch.exp(0.5 * log_variance) * (torch.randn_like(mean) if noise is None else noise)
        outputs = self.decoder(codes).float()
        if isinstance(self.loss_settings, MseLoss):
            loss = self.loss_settings.weight * functional.mse_loss(self.output_activation(outputs), targets)
        else:
            loss = functional.binary_cross_entropy_with_logits(outputs, targets)
            loss = loss * (math.prod(targets.shape[1:]) if self.loss_settings.reconstruction == "sum" else 1)
        if self.loss_settings.kl == "none":
            return loss
        kl = -0.5 * (1.0 + log_variance - mean.square() - log_variance.exp()).sum(dim=1).mean()
        return loss + (kl / mean.shape[1] if self.loss_settings.kl == "mean" else kl)

    def count_weights(self) -> int:
        """Return the number of weights as Keras counts them: the statistics of batch normalisation included."""
        norms = [layer for layer in self.modules() if isinstance(layer, nn.BatchNorm2d)]
        weights = sum(int(weight.numel()) for weight in self.parameters())
        return weights + sum(2 * int(layer.num_features) for layer in norms)

    def take_weights(self, weights: list[NDArray[np.float32]]) -> None:
        """Take the weights of Keras's encoder and decoder, in Keras's order, mirrored."""
        arrays: Iterator[NDArray[np.float32]] = iter(weights)
        parts = (self.encoder, self.mean, self.log_variance, self.decoder)
        with torch.no_grad():
            for layer in (layer for part in parts for layer in part.modules() if not list(layer.children())):
                if not list(layer.parameters()):
                    continue
                values = {"weight": next(arrays), "bias": next(arrays)}
                if isinstance(layer, nn.BatchNorm2d):
                    values |= {"running_mean": next(arrays), "running_var": next(arrays)}
                elif isinstance(layer, Dense):
                    kernel = _mirrored(values["weight"], layer.reads)  # [inputs, outputs]
                    values["weight"] = _mirrored(kernel.T, layer.writes)
                    values["bias"] = _mirrored(values["bias"][:, None], layer.writes)[:, 0]
                else:
                    values["weight"] = values["weight"][::-1, ::-1].transpose(3, 2, 0, 1)
                for name, value in values.items():
                    getattr(layer, name).copy_(torch.from_numpy(value.copy()))


class Dense(nn.Linear):
    """A dense layer; `reads` and `writes` are the shapes of the map before and after it, where there is one."""

    def __init__(self, inputs: int, outputs: int, *, reads: Shape | None = None, writes: Shape | None = None) -> None:
        super().__init__(inputs, outputs)
        self.reads, self.writes = reads, writes


class ToVector(nn.Module):
    """A layer from maps [B, C, H, W] to vectors in memory order: no copy where the maps are channels last."""

    def forward(self, maps: Any) -> Any:
        """Flatten the maps."""
        return maps.permute(0, 2, 3, 1).flatten(1)


class ToMap(nn.Module):
    """A layer from vectors to maps [B, C, H, W], channels last."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, vectors: Any) -> Any:
        """Unflatten the vectors."""
        return vectors.unflatten(1, self.shape).permute(0, 3, 1, 2)


# Encoder, mean, log variance and decoder.
Layers = tuple[nn.Module, Dense, Dense, nn.Module]


def _dense(settings: DenseModel, image_shape: Shape) -> Layers:
    """Return the layers of `models/networks/dense.py`."""
    size, latent_dim = math.prod(image_shape), settings.latent_dim
    encoder: list[nn.Module] = [ToVector()]
    before = size
    reads: Shape | None = image_shape
    for units in settings.hidden:
        encoder += [Dense(before, units, reads=reads), _activation(settings)]
        before, reads = units, None
    decoder: list[nn.Module] = []
    after = latent_dim
    for units in reversed(settings.hidden):
        decoder += [Dense(after, units), _activation(settings)]
        after = units
    decoder += [Dense(after, size, writes=image_shape), ToMap(image_shape)]
    return nn.Sequential(*encoder), Dense(before, latent_dim), Dense(before, latent_dim), nn.Sequential(*decoder)


def _conv(settings: ConvModel, image_shape: Shape) -> Layers:
    """Return the layers of `models/networks/conv.py`."""
    height, width, channels = image_shape
    encoder: list[nn.Module] = []
    before = channels
    for filters, stride in settings.encoder:
        encoder += [_down(before, filters, stride, settings, (height, width)), *_after(filters, settings)]
        before, height, width = filters, math.ceil(height / stride), math.ceil(width / stride)
    encoder.append(ToVector())
    reads: Shape | None = (height, width, before)
    before = height * width * before
    for units in settings.hidden:
        encoder += [Dense(before, units, reads=reads), _activation(settings)]
        before, reads = units, None
    heads = [Dense(before, settings.latent_dim, reads=reads) for _ in range(2)]

    stride = math.prod(stride for _, stride in settings.decoder) * settings.output_stride
    base = (image_shape[0] // stride, image_shape[1] // stride, settings.base_filters)
    decoder: list[nn.Module] = [Dense(settings.latent_dim, math.prod(base), writes=base)]
    decoder += [nn.ReLU()] if settings.base_activation == "relu" else []
    decoder.append(ToMap(base))
    before, linear = settings.base_filters, settings.decoder_activation == "linear"
    for filters, layer_stride in settings.decoder:
        decoder += [_up(before, filters, layer_stride, settings), *_after(filters, settings, linear=linear)]
        before = filters
    decoder.append(_up(before, channels, settings.output_stride, settings))
    return nn.Sequential(*encoder), heads[0], heads[1], nn.Sequential(*decoder)


def _down(inputs: int, filters: int, stride: int, settings: ConvModel, size: tuple[int, int]) -> nn.Conv2d:
    """Return a convolution to ⌈size / stride⌉ pixels, as Keras's padding "same" gives."""
    kernel = settings.kernel_size
    missing = [max((math.ceil(length / stride) - 1) * stride + kernel - length, 0) for length in size]
    padding = "same" if stride == 1 else (math.ceil(missing[0] / 2), math.ceil(missing[1] / 2))
    return nn.Conv2d(inputs, filters, kernel, stride, padding)


def _up(inputs: int, filters: int, stride: int, settings: ConvModel) -> nn.ConvTranspose2d:
    """Return a transposed convolution to size · stride pixels, as Keras's padding "same" gives."""
    kernel = settings.kernel_size
    padding = math.ceil(max(kernel - stride, 0) / 2)
    return nn.ConvTranspose2d(inputs, filters, kernel, stride, padding, output_padding=2 * padding + stride - kernel)


def _after(filters: int, settings: ConvModel, *, linear: bool = False) -> list[nn.Module]:
    """Return what follows a convolution: activation and batch normalisation, in the recipe's order."""
    activation = [] if linear else [_activation(settings)]
    if settings.batch_norm == "none":
        return activation
    norm = nn.BatchNorm2d(filters, eps=1e-3, momentum=0.01)  # Keras's defaults; its momentum is 1 - PyTorch's
    return [norm, *activation] if settings.batch_norm == "before" else [*activation, norm]


def _activation(settings: DenseModel | ConvModel) -> nn.Module:
    """Return the recipe's activation.

    Raises:
        ValueError: It has no counterpart here.
    """
    if settings.activation == "relu":
        return nn.ReLU()
    if settings.activation != "leaky_relu":
        raise ValueError(f"expected the activation relu or leaky_relu, found {settings.activation}")
    return nn.LeakyReLU(settings.negative_slope if isinstance(settings, ConvModel) else 0.2)  # 0.2 is Keras's default


def _initialise(layer: nn.Module) -> None:
    """Initialise as Keras does: Glorot uniform, biases zero."""
    if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
        nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(layer.bias)


def _mirrored(rows: NDArray[np.float32], shape: Shape | None) -> NDArray[np.float32]:
    """Return rows [height · width · channels, …] of a map, mirrored in height and width."""
    if shape is None:
        return rows
    return rows.reshape(*shape, -1)[::-1, ::-1].reshape(rows.shape)
