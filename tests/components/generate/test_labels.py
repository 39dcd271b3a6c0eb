"""Labels of the images of a conditional generator, in the table and in Parquet files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.table_rows import table_rows

from schemas.artifacts.kinds import Generator, ImageSet
from schemas.errors import UsageError
from schemas.recipe.generate import GenerateSection

MakeImages = Callable[..., ImageSet]
LABELS = {"left": 3, "right": 1}
COUNT = 300


def test_by_default_labels_are_drawn_by_their_shares_in_training(
    make_images: MakeImages, conditional: Generator, tmp_path: Path
) -> None:
    rows = table_rows(make_images(tmp_path, of=conditional, count=COUNT).metadata_path)
    counts = Counter(row["label"] for row in rows)
    assert set(counts) == set(LABELS)
    assert counts["left"] / COUNT == pytest.approx(0.75, abs=5 * (0.75 * 0.25 / COUNT) ** 0.5)


def test_every_image_has_the_label_of_the_recipe(
    make_images: MakeImages, conditional: Generator, tmp_path: Path
) -> None:
    sets = {
        label: table_rows(make_images(tmp_path / label, of=conditional, label=label).metadata_path) for label in LABELS
    }
    for label, rows in sets.items():
        assert {row["label"] for row in rows} == {label}
    left, right = sets.values()
    assert [row["code"] for row in left] == [row["code"] for row in right]
    assert {row["sha256"] for row in left}.isdisjoint(row["sha256"] for row in right)


def test_parquet_files_have_the_labels_of_the_table(
    make_images: MakeImages, conditional: Generator, tmp_path: Path
) -> None:
    images = make_images(tmp_path, of=conditional, count=COUNT, format="parquet", shards=2)
    in_files = [
        (row["index"], row["label"])
        for path in sorted((images.path / "data").iterdir())
        for row in pq.read_table(path, columns=["index", "label"]).to_pylist()
    ]
    assert in_files == [(row["index"], row["label"]) for row in table_rows(images.metadata_path)]


def test_an_image_has_the_same_label_in_a_larger_set(
    make_images: MakeImages, conditional: Generator, tmp_path: Path
) -> None:
    small = table_rows(make_images(tmp_path / "small", of=conditional, count=10).metadata_path)
    large = table_rows(make_images(tmp_path / "large", of=conditional, count=COUNT, shards=2).metadata_path)
    for name in ("label", "code", "sha256"):
        assert [row[name] for row in large[:10]] == [row[name] for row in small]


def test_balanced_labels_come_in_turn(make_images: MakeImages, conditional: Generator, tmp_path: Path) -> None:
    rows = table_rows(make_images(tmp_path, of=conditional, count=COUNT, labels="balanced").metadata_path)
    assert [row["label"] for row in rows] == list(LABELS) * (COUNT // 2)


def test_counted_labels_come_one_after_the_other(
    make_images: MakeImages, conditional: Generator, tmp_path: Path
) -> None:
    rows = table_rows(make_images(tmp_path / "all", of=conditional, labels={"right": 270, "left": 3}).metadata_path)
    assert [row["label"] for row in rows] == ["right"] * 270 + ["left"] * 3
    images = make_images(tmp_path / "some", of=conditional, labels={"right": 270, "left": 3}, indices="269-270")
    some = table_rows(images.metadata_path)
    assert some == [{**row, "file_name": one["file_name"]} for row, one in zip(rows[269:271], some, strict=True)]


def test_labels_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="labels: expected only one of label and labels, found both"):
        GenerateSection(label="left", labels="balanced")
    with pytest.raises(ValueError, match="indices: expected numbers below 3, the labels' sum, found 3"):
        GenerateSection(labels={"left": 3}, indices="3")


@pytest.mark.parametrize("labels", ["balanced", {"up": 3}])
def test_unknown_labels_are_refused(
    labels: object, make_images: MakeImages, conditional: Generator, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r"^generate\.labels: expected none, .*model\.conditional"):
        make_images(tmp_path / "plain", labels=labels)
    if labels != "balanced":
        with pytest.raises(UsageError, match=r"^generate\.labels: expected one of left, right, found up$"):
            make_images(tmp_path / "conditional", of=conditional, labels=labels)


@pytest.fixture(scope="module")
def with_untrained(make_generator: Callable[..., Generator], tmp_path_factory: pytest.TempPathFactory) -> Generator:
    """Return a generator of three labels; no training image had the one in the middle."""
    return make_generator(tmp_path_factory.mktemp("untrained"), labels={"left": 3, "rare": 0, "right": 1})


@pytest.mark.parametrize("setting", [{"label": "rare"}, {"labels": {"left": 1, "rare": 2}}])
def test_a_label_without_training_images_is_refused_like_an_unknown_one(
    setting: dict[str, Any], make_images: MakeImages, with_untrained: Generator, tmp_path: Path
) -> None:
    key = next(iter(setting))
    expected = rf"^generate\.{key}: expected one of left, right, found rare, which no training image has$"
    with pytest.raises(UsageError, match=expected):
        make_images(tmp_path, of=with_untrained, **setting)


def test_codes_with_a_label_without_training_images_are_refused(
    make_images: MakeImages, with_untrained: Generator, tmp_path: Path
) -> None:
    pq.write_table(pa.table({"code": [[0.0, 0.0, 0.0]], "label": ["rare"]}), tmp_path / "codes.parquet")
    with pytest.raises(
        UsageError, match=r"^generate\.codes: .* one of left, right, found rare, which no training image"
    ):
        make_images(tmp_path, of=with_untrained, codes=str(tmp_path / "codes.parquet"))


def test_balanced_leaves_out_labels_without_training_images_and_says_so(
    make_images: MakeImages, with_untrained: Generator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = table_rows(make_images(tmp_path, of=with_untrained, count=70, labels="balanced").metadata_path)
    assert [row["label"] for row in rows] == ["left", "right"] * 35
    assert "labels  balanced, without rare: no training image has it\n" in capsys.readouterr().out


def test_a_label_after_an_untrained_one_is_decoded_as_itself(
    make_images: MakeImages, with_untrained: Generator, tmp_path: Path
) -> None:
    balanced = table_rows(make_images(tmp_path / "all", of=with_untrained, count=4, labels="balanced").metadata_path)
    right = table_rows(make_images(tmp_path / "right", of=with_untrained, count=4, label="right").metadata_path)
    assert [row["sha256"] for row in balanced[1::2]] == [row["sha256"] for row in right[1::2]]


def test_balanced_with_filters_leaves_out_labels_without_training_images(
    make_images: MakeImages, with_untrained: Generator, tmp_path: Path
) -> None:
    images = make_images(tmp_path, of=with_untrained, count=10, labels="balanced", drop_unlikely=0.1)
    assert Counter(row["label"] for row in table_rows(images.metadata_path)) == {"left": 5, "right": 5}


def test_an_error_about_an_unknown_label_lists_the_labels(
    make_images: MakeImages, conditional: Generator, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r"^generate\.label: expected one of left, right, found up$"):
        make_images(tmp_path, of=conditional, label="up")


def test_a_label_of_an_unconditional_generator_is_an_error(make_images: MakeImages, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^generate\.label: expected none, .*model\.conditional.*, found left$"):
        make_images(tmp_path, label="left")
