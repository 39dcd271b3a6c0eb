"""The settings of a recipe's `preprocess` section: how an image becomes an example."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field, model_validator

from schemas.recipe.section import Section

Format = Literal["AVIF", "BMP", "GIF", "HEIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP"]
FORMATS: tuple[Format, ...] = get_args(Format)


class PreprocessSettings(Section):
    """How an image becomes an example: decode, resize, crop, split, store."""

    height: int = Field(28, ge=4, le=1024, description="Height of the images that the network sees, in pixels.")
    width: int = Field(28, ge=4, le=1024, description="Width of the images that the network sees, in pixels.")
    channels: Literal[1, 3] = Field(1, description="Colour channels: 1 is grey, 3 is RGB.")
    geometry: Literal["crop", "fit", "pad", "stretch"] = Field(
        "crop",
        description="How an image of another shape is brought to height × width. crop: resize it to cover the frame, "
        "and cut what stands over evenly. pad: resize it to fit inside, and fill the rest with background. fit: as "
        "pad, but never enlarge. stretch: ignore the aspect ratio.",
    )
    crop: Literal["none", "baked", "fresh"] = Field(
        "none",
        description="none: no random crops. baked: ingest writes random crops of the training images. fresh: ingest "
        "keeps a margin, and training draws a new crop each epoch.",
    )
    crop_margin: float = Field(
        0.125, gt=0, le=1, description="Margin from which random crops are drawn, as a share of height and width."
    )
    crops_per_image: int = Field(
        1, ge=1, le=64, description="With crop: baked: number of random crops per training image."
    )
    normalise: Literal["unit", "symmetric", "standardise"] = Field(
        "unit",
        description="Scale of the pixel values. unit: [0, 1]. symmetric: [-1, 1]. standardise: mean 0 and standard "
        "deviation 1 per channel.",
    )
    store: Literal["uint8", "float32"] = Field(
        "uint8",
        description="What the records hold. uint8: raw pixels. float32: normalised values, four times larger, for "
        "other people's trainers.",
    )
    background: tuple[int, int, int] = Field(
        (255, 255, 255), description="RGB colour, each 0 to 255, under transparent pixels and around the image."
    )
    validation: float = Field(
        0.05,
        gt=0,
        lt=0.5,
        description="Share of images held out to steer training. Unused if the sources have a validation split.",
    )
    test: float = Field(
        0.1,
        gt=0,
        lt=0.5,
        description="Share of images held out to judge the model. Unused if the sources have a test split.",
    )
    split_salt: str = Field("", description="Any text. Another text divides the images into other splits.")
    formats: tuple[Format, ...] = Field(
        FORMATS, min_length=1, description="Image formats to read. Files of another format are rejected."
    )
    animated: Literal["first_frame", "reject"] = Field(
        "first_frame", description="What to do with files of several frames or pages: read the first, or reject them."
    )
    max_bytes: int = Field(256 << 20, ge=1, description="Reject image files with more bytes than this.")
    max_pixels: int = Field(
        100_000_000, ge=1, description="Reject images with more pixels than this, before they are decoded."
    )
    max_members: int = Field(10_000_000, ge=1, description="Maximum number of files in an archive.")
    max_expansion: int = Field(
        1000,
        ge=1,
        description="Maximum number of bytes that one byte of an archive may unpack to. Files that claim more are "
        "rejected.",
    )
    duplicates: Literal["drop", "keep"] = Field(
        "drop", description="What to do with images of the same bytes: drop all but one, or keep all in the same split."
    )
    near_duplicates: int | None = Field(
        None,
        ge=0,
        le=16,
        description="Keep near-duplicates in the same split: images whose perceptual hashes differ in at most this "
        "many bits. 2 suits photographs. null: do not look for them.",
    )
    max_frames: int = Field(10_000, ge=1, description="Reject files with more frames or pages than this.")
    max_rejected: float = Field(
        0.1, ge=0, le=1, description="Stop ingest if more than this share of the images is rejected."
    )

    @model_validator(mode="after")
    def _check_background(self) -> PreprocessSettings:
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
        """Height of an image before its random crop, in pixels. Ingest crops if `crop: baked`, training if `crop: fresh`."""
        return self.height + self._margin(self.height, "baked", "fresh")

    @property
    def uncropped_width(self) -> int:
        """Width of an image before its random crop, in pixels."""
        return self.width + self._margin(self.width, "baked", "fresh")

    def _margin(self, size: int, *crops: str) -> int:
        return round(size * self.crop_margin) if self.crop in crops else 0
