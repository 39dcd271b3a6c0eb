"""Numbers of a set of images, for tests of what ingest says about them."""

from __future__ import annotations

from typing import Any

from components.ingest.anomalies import Kind, anomalies
from components.ingest.facts import Facts, SplitFacts

DIGITS = {str(digit): 5400 for digit in range(10)}
OF_SOURCES = {  # kinds of anomalies that only the sources tell, and no number of images
    Kind.VANISHED_CLASS,
    Kind.TWO_LABELS,
    Kind.UNLABELLED,
    Kind.UNUSED,
    Kind.OWN_SPLITS,
    Kind.MODERN,
    Kind.LEFT_OUT,
}


def split(images: int, labels: dict[str, int] | None = None, *, mean: float = 0.13, deviation: float = 0.31) -> Any:
    """Return a split of grey images; without labels all of its images are of ten classes alike."""
    per_label = dict.fromkeys(DIGITS, images // 10) if labels is None else labels
    return SplitFacts(images=images, images_per_label=per_label, mean=[mean], deviation=[deviation])


def facts(**others: Any) -> Facts:
    """Facts of a set like MNIST, where nothing is odd; `train`, `validation` and `test` replace a split."""
    splits = {"train": split(54_000), "validation": split(6_000), "test": split(10_000)}
    splits |= {name: others.pop(name) for name in list(splits) if name in others}
    fields: dict[str, Any] = {
        "height": 28,
        "width": 28,
        "channels": 1,
        "splits": splits,
        "smaller": 0,
        "fitting": (28, 28),
        "grey": 70_000,
        "distinct": 70_000,
        "dropped": 0,
        "largest_group": 1,
        "rejected": {},
    }
    return Facts(**{**fields, **others})


def texts(of_set: Facts) -> list[str]:
    """Return the sentences about a set."""
    return [anomaly.text for anomaly in anomalies(of_set)]
