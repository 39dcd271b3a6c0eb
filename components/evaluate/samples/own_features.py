"""Feature spaces that a recipe adds: a Keras model of the user's own, and Inception, whose distances are FID and KID.

Loads TensorFlow; PyTorch, which runs Inception, is imported only where a recipe names Inception.
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
from schemas.paths import user_path
from schemas.recipe.evaluate import EvaluateSection

MODEL, INCEPTION = "evaluate.feature_model", "evaluate.inception"  # the settings that name a file
WEIGHTS = "inception-2015-12-05.pt"
WEIGHTS_SHA256 = "f58cb9b6ec323ed63459aa4fb441fe750cfe39fafad6da5cb504a16f19e958f4"
BATCH = 32  # images at once: Inception's widest layer makes 6 MB of each

Images = NDArray[np.float32]
Features = NDArray[np.float32]
Pixels = NDArray[np.uint8]


def extra_spaces(settings: EvaluateSection, *, image_shape: tuple[int, int, int]) -> list[FeatureSpace]:
    """Return the feature spaces that a recipe adds: `own`, `inception`, both or none.

    Args:
        settings: The recipe's section `evaluate`.
        image_shape: Shape of the images that are compared: [H, W, C].

    Raises:
        UsageError: A file cannot be used; see `own_space` and `inception_space`.
    """
    spaces = []
    if settings.feature_model is not None:
        spaces.append(own_space(settings.feature_model, image_shape=image_shape))
    if settings.inception is not None:
        spaces.append(inception_space(settings.inception))
    return spaces


def own_space(path: str, *, image_shape: tuple[int, int, int]) -> FeatureSpace:
    """Return the space of the user's own Keras model. Its digest is the file's sha256.

    The model gets pixels 0 to 255, float32, as models of `keras.applications` do that contain their preprocessing. Where its
    input has a fixed size or number of channels, images are brought to it. Maps are averaged over height and width.

    Args:
        path: A ``.keras`` file of a model from images [B, H, W, 1 or 3] to features [B, D] or maps [B, h, w, D].
        image_shape: Shape of the images that are compared: [H, W, C].

    Raises:
        UsageError: The file does not exist, Keras cannot read it, it contains code of its own, or it is no model of images.
    """
    file = _file(path, setting=MODEL, expected="a Keras model (.keras)")
    network = _single_tensors(_load(file), file)
    shape = network.input_shape

    def of_pixels(pixels: Pixels) -> Features:
        outputs = np.asarray(network.predict_on_batch(_resized(pixels, shape)), np.float32)
        return outputs.mean(axis=(1, 2)) if outputs.ndim == 4 else outputs

    features = _on_unit_scale(of_pixels)
    try:
        features(np.zeros((1, *image_shape), np.float32))
    except Exception as error:  # each layer raises an error of its own for a size that it cannot take
        raise UsageError(
            f"{MODEL}: expected a model that takes images of shape {image_shape}, found {file}, which does not "
            f"({_in_one_line(error)})"
        ) from None
    return FeatureSpace("own", f"your own model {file.name}", sha256_of(file), features)


def inception_space(path: str) -> FeatureSpace:
    """Return the space of Inception-v3, the network of FID and KID, in the TorchScript version of StyleGAN's code.

    It runs on the CPU, takes 8-bit RGB, and resizes it to 299 × 299 itself. Its digest is the file's sha256.

    Args:
        path: Path of the file `WEIGHTS`.

    Raises:
        UsageError: The file does not exist or is another one, or PyTorch is not installed.
    """
    file = _file(path, setting=INCEPTION, expected=WEIGHTS)
    digest = sha256_of(file)
    if digest != WEIGHTS_SHA256:  # checked before the file is opened, because TorchScript is code
        raise UsageError(
            f"{INCEPTION}: expected {WEIGHTS} with sha256 {WEIGHTS_SHA256}, found {file} with sha256 {digest}"
        )
    try:
        import torch  # an extra
    except ImportError:
        raise UsageError(
            f"{INCEPTION}: expected PyTorch, found none; install what the extra `inception` names: .venv/bin/pip install torch"
        ) from None
    network = torch.jit.load(str(file), map_location="cpu").eval()

    def of_pixels(pixels: Pixels) -> Features:
        rgb = np.array(_with_channels(pixels, 3).transpose(0, 3, 1, 2), order="C")  # [B, 3, H, W]
        with torch.no_grad():
            features: Features = network(torch.from_numpy(rgb), return_features=True).numpy()  # [B, 2048]
        return features

    return FeatureSpace(
        "inception", "Inception-v3 of 2015, the network of FID and KID", WEIGHTS_SHA256, _on_unit_scale(of_pixels)
    )


def _file(path: str, *, setting: str, expected: str) -> Path:
    file = user_path(path)
    if not file.is_file():
        raise UsageError(f"{setting}: expected {expected}, found no file {file}")
    return file


def _load(file: Path) -> Any:
    try:
        return keras.models.load_model(file, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises errors of many kinds for a file that it cannot read
        if "safe_mode" in str(error):
            raise UsageError(
                f"{MODEL}: expected a model that is safe to open, found {file}, which brings code of its own, as Lambda layers do"
            ) from None
        raise UsageError(
            f"{MODEL}: expected a Keras model (.keras), found {file}, which Keras cannot read ({_in_one_line(error)})"
        ) from None


def _single_tensors(network: Any, file: Path) -> keras.Model:
    """Return the same network from one tensor of images to one of features, where they were in a list or dictionary."""
    inputs: Any = getattr(network, "inputs", None) or ()
    outputs: Any = getattr(network, "outputs", None) or ()
    if len(inputs) != 1 or len(outputs) != 1:
        raise UsageError(
            f"{MODEL}: expected a functional or sequential model of 1 input and 1 output, found {len(inputs)} and "
            f"{len(outputs)} in {file}"
        )
    images, features = inputs[0].shape, outputs[0].shape
    if len(images) != 4 or images[0] is not None or images[3] not in (None, 1, 3) or len(features) not in (2, 4):
        raise UsageError(
            f"{MODEL}: expected images [B, H, W, 1 or 3] in and features [B, D] or maps [B, h, w, D] out, found {images} and "
            f"{features} in {file}"
        )
    return keras.Model(inputs[0], outputs[0])


def _resized(pixels: Pixels, shape: tuple[int | None, ...]) -> Any:
    """Return pixels [B, H, W, C] in the size and with the channels of a network's input, where these are fixed: float32."""
    _, height, width, channels = shape
    images: NDArray[Any] = pixels.astype(np.float32)
    if channels is not None:
        images = _with_channels(images, channels)
    size = (height or pixels.shape[1], width or pixels.shape[2])
    return keras.ops.image.resize(images, size, interpolation="bilinear", antialias=True, data_format="channels_last")


