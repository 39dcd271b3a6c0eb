"""A generator at work: its SavedModel, asked a block at a time. Loads TensorFlow."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.engine.device import prepare_device
from components.generate.calibration import Calibration
from components.generate.given import Given
from components.generate.labels import DRAWN, labels_of_block
from schemas.artifacts.kinds import Generator
from schemas.errors import UsageError
from schemas.recipe.generate import BLOCK, GenerateSection

if TYPE_CHECKING:
    from models.code_samplers import CodeSampler


@dataclass(frozen=True)
class Made:
    """A block of images.

    Attributes:
        images: [BLOCK, H, W, C], uint8.
        codes: [BLOCK, D].
        numbers: Labels' numbers, -1: none: [BLOCK].
    """

    images: NDArray[np.uint8]
    codes: NDArray[np.float32]
    numbers: NDArray[np.int64]


class LoadedGenerator:
    """Makes any block of a set; the same one, whoever asks.

    Args:
        generator: With its SavedModel.
        wanted: The recipe's `generate` section.
        given: Codes that are given; none: they are drawn.
        drawn: Whether any are.
    """

    def __init__(
        self, generator: Generator, wanted: GenerateSection, *, given: Given | None = None, drawn: bool = True
    ) -> None:
        try:
            prepare_device()
            # One thread an operation: sums are then added in one order, whatever the number of workers or cores.
            tf.config.threading.set_intra_op_parallelism_threads(1)
            tf.config.threading.set_inter_op_parallelism_threads(os.cpu_count() or 1)
        except RuntimeError:
            pass  # TensorFlow is already at work in this process: another worker has done this
        self.about = generator.describe()
        self.wanted, self.given = wanted, given
        self.module = tf.saved_model.load(str(generator.saved_model_path))  # it holds the weights
        self.signatures = self.module.signatures
        self.kind = self.about.sampler if wanted.sampler == "auto" else wanted.sampler
        other = drawn and given is None and self.kind != self.about.sampler
        self.sampler = read_sampler(generator, self.kind) if other else None

    def encode(self, images: NDArray[np.uint8], numbers: NDArray[np.int64]) -> NDArray[np.float32]:
        """Means of the posteriors of a block's codes: [BLOCK, D]."""
        asked = {"labels": tf.constant(numbers)} if self.about.labels else {}
        found: NDArray[np.float32] = self.signatures["encode"](images=tf.constant(images), **asked)["mean"].numpy()
        return found

    def make(self, start: int) -> Made:
        """The images start to start + BLOCK.

        Drawn by the generator's own sampler, they are what its signature `generate` makes.
        """
        if self.given is None and self.sampler is None:
            asked = {"label": tf.constant(self._labels(start))} if self.about.labels else {}
            found = self.signatures["generate"](
                **self._stretch(start), temperature=tf.constant(self.wanted.temperature, tf.float32), **asked
            )
            numbers = found["labels"].numpy() if self.about.labels else np.full(BLOCK, DRAWN, np.int64)
            return Made(found["images"].numpy(), found["codes"].numpy(), numbers)
        codes, numbers = self._codes(start)
        asked = {"labels": tf.constant(numbers)} if self.about.labels else {}
        return Made(self.signatures["decode"](codes=tf.constant(codes), **asked)["images"].numpy(), codes, numbers)

    def _codes(self, start: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Codes that are given, or drawn by another sampler than the generator's own; and numbers of labels."""
        if self.given is not None:
            return self.given.codes(self.wanted.seed, start), self.given.numbers(start)
        from components.latents.noise import sampled_codes, seeded_labels

        stretch, numbers = self._stretch(start), self._labels(start)
        if (numbers == DRAWN).any() and self.about.labels:
            drawn = seeded_labels(**stretch, shares=self.about.label_shares).numpy()
            numbers = np.where(numbers == DRAWN, drawn, numbers)
        codes = sampled_codes(
            self.sampler,
            **stretch,
            latent_dim=self.about.latent_dim,
            labels=tf.constant(numbers) if self.about.labels else None,
            temperature=tf.constant(self.wanted.temperature, tf.float32),
        )
        return np.asarray(codes), numbers

    def _labels(self, start: int) -> NDArray[np.int64]:
        if not self.about.labels:
            return np.full(BLOCK, DRAWN, np.int64)
        return labels_of_block(self.wanted, self.about.labels, start=start)

    def _stretch(self, start: int) -> dict[str, Any]:
        constant, int64 = tf.constant, tf.int64
        return {"seed": constant(self.wanted.seed, int64), "start": constant(start, int64), "count": constant(BLOCK)}


def read_sampler(generator: Generator, kind: str) -> CodeSampler:
    """A sampler of codes that lies beside the generator.

    Raises:
        UsageError: There is none of this kind.
        DataError: The file holds something else.
    """
    from components.latents import sampler_file  # loads Keras, which takes its time and mostly is not needed

    about = generator.describe()
    if kind not in (about.sampler, *about.other_samplers):
        found = ", ".join([about.sampler, *about.other_samplers])
        raise UsageError(f"generate.sampler: expected one that the generator has ({found}), found {kind}")
    return sampler_file.read_sampler(generator.sampler_path(kind))


def calibration_of(generator: Generator, kind: str) -> Calibration:
    """Codes of one of a generator's samplers. As `read_sampler`."""
    about = generator.describe()
    return Calibration(read_sampler(generator, kind), latent_dim=about.latent_dim, labelled=bool(about.labels))
