"""What tests make by hand, of any layer. No test is here."""

from __future__ import annotations

from typing import Any

from schemas.records import Statistics


def describe(height: int = 8, width: int = 8, channels: int = 1, **others: Any) -> Statistics:
    """What Examples of such images say of themselves: uint8, unit scale, no labels, no images, no margin."""
    fields: dict[str, Any] = {
        "height": height,
        "width": width,
        "channels": channels,
        "stored_height": height,
        "stored_width": width,
        "store": "uint8",
        "normalise": "unit",
        "mean": [0.0] * channels,
        "deviation": [1.0] * channels,
        "train_mean": [0.5] * channels,
        "train_deviation": [0.3] * channels,
        "labels": [],
        "images": {"train": 0, "validation": 0, "test": 0},
        "images_per_label": {},
        "rejected": {},
    }
    fields |= {"records": others.get("images", fields["images"])}
    return Statistics(**{**fields, **others})
