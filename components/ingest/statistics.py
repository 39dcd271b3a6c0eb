"""The statistics of Examples: shapes, counts, moments, sizes, and anomalies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from components.ingest.anomalies import anomalies
from components.ingest.catalogue import Catalogue
from components.ingest.facts import Facts, SplitFacts, fitting_size
from components.ingest.findings import Findings
from components.ingest.normalise import constants, moments
from components.ingest.shards import ShardResult
from schemas.artifacts.records import SPLITS, Moments, Sizes, Statistics
from schemas.errors import DataError
from schemas.recipe.preprocess import PreprocessSettings


def statistics_of(
    shards: list[ShardResult],
    catalogue: Catalogue,
    preprocess: PreprocessSettings,
    *,
    labels: list[str],
    findings: Findings,
) -> Statistics:
    """Compute the statistics of all shards.

    Args:
        shards: The workers' numbers.
        catalogue: All images.
        preprocess: The recipe's settings.
        labels: All labels, in their order.
        findings: Of the sources.

    Raises:
        DataError: There is nothing to train on.
    """
    by_split = {split: [shard for shard in shards if shard.split == split] for split in SPLITS}
    if not sum(shard.pixels for shard in by_split["train"]):
        raise DataError("sources: expected images to train on, found none outside the test split")
    images = {split: sum(shard.images for shard in of_split) for split, of_split in by_split.items()}
    filled = [split for split in SPLITS if images[split]]
    split_moments = {split: moments(by_split[split], channels=preprocess.channels) for split in filled}
    train_mean, train_deviation = split_moments["train"]
    mean, deviation = constants(preprocess, mean=train_mean, deviation=train_deviation)
    sizes = {split: catalogue.sizes(split) for split in filled}
    per_label = {
        split: {label: sum(shard.labels.get(label, 0) for shard in of_split) for label in labels}
        for split, of_split in by_split.items()
    }
    rejected = dict(sorted(catalogue.reasons().items()))
    widths, heights = (np.concatenate([pair[side] for pair in sizes.values()]) for side in (0, 1))
    height, width = preprocess.uncropped_height, preprocess.uncropped_width
    facts = Facts(
        height=height,
        width=width,
        channels=preprocess.channels,
        splits={
            split: SplitFacts(
                images=images[split],
                images_per_label=per_label[split],
                mean=split_moments[split][0] if split in split_moments else [0.0],
                deviation=split_moments[split][1] if split in split_moments else [0.0],
            )
            for split in SPLITS
        },
        smaller=int(np.count_nonzero((widths < width) | (heights < height))),
        fitting=fitting_size(heights, widths, height=height, width=width),
        grey=sum(shard.grey for shard in shards),
        profiles_ignored=sum(shard.profiles_ignored for shard in shards),
        animated=sum(shard.animated for shard in shards),
        frames_unused=sum(shard.frames_unused for shard in shards),
        distinct=findings.distinct,
        dropped=catalogue.dropped(),
        largest_group=catalogue.largest_group,
        rejected=rejected,
        findings=findings,
    )
    return Statistics(
        height=preprocess.height,
        width=preprocess.width,
        channels=preprocess.channels,
        stored_height=preprocess.stored_height,
        stored_width=preprocess.stored_width,
        store=preprocess.store,
        normalise=preprocess.normalise,
        mean=mean,
        deviation=deviation,
        train_mean=train_mean,
        train_deviation=train_deviation,
        labels=labels,
        images=images,
        records={split: sum(shard.records for shard in of_split) for split, of_split in by_split.items()},
        images_per_label=per_label,
        rejected=rejected,
        duplicates=catalogue.dropped(),
        sizes={
            split: Sizes(width=_spread(widths), height=_spread(heights)) for split, (widths, heights) in sizes.items()
        },
        moments={split: Moments(mean=mean, deviation=deviation) for split, (mean, deviation) in split_moments.items()},
        anomalies=[anomaly.text for anomaly in anomalies(facts)],
        two_labels=sum(findings.two_labels.values()),
        beside=catalogue.beside(),
        left_out={reason: count for reason, (count, _) in findings.left_out.items()},
    )


def _spread(values: NDArray[np.int32]) -> tuple[int, int, int]:
    """Return the smallest value, the median (the lower of two) and the largest."""
    ordered = np.sort(values)
    return int(ordered[0]), int(ordered[(len(ordered) - 1) // 2]), int(ordered[-1])
