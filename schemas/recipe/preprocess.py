"""What becomes of an image on its way into the Examples: the settings of a recipe's `preprocess` section."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field, model_validator

from schemas.recipe.section import Section

Format = Literal["BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP"]
FORMATS: tuple[Format, ...] = get_args(Format)


class PreprocessSettings(Section):
    """What becomes of an image on its way into the Examples: decode, resize, crop, split, store."""

    height: int = Field(28, ge=4, le=1024, description="Height that the network sees, in pixels.")
    width: int = Field(28, ge=4, le=1024, description="Width that the network sees, in pixels.")
    channels: Literal[1, 3] = Field(1, description="1 = grey, 3 = RGB.")
    geometry: Literal["crop", "fit", "pad", "stretch"] = Field(
        "crop",
        description="How an image of another shape gets into the frame. crop: it covers the frame, what stands over is "
        "cut evenly. pad: it fits inside, the rest is background. fit: as pad, but nothing is enlarged. "
        "stretch: the aspect ratio is ignored.",
    )
    crop: Literal["none", "baked", "fresh"] = Field(
        "none",
        description="none: the centre. baked: random crops, written by ingest. "
        "fresh: ingest keeps a margin, training draws a new crop each epoch.",
    )
    crop_margin: float = Field(
        0.125, gt=0, le=1, description="Margin around a random crop, as a share of height and width."
    )
    crops_per_image: int = Field(1, ge=1, le=64, description="Random crops written per training image (baked only).")
    normalise: Literal["unit", "symmetric", "standardise"] = Field(
        "unit", description="unit: [0, 1]. symmetric: [-1, 1]. standardise: channel mean 0 and deviation 1."
    )
    store: Literal["uint8", "float32"] = Field(
        "uint8", description="uint8: raw pixels. float32: normalised values, four times larger, for other trainers."
    )
    background: tuple[int, int, int] = Field(
        (255, 255, 255), description="RGB colour under transparent pixels and around the image."
    )
    validation: float = Field(0.05, gt=0, lt=0.5, description="Share of images held out to steer training.")
    test: float = Field(
        0.1, gt=0, lt=0.5, description="Share of images held out to judge; unused where sources have a test split."
    )
    split_salt: str = Field("", description="Another salt divides the images another way.")
    formats: tuple[Format, ...] = Field(
        FORMATS, min_length=1, description="Formats that are read; others are rejected."
    )
    animated: Literal["first_frame", "reject"] = Field(
        "first_frame", description="What a file with several frames or pages gets."
    )
    max_bytes: int = Field(256 << 20, ge=1, description="Image files with more bytes than this are rejected.")
    max_pixels: int = Field(
        100_000_000, ge=1, description="Images with more pixels than this are rejected before they are decoded."
    )
    max_members: int = Field(10_000_000, ge=1, description="Most files in an archive.")
    max_expansion: int = Field(
        1000, ge=1, description="Most bytes that a byte of an archive may unpack to; what claims more is rejected."
    )
    duplicates: Literal["drop", "keep"] = Field(
        "drop", description="Of images with the same bytes: drop all but one, or keep them, in the same split."
    )
    near_duplicates: int | None = Field(
        None,
        ge=0,
        le=16,
        description="Bits in which perceptual hashes of near-duplicates, which share a split, may differ; "
        "2 suits photographs. Not set: none are looked for.",
    )
    max_frames: int = Field(10_000, ge=1, description="Files with more frames or pages than this are rejected.")
    max_rejected: float = Field(0.1, ge=0, le=1, description="Share of rejected images above which ingest stops.")

    @model_validator(mode="after")
    def _channels_fit_background(self) -> PreprocessSettings:
        if not all(0 <= value <= 255 for value in self.background):
            raise ValueError(f"background: expected three values from 0 to 255, found {list(self.background)}")
        return self

    @property
    def stored_height(self) -> int:
        """Height of a stored image in pixels: the network's, plus the margin that `crop: fresh` needs."""
        return self.height + self._margin(self.height, "fresh")

    @property
    def stored_width(self) -> int:
        """Width of a stored image in pixels: the network's, plus the margin that `crop: fresh` needs."""
        return self.width + self._margin(self.width, "fresh")

    @property
    def uncropped_height(self) -> int:
        """Height of what a crop is taken from, in pixels: by ingest (`baked`), or from what is stored (`fresh`)."""
        return self.height + self._margin(self.height, "baked", "fresh")

    @property
    def uncropped_width(self) -> int:
        """Width of what a crop is taken from, in pixels."""
        return self.width + self._margin(self.width, "baked", "fresh")

    def _margin(self, size: int, *crops: str) -> int:
        return round(size * self.crop_margin) if self.crop in crops else 0
