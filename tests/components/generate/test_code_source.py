"""Labels of a person's own images, from which codes are made."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np

from components.generate.code_source import read_codes
from schemas.artifacts.generator import Description
from schemas.recipe.generate import GenerateSection
from schemas.recipe.preprocess import PreprocessSettings


def test_a_folders_label_is_the_same_however_its_accents_are_written(
    tmp_path: Path, write_photos: Callable[..., Path]
) -> None:
    """macOS writes an `é` as two characters; labels of Examples are composed."""
    write_photos(tmp_path / unicodedata.normalize("NFD", "été"), 1)
    write_photos(tmp_path / "hiver", 1)
    codes = read_codes(
        GenerateSection(around=str(tmp_path)),
        description=Description(sampler="normal", latent_dim=2, image_shape=(8, 8, 3), labels=("hiver", "été")),
        latent_dim=2,
        preprocess=PreprocessSettings(height=8, width=8, channels=3),
        encode=lambda pixels, numbers: np.stack([numbers, numbers], axis=1).astype(np.float32),
        deviations=lambda number: np.ones(2, np.float32),
    )
    assert sorted(codes.labels.tolist()) == [0, 1]
