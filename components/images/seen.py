"""Images of a person's own, as a network sees them."""

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


def as_seen(raw: RawImage, preprocess: PreprocessSettings) -> NDArray[np.uint8]:
    """An image as the network sees it when it is judged: [H, W, C].

    Where training crops, that is the centre of the image with its margin, as ingest and evaluate have it.

    Raises:
        Rejected: It cannot be used.
    """
    pixels = decode(raw, preprocess, geometry=framing(preprocess))
    return Crop(preprocess.height, preprocess.width).map(pixels)


def preprocess_of(generator: Generator) -> PreprocessSettings:
    """What was done to the images that a generator has learnt, whatever the recipe says by now.

    Raises:
        DataError: Its manifest does not say.
    """
    try:
        return PreprocessSettings.model_validate(generator.manifest.recipe["preprocess"])
    except (KeyError, ValidationError):
        raise DataError(
            f"{generator.path / MANIFEST}: expected the recipe's preprocess, found none that can be read; "
            f"to make it again, remove {generator.path}"
        ) from None
