"""Feature spaces that a recipe asks for: a Keras model of one's own, and Inception, whose distances are FID and KID.

Importing this module loads TensorFlow. PyTorch, which runs Inception, is imported only where Inception is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from components.evaluate.samples.features import FeatureSpace
from schemas.errors import UsageError
from schemas.hashing import sha256_of
from schemas.recipe.recipe import EvaluateSection

MODEL, INCEPTION = "evaluate.feature_model", "evaluate.inception"  # the settings that name a file
WEIGHTS = "inception-2015-12-05.pt"
WEIGHTS_SHA256 = "f58cb9b6ec323ed63459aa4fb441fe750cfe39fafad6da5cb504a16f19e958f4"
BATCH = 32  # images at once: Inception's widest layer makes 6 MB of each

Images = NDArray[np.float32]
Features = NDArray[np.float32]
Pixels = NDArray[np.uint8]


def asked_spaces(settings: EvaluateSection, *, image_shape: tuple[int, int, int]) -> list[FeatureSpace]:
    """The feature spaces that a recipe asks for: `own`, `inception`, both or none.

    Args:
        settings: Of the recipe.
        image_shape: Of the images that are compared: [H, W, C].

    Raises:
        UsageError: A file cannot be used; see `own_space` and `inception_space`.
    """
    found = []
    if settings.feature_model is not None:
        found.append(own_space(settings.feature_model, image_shape=image_shape))
    if settings.inception is not None:
        found.append(inception_space(settings.inception))
    return found


def own_space(path: str, *, image_shape: tuple[int, int, int]) -> FeatureSpace:
    """What a Keras model of one's own sees in images. Its digest is the file's sha256.

    The model gets pixels 0 to 255, float32, as those of `keras.applications` that bring their preprocessing with them, in its
    own size and number of channels where these are fixed. Maps are averaged over places.

    Args:
        path: A ``.keras`` file of a model from images [B, H, W, 1 or 3] to features [B, D] or maps [B, h, w, D].
        image_shape: Of the images that are compared: [H, W, C].

    Raises:
        UsageError: There is no such file, Keras cannot read it, it would run code of its own, or it is no model of images.
    """
    file = _file(path, setting=MODEL, expected="a Keras model (.keras)")
    network = _plain(_load(file), file)
    shape = network.input_shape

    def of_pixels(pixels: Pixels) -> Features:
        found = np.asarray(network.predict_on_batch(_fitted(pixels, shape)), np.float32)
        return found.mean(axis=(1, 2)) if found.ndim == 4 else found

    features = _of_scaled(of_pixels)
    try:
        features(np.zeros((1, *image_shape), np.float32))
    except Exception as error:  # every layer complains in its own way of a size that it cannot take
        raise UsageError(
            f"{MODEL}: expected a model that takes images of shape {image_shape}, found {file}, which does not "
            f"({_brief(error)})"
        ) from None
    return FeatureSpace("own", f"your own model {file.name}", sha256_of(file), features)


def inception_space(path: str) -> FeatureSpace:
    """What Inception-v3 sees in images: the network by which FID and KID are defined, as StyleGAN's code has it in TorchScript.

    It runs on the CPU, gets 8-bit RGB, and resizes it to 299 × 299 itself. Its digest is the file's sha256.

    Args:
        path: Of `WEIGHTS`.

    Raises:
        UsageError: There is no such file, or it is another one, or PyTorch is not installed.
    """
    file = _file(path, setting=INCEPTION, expected=WEIGHTS)
    digest = sha256_of(file)
    if digest != WEIGHTS_SHA256:  # before it is opened: TorchScript is code
        raise UsageError(
            f"{INCEPTION}: expected {WEIGHTS} with sha256 {WEIGHTS_SHA256}, found {file} with sha256 {digest}"
        )
    try:
        import torch
    except ImportError:
        raise UsageError(
            f"{INCEPTION}: expected PyTorch, found none; install what the extra `inception` names: .venv/bin/pip install torch"
        ) from None
    network = torch.jit.load(str(file), map_location="cpu").eval()

    def of_pixels(pixels: Pixels) -> Features:
        rgb = np.array(_with_channels(pixels, 3).transpose(0, 3, 1, 2), order="C")  # [B, 3, H, W]
        with torch.no_grad():
            return network(torch.from_numpy(rgb), return_features=True).numpy()  # [B, 2048]

    return FeatureSpace(
        "inception", "Inception-v3 of 2015, the network of FID and KID", WEIGHTS_SHA256, _of_scaled(of_pixels)
    )


def _file(path: str, *, setting: str, expected: str) -> Path:
    file = Path(path).expanduser()
    if not file.is_file():
        raise UsageError(f"{setting}: expected {expected}, found no file {file}")
    return file


def _load(file: Path) -> Any:
    try:
        return keras.models.load_model(file, compile=False, safe_mode=True)
    except Exception as error:  # Keras has no error of its own for a file that it cannot read
        if "safe_mode" in str(error):
            raise UsageError(
                f"{MODEL}: expected a model that is safe to open, found {file}, which brings code of its own, as Lambda layers do"
            ) from None
        raise UsageError(
            f"{MODEL}: expected a Keras model (.keras), found {file}, which Keras cannot read ({_brief(error)})"
        ) from None


def _plain(network: Any, file: Path) -> keras.Model:
    """The same network from one tensor of images to one of features, whatever they were wrapped in."""
    inputs, outputs = (getattr(network, name, None) or () for name in ("inputs", "outputs"))
    if len(inputs) != 1 or len(outputs) != 1:
        raise UsageError(
            f"{MODEL}: expected a functional or sequential model of 1 input and 1 output, found {len(inputs)} and "
            f"{len(outputs)} in {file}"
        )
    taken, made = inputs[0].shape, outputs[0].shape
    if len(taken) != 4 or taken[0] is not None or taken[3] not in (None, 1, 3) or len(made) not in (2, 4):
        raise UsageError(
            f"{MODEL}: expected images [B, H, W, 1 or 3] in and features [B, D] or maps [B, h, w, D] out, found {taken} and "
            f"{made} in {file}"
        )
    return keras.Model(inputs[0], outputs[0])


def _fitted(pixels: Pixels, shape: tuple[int | None, ...]) -> Any:
    """Pixels [B, H, W, C] as a network takes them: in its size and with its channels, where these are fixed; float32."""
    _, height, width, channels = shape
    images = pixels.astype(np.float32)
    if channels is not None:
        images = _with_channels(images, channels)
    size = (height or images.shape[1], width or images.shape[2])
    return keras.ops.image.resize(images, size, interpolation="bilinear", antialias=True, data_format="channels_last")


def _with_channels(images: NDArray[Any], channels: int) -> NDArray[Any]:
    """Grey as RGB by repetition, RGB as grey by the mean; else as they are."""
    if channels == 1:
        return images.mean(axis=3, keepdims=True, dtype=np.float32)
    return np.broadcast_to(images, (*images.shape[:3], channels))


def _of_scaled(of_pixels: Callable[[Pixels], Features]) -> Callable[[Images], Features]:
    """Takes images of scale 0 to 1, rounded as in a file, some at a time. What is no number has features that are none."""

    def features(images: Images) -> Features:
        finite = np.isfinite(images).all(axis=(1, 2, 3))
        pixels = np.rint(np.where(finite[:, None, None, None], images, 0.0) * 255.0).astype(np.uint8)
        found = np.concatenate([of_pixels(pixels[start : start + BATCH]) for start in range(0, len(pixels), BATCH)])
        found[~finite] = np.nan
        return found

    return features


def _brief(error: Exception) -> str:
    """What it says, in one line; of an error within an error, what the inner one says."""
    said = re.sub(r"\x1b\[\d*m", "", str(error))  # Keras writes in bold
    said = " ".join(said.rpartition("Exception encountered: ")[2].split())
    return said[:200] or type(error).__name__