def _with_channels(images: NDArray[Any], channels: int) -> NDArray[Any]:
    """Return grey images as RGB by repetition, and RGB images as grey by the mean."""
    if channels == 1:
        grey: NDArray[np.float32] = images.mean(axis=3, keepdims=True, dtype=np.float32)
        return grey
    return np.broadcast_to(images, (*images.shape[:3], channels))


def _on_unit_scale(of_pixels: Callable[[Pixels], Features]) -> Callable[[Images], Features]:
    """Return the function for images of scale 0 to 1, which are rounded as in a file; an image with NaN has features of NaN."""

    def features(images: Images) -> Features:
        finite: Any = np.isfinite(images).all(axis=(1, 2, 3))
        pixels = np.rint(np.where(finite[:, None, None, None], images, 0.0) * 255.0).astype(np.uint8)
        values = np.concatenate([of_pixels(pixels[start : start + BATCH]) for start in range(0, len(pixels), BATCH)])
        values[~finite] = np.nan
        return values

    return features


def _in_one_line(error: Exception) -> str:
    """Return an error's message in one line; of an error within an error, the inner message."""
    message = re.sub(r"\x1b\[\d*m", "", str(error))  # Keras writes in bold
    message = " ".join(message.rpartition("Exception encountered: ")[2].split())
    return message[:200] or type(error).__name__
