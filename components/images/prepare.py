"""Prepares a user's own images for a network, in the way in which ingest prepared the training images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from components.images.decode import decode
from components.images.geometry import Crop, framing
from components.sources import RawImage
from schemas.artifacts.kinds import Generator
from schemas.artifacts.manifest import MANIFEST
from schemas.errors import DataError
from schemas.recipe.preprocess import PreprocessSettings


def prepare_image(raw: RawImage, preprocess: PreprocessSettings) -> NDArray[np.uint8]:
    """Return an image as the network gets it in evaluation: [H, W, C].

    If training crops images, it is the centre of the image with its margin, as in ingest and evaluate.

    Raises:
        Rejected: It cannot be used.
    """
    pixels = decode(raw, preprocess, geometry=framing(preprocess))
    return Crop(preprocess.height, preprocess.width).map(pixels)


def preprocess_of(generator: Generator) -> PreprocessSettings:
    """Return the `preprocess` settings of a generator's training images, also if the recipe has changed since.

    Raises:
        DataError: Its manifest does not hold them.
    """
    try:
        return PreprocessSettings.model_validate(generator.manifest.recipe["preprocess"])
    except (KeyError, ValidationError):
        raise DataError(
            f"{generator.path / MANIFEST}: expected the recipe's preprocess, found none that can be read; "
            f"to make it again, remove {generator.path}"
        ) from None
