"""What an artifact holds, in words that a person would write."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.core.contents import contents, place
from schemas.artifacts.kinds import Examples, Model, ModelEvaluation
from schemas.artifacts.manifest import Manifest


def manifest(kind: str, counts: dict[str, int]) -> Manifest:
    nothing = {"inputs": {}, "settings": {}, "files": {}, "recipe": {}, "versions": {}}
    fields = {"type": kind, "digest": "12ab", "counts": counts, "duration_seconds": 0.0, "created": "today", **nothing}
    return Manifest.model_validate(fields)


@pytest.mark.parametrize(
    ("kind", "counts", "words"),
    [
        (
            "Examples",
            {"train": 4000, "validation": 500, "test": 500, "rejected": 0, "duplicates": 0},
            "4,000 train, 500 validation and 500 test images",
        ),
        (
            "Examples",
            {"train": 4, "validation": 1, "test": 1, "rejected": 3, "duplicates": 2},
            "4 train, 1 validation and 1 test images; 3 rejected, 2 left out as duplicates",
        ),
        ("HyperParameters", {"trials": 3, "failed": 0, "ended_early": 0}, "3 trials"),
        ("HyperParameters", {"trials": 9, "failed": 1, "ended_early": 4}, "9 trials, 1 failed, 4 ended early"),
        ("Model", {"epochs": 4, "best_epoch": 4, "weights": 72961}, "4 epochs, of which the last was the best; 72,961 weights"),
        ("Model", {"epochs": 16, "best_epoch": 12, "weights": 9}, "16 epochs, of which number 12 was the best; 9 weights"),
        ("Model", {"epochs": 1, "best_epoch": 1, "weights": 9}, "1 epoch; 9 weights"),
        ("ModelEvaluation", {"test_images": 1}, "measured on 1 test image"),
        (
            "Generator",
            {"saved_model_bytes": 1_200_000, "onnx_bytes": 400_000, "latent_dim": 8},
            "SavedModel 1.2 MB, ONNX 0.4 MB; codes of 8 numbers",
        ),
        ("ImageSet", {"images": 1000}, "1,000 images"),
        (
            "ImageSet",
            {"images": 1000, "near_copies_dropped": 0, "unlikely_dropped": 9},
            "1,000 images; 9 unlikely ones replaced by others",
        ),
        ("ImageSet", {"images": 1, "of_another_version": 7}, "1 image; 7 of another version"),
    ],
)  # fmt: skip
def test_what_an_artifact_holds(kind: str, counts: dict[str, int], words: str) -> None:
    assert contents(manifest(kind, counts)) == words


def test_a_place_names_the_file_to_look_at() -> None:
    assert place(Examples(Path("runs/a/examples"))) == "runs/a/examples; look at its contact_sheet.png"
    assert place(ModelEvaluation(Path("e"))) == "e; open e/report.html in a browser"
    assert place(Model(Path("m"))) == "m"
