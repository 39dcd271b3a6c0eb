"""Measurements and judgements without images, for tests of what a report says of them. No test is here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from components.evaluate.reconstruction.measure import Measurement
from components.evaluate.reconstruction.moments import Estimate
from components.evaluate.samples.judgement import Judgement
from components.evaluate.samples.quality import Judged, Quality, Worth
from models.code_samplers import Normal


def measured(variances: Sequence[float], **fields: Any) -> Measurement:
    """Return a measurement of a model whose codes' means have these variances, one for each dimension."""
    no_images = np.zeros((0, 8, 8, 1), np.float32)
    usual: dict[str, Any] = {
        "images": 300,
        "estimates": {"ssim": Estimate(0.7, 0.001), "psnr": Estimate(17.66, 0.02)},
        "mean_variance": np.asarray(variances),
        "codes": np.zeros((0, len(variances)), np.float32),
        "code_labels": np.zeros(0, np.int64),
        "originals": no_images,
        "reconstructions": no_images,
        "labels": np.zeros(0, np.int64),
    }
    return Measurement(**{**usual, **fields})


def judged(*, latent_dim: int = 2, **parts: Any) -> Judgement:
    """Return a judgement without any parts but these."""
    left_out = dict.fromkeys(("samplers", "quality", "compared", "usefulness", "memorisation"), "it was not asked for")
    return Judgement(**{"sampler": Normal(latent_dim), "space": "", **left_out, **parts})


def quality_of(**blurs: tuple[float | None, float | None]) -> Quality:
    """Return the quality by measures of these names: the blurs that new images and reconstructions are worth, in pixels."""
    return Quality(
        450,
        tuple(
            Judged(
                name=name,
                doc=f"what {name} compares",
                floor=0.1,
                steps={"blur": (1.0, 2.0, 3.0, 4.0, 5.0), "noise": (0.2, 0.15, 0.3)},
                ordered={"blur": new is not None, "noise": False},
                new=Worth(1.5, new),
                reconstructed=Worth(1.25, reconstructed),
            )
            for name, (new, reconstructed) in blurs.items()
        ),
    )
