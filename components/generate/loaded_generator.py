"""A generator that is loaded and makes images, a block at a time. Loads TensorFlow."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.engine.device import prepare_device
from components.generate.calibration import Calibration
from components.generate.derived_codes import DerivedCodes
from components.generate.labels import labels_of_block
from schemas.artifacts.generator import DRAWN
from schemas.artifacts.kinds import Generator
from schemas.errors import UsageError
from schemas.recipe.generate import BLOCK, GenerateSection

if TYPE_CHECKING:
    from models.code_samplers import CodeSampler


@dataclass(frozen=True)
class ImageBlock:
    """A block of images.

    Attributes:
        images: Pixels: [BLOCK, H, W, C], uint8.
        codes: Codes of the images: [BLOCK, D].
        numbers: Numbers of the labels, -1 for none: [BLOCK].
    """

    images: NDArray[np.uint8]
    codes: NDArray[np.float32]
    numbers: NDArray[np.int64]


class LoadedGenerator:
    """Makes any block of a set; the same block in any process.

    Args:
        generator: Generator, with its SavedModel.
        section: The recipe's `generate` section.
        derived: Codes that replace drawn ones; None: codes are drawn.
        draws: Whether any codes are drawn.
    """

    def __init__(
        self,
        generator: Generator,
        section: GenerateSection,
        *,
        derived: DerivedCodes | None = None,
        draws: bool = True,
    ) -> None:
        try:
            prepare_device()
            # One thread per operation: sums are then added in one order for any number of workers or cores.
            tf.config.threading.set_intra_op_parallelism_threads(1)
            tf.config.threading.set_inter_op_parallelism_threads(os.cpu_count() or 1)
        except RuntimeError:
            pass  # TensorFlow is already running in this process: another worker has set this
        self.description = generator.describe()
        self.trained_labels = self.description.trained_labels
        self.section, self.derived = section, derived
        self.module = tf.saved_model.load(str(generator.saved_model_path))  # it holds the weights
        self.signatures = self.module.signatures
        self.kind = self.description.sampler if section.sampler == "auto" else section.sampler
        other_sampler = draws and derived is None and self.kind != self.description.sampler
        self.sampler = read_sampler(generator, self.kind) if other_sampler else None

    def encode(self, images: NDArray[np.uint8], numbers: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the means of the posteriors of a block of images: [BLOCK, D]."""
        labels = {"labels": tf.constant(numbers)} if self.description.labels else {}
        means: NDArray[np.float32] = self.signatures["encode"](images=tf.constant(images), **labels)["mean"].numpy()
        return means

    def make(self, start: int) -> ImageBlock:
        """Make the images start to start + BLOCK.

        With the generator's own sampler, they are the images of its signature `generate`.
        """
        if self.derived is None and self.sampler is None:
            label = {"label": tf.constant(self._labels(start))} if self.description.labels else {}
            outputs = self.signatures["generate"](
                **self._stretch(start), temperature=tf.constant(self.section.temperature, tf.float32), **label
            )
            numbers = outputs["labels"].numpy() if self.description.labels else np.full(BLOCK, DRAWN, np.int64)
            return ImageBlock(outputs["images"].numpy(), outputs["codes"].numpy(), numbers)
        codes, numbers = self._codes(start)
        labels = {"labels": tf.constant(numbers)} if self.description.labels else {}
        images = self.signatures["decode"](codes=tf.constant(codes), **labels)["images"].numpy()
        return ImageBlock(images, codes, numbers)

    def _codes(self, start: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return codes that are derived, or drawn by another sampler than the generator's own; and labels' numbers."""
        if self.derived is not None:
            return self.derived.codes(self.section.seed, start), self.derived.numbers(start)
        from components.latents.noise import sampled_codes, seeded_labels

        assert self.sampler is not None
        stretch, numbers = self._stretch(start), self._labels(start)
        if (numbers == DRAWN).any() and self.description.labels:
            drawn = seeded_labels(**stretch, shares=self.description.label_shares).numpy()
            numbers = np.where(numbers == DRAWN, drawn, numbers)
        codes = sampled_codes(
            self.sampler,
            **stretch,
            latent_dim=self.description.latent_dim,
            labels=tf.constant(numbers) if self.description.labels else None,
            temperature=tf.constant(self.section.temperature, tf.float32),
        )
        return np.asarray(codes), numbers

    def _labels(self, start: int) -> NDArray[np.int64]:
        if not self.description.labels:
            return np.full(BLOCK, DRAWN, np.int64)
        return labels_of_block(self.section, self.trained_labels, start=start)

    def _stretch(self, start: int) -> dict[str, Any]:
        constant, int64 = tf.constant, tf.int64
        return {"seed": constant(self.section.seed, int64), "start": constant(start, int64), "count": constant(BLOCK)}


def read_sampler(generator: Generator, kind: str) -> CodeSampler:
    """Read one of a generator's samplers of codes.

    Raises:
        UsageError: The generator has no sampler of this kind.
        DataError: The file cannot be read.
    """
    from components.latents import sampler_file  # loads Keras, which takes seconds and is seldom needed

    description = generator.describe()
    kinds = description.sampler, *description.other_samplers
    if kind not in kinds:
        raise UsageError(
            f"generate.sampler: expected a sampler that the generator has ({', '.join(kinds)}), found {kind}"
        )
    return sampler_file.read_sampler(generator.sampler_path(kind))


def calibration_of(generator: Generator, kind: str) -> Calibration:
    """Return the statistics of one of a generator's samplers. Raises what `read_sampler` raises."""
    description = generator.describe()
    sampler = read_sampler(generator, kind)
    return Calibration(sampler, latent_dim=description.latent_dim, labelled=bool(description.labels))
