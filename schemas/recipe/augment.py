"""The settings of a recipe's `train.augment`: how training images are changed anew in each epoch."""

from __future__ import annotations

from pydantic import Field

from schemas.recipe.section import Section


class AugmentSection(Section):
    """How training changes each image, anew in each epoch. Validation, evaluation and exports see images as they are."""

    flip: bool = Field(
        False, description="Mirror every second image, left to right. Wrong for digits, text and all that has a side."
    )
    shift: float = Field(
        0.0, ge=0, le=0.5, description="Move an image up to this share of its height and width, by whole pixels."
    )
    zoom: float = Field(
        0.0, ge=0, le=1, description="Enlarge or shrink an image by up to this share: with 0.25, from 4/5 to 5/4."
    )
    rotate: float = Field(0.0, ge=0, le=180, description="Turn an image by up to this number of degrees, either way.")
    brightness: float = Field(
        0.0, ge=0, lt=1, description="Multiply brightness by a factor between 1 less this and 1 plus this."
    )

    @property
    def on(self) -> bool:
        """Whether images are changed at all."""
        return any(value for _, value in self)
