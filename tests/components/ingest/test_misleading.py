"""What the sources say that would mislead training is reported in plain words, and nothing where they say nothing."""

from __future__ import annotations

from typing import Any

import pytest
from helpers.facts_by_hand import OF_SOURCES, facts, texts

from components.ingest.anomalies import Anomaly, Kind, anomalies
from components.ingest.findings import Findings

CASES = [
    (
        Kind.VANISHED_CLASS,
        {"dropped": 3, "findings": Findings(vanished={"hat": (3, ("cap",))})},
        {"dropped": 3},
        "The class `hat` is gone: all of its 3 images have the same bytes as others under `cap`, which were kept.",
    ),
    (
        Kind.VANISHED_CLASS,
        {"dropped": 1, "findings": Findings(vanished={"hat": (1, (None,))})},
        {"dropped": 1},
        "The class `hat` is gone: its only image has the same bytes as others under no label, which were kept.",
    ),
    (
        Kind.VANISHED_CLASS,
        {"findings": Findings(vanished={"hat": (3, ("cap",)), "shoe": (1_000, ("boot", "cap"))})},
        {},
        "2 classes are gone, because all of their images have the same bytes as others, which were kept: "
        "`hat` (3) and `shoe` (1,000).",
    ),
    (
        Kind.TWO_LABELS,
        {"dropped": 2, "findings": Findings(two_labels={("early", "late"): 2})},
        {"dropped": 2},
        "2 images stand under two labels, `early` and `late`; each was kept once, under one of them: duplicates.parquet "
        "has both names.",
    ),
    (
        Kind.TWO_LABELS,
        {"findings": Findings(two_labels={("early", "late"): 1})},
        {},
        "1 image stands under two labels, `early` and `late`; each was kept under all of them: its rows in images.parquet "
        "have the same sha256.",
    ),
    (
        Kind.TWO_LABELS,
        {
            "dropped": 9,
            "findings": Findings(two_labels={("a", "b"): 5, ("a", "b", "c"): 2, ("b", "c"): 1, ("c", "d"): 1}),
        },
        {"dropped": 9},
        "9 images stand under several labels, `a` and `b` (5), `a`, `b` and `c` (2), `b` and `c` (1) and 1 more; each was "
        "kept once, under one of them: duplicates.parquet has both names.",
    ),
    (
        Kind.UNLABELLED,
        {"findings": Findings(unlabelled=(6, "p/0009.png"))},
        {},
        "6 of 70,000 images have no label, where the others have one: the first is p/0009.png. A conditional model needs a "
        "label for every image.",
    ),
    (
        Kind.UNUSED,
        {"findings": Findings(unused=["The folders test, train name splits, which the recipe does not use."])},
        {},
        "The folders test, train name splits, which the recipe does not use.",
    ),
    (
        Kind.OWN_SPLITS,
        {"findings": Findings(moved={("train", "test"): 12})},
        {},
        "12 images of the source's own train split are near-duplicates of images of its test split, and were put there.",
    ),
    (
        Kind.OWN_SPLITS,
        {"findings": Findings(straddling=3)},
        {},
        "3 images are in two of the source's own splits or more, with the same bytes: what is measured on the others was "
        "partly trained on. preprocess.duplicates=drop keeps each once.",
    ),
    (
        Kind.OWN_SPLITS,
        {"findings": Findings(refilled={"test": 6})},
        {},
        "The source has test images of its own, but none of them could be used: 6 other images became the test split.",
    ),
    (
        Kind.MODERN,
        {"findings": Findings(modern={"a JPEG XL image: convert it, such as to PNG": 12})},
        {},
        "12 files could not be read, each a JPEG XL image: convert it, such as to PNG.",
    ),
    (
        Kind.LEFT_OUT,
        {"findings": Findings(left_out={"a link to a folder": (1_200, "photos/old")})},
        {},
        "Not looked at, a link to a folder: 1,200, the first is photos/old.",
    ),
    (
        Kind.LEFT_OUT,
        {"findings": Findings(left_out={"a folder that cannot be entered": (1, "photos/private")})},
        {},
        "Not looked at, a folder that cannot be entered: photos/private.",
    ),
]


@pytest.mark.parametrize(("kind", "odd", "well", "text"), CASES)
def test_a_sentence_is_there_where_the_sources_say_so_and_not_otherwise(
    kind: Kind, odd: dict[str, Any], well: dict[str, Any], text: str
) -> None:
    assert Anomaly(kind, text) in anomalies(facts(**odd))
    assert text not in texts(facts(**well))
    assert kind not in {anomaly.kind for anomaly in anomalies(facts(**well))}


def test_every_kind_that_the_sources_tell_is_tested() -> None:
    assert {kind for kind, *_ in CASES} == OF_SOURCES
