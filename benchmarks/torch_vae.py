"""The recipes' networks in PyTorch: the layers of `models/networks/{dense,conv}.py`, and the loss of `models/vae.py`.

Written as somebody who uses PyTorch would write them: channels last, PyTorch's own padding. Where the padding is odd, Keras
puts the pixel more at the end, PyTorch at the beginning, so these are mirror images of Keras's networks: `take_weights`
turns the kernels round, and then both say the same of an image and of its mirror image (`benchmarks/gpu.py` holds that).
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from schemas.recipe.model import ConvModel, DenseModel, LossSettings, ModelSettings, MseLoss

Shape = tuple[int, int, int]  # height, width, channels
OUTPUT_ACTIVATION = {"unit": nn.Sigmoid, "symmetric": nn.Tanh, "standardise": nn.Identity}


class TorchVAE(nn.Module):
    """A recipe's VAE.

    Args:
        model: The network's settings.
        loss: What is minimised.
        image_shape: Of the images.
        normalise: The recipe's `preprocess.normalise`, which names the last activation of the likelihood `mse`.
        mean: Constants of the normalisation, one per channel, on the scale 0 to 1.
        deviation: Likewise.
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
        self.loss_settings = loss
        self.output_activation = OUTPUT_ACTIVATION[normalise]()
        build = _dense if isinstance(model, DenseModel) else _conv
        self.encoder, self.mean, self.log_variance, self.decoder = build(model, image_shape)
        self.register_buffer("pixel_mean", 255 * torch.tensor(mean).view(-1, 1, 1))
        self.register_buffer("pixel_deviation", 255 * torch.tensor(deviation).view(-1, 1, 1))
        self.apply(_initialise)
        if isinstance(model, ConvModel) and model.zero_log_variance:
            nn.init.zeros_(self.log_variance.weight)
        if loss.kl == "none":
            self.log_variance.requires_grad_(False)
        self.to(memory_format=torch.channels_last)

    def forward(self, pixels: torch.Tensor, noise: torch.Tensor | None = None) -> torch.Tensor:
        """The mean loss of pixels [B, C, H, W], uint8, channels last; noise [B, D] is drawn unless it is given."""
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
        """All that Keras counts: what is trained, and batch normalisation's statistics."""
        norms = [layer for layer in self.modules() if isinstance(layer, nn.BatchNorm2d)]
        return sum(weight.numel() for weight in self.parameters()) + sum(2 * layer.num_features for layer in norms)

    def take_weights(self, weights: list[np.ndarray]) -> None:
        """Takes the weights of Keras's encoder and decoder, in Keras's order, mirrored."""
        found = iter(weights)
        parts = (self.encoder, self.mean, self.log_variance, self.decoder)
        with torch.no_grad():
            for layer in (layer for part in parts for layer in part.modules() if not list(layer.children())):
                if not list(layer.parameters()):
                    continue
                values = {"weight": next(found), "bias": next(found)}
                if isinstance(layer, nn.BatchNorm2d):
                    values |= {"running_mean": next(found), "running_var": next(found)}
                elif isinstance(layer, Dense):
                    kernel = _mirrored(values["weight"], layer.reads)  # [inputs, outputs]
                    values["weight"] = _mirrored(kernel.T, layer.writes)
                    values["bias"] = _mirrored(values["bias"][:, None], layer.writes)[:, 0]
                else:
                    values["weight"] = values["weight"][::-1, ::-1].transpose(3, 2, 0, 1)
                for name, value in values.items():
                    getattr(layer, name).copy_(torch.from_numpy(value.copy()))


class Dense(nn.Linear):
    """A dense layer; `reads` and `writes` are the shape of the map beside it, where there is one."""

    def __init__(self, inputs: int, outputs: int, *, reads: Shape | None = None, writes: Shape | None = None) -> None:
        super().__init__(inputs, outputs)
        self.reads, self.writes = reads, writes


class ToVector(nn.Module):
    """Maps [B, C, H, W] to vectors, in the order of their memory: no copy where they are channels last."""

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return maps.permute(0, 2, 3, 1).flatten(1)


class ToMap(nn.Module):
    """Vectors to maps [B, C, H, W], channels last."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        return vectors.unflatten(1, self.shape).permute(0, 3, 1, 2)


def _dense(settings: DenseModel, image_shape: Shape) -> tuple[nn.Module, Dense, Dense, nn.Module]:
    size, latent_dim = math.prod(image_shape), settings.latent_dim
    encoder: list[nn.Module] = [ToVector()]
    before, reads = size, image_shape
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


def _conv(settings: ConvModel, image_shape: Shape) -> tuple[nn.Module, Dense, Dense, nn.Module]:
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
    """To ⌈size / stride⌉ pixels, as Keras's padding "same" does."""
    kernel = settings.kernel_size
    missing = [max((math.ceil(length / stride) - 1) * stride + kernel - length, 0) for length in size]
    padding = "same" if stride == 1 else (math.ceil(missing[0] / 2), math.ceil(missing[1] / 2))
    return nn.Conv2d(inputs, filters, kernel, stride, padding)


def _up(inputs: int, filters: int, stride: int, settings: ConvModel) -> nn.ConvTranspose2d:
    """To size · stride pixels, as Keras's padding "same" does."""
    kernel = settings.kernel_size
    padding = math.ceil(max(kernel - stride, 0) / 2)
    return nn.ConvTranspose2d(inputs, filters, kernel, stride, padding, output_padding=2 * padding + stride - kernel)


def _after(filters: int, settings: ConvModel, *, linear: bool = False) -> list[nn.Module]:
    activation = [] if linear else [_activation(settings)]
    if settings.batch_norm == "none":
        return activation
    norm = nn.BatchNorm2d(filters, eps=1e-3, momentum=0.01)  # Keras's defaults; its momentum is what stays
    return [norm, *activation] if settings.batch_norm == "before" else [*activation, norm]


def _activation(settings: ModelSettings) -> nn.Module:
    if settings.activation == "relu":
        return nn.ReLU()
    return nn.LeakyReLU(settings.negative_slope if isinstance(settings, ConvModel) else 0.2)  # 0.2: Keras's by name


def _initialise(layer: nn.Module) -> None:
    """Keras's own: Glorot uniform, biases zero."""
    if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
        nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(layer.bias)


def _mirrored(rows: np.ndarray, shape: Shape | None) -> np.ndarray:
    """Rows [height · width · channels, …] of a map turned round in height and width."""
    if shape is None:
        return rows
    return rows.reshape(*shape, -1)[::-1, ::-1].reshape(rows.shape)
