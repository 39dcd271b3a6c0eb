"""Figures of several runs: which is best, whether that is more than chance, and what cannot be compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from helpers.by_hand import write_recipe
from helpers.runs_by_hand import figure, write_run

from pipeline.tools.compare.command import summarise
from pipeline.tools.compare.metrics import Row, compare
from pipeline.tools.compare.runs import Run, read_runs
from schemas.recipe.recipe import Recipe


def mse(recipe: Recipe) -> Recipe:
    """Return the same recipe with another likelihood."""
    return Recipe.model_validate({**recipe.model_dump(mode="json"), "loss": {"likelihood": "mse"}})


class Shelf:
    """A folder of runs, which grows."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.names = folder, list[str]()
        self.recipe = write_recipe(folder, "any")

    def add(self, name: str, recipe: Recipe | None = None, **content: Any) -> None:
        write_run(self.folder / name, recipe or self.recipe, **content)
        self.names.append(name)

    def runs(self) -> list[Run]:
        return read_runs(self.names, runs=self.folder)

    def row(self, key: str) -> Row:
        return next(row for group in compare(self.runs()) for row in group.rows if row.key == key)

    def marks(self, key: str) -> list[str]:
        return [cell.mark for cell in self.row(key).verdict.cells]


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


@pytest.mark.parametrize(
    ("first", "second", "better", "marks", "ranking"),
    [
        # 2 · sqrt(0.03² + 0.04²) = 0.1
        ((0.50, 0.03), (0.61, 0.04), "higher", ["behind", "best"], "b is best, ahead of a by 0.110, more than its"),
        ((0.50, 0.03), (0.59, 0.04), "higher", ["level", "first"], "No clear best: b is ahead of a by 0.0900, no more"),
        ((0.50, 0.03), (0.61, 0.04), "lower", ["best", "behind"], "a is best"),
        ((0.50, None), (0.61, 0.04), "higher", ["after", "first"], "whose uncertainty is not known"),
        ((0.50, 0.03), (0.50, 0.04), "higher", ["same", "same"], "The same."),
    ],
)
def test_a_difference_counts_where_it_is_larger_than_its_uncertainty(
    shelf: Shelf, first: Any, second: Any, better: str, marks: list[str], ranking: str
) -> None:
    shelf.add("a", metrics={"ssim": figure(*first, better=better)})
    shelf.add("b", metrics={"ssim": figure(*second, better=better)})
    assert shelf.marks("metrics.ssim") == marks
    assert ranking in shelf.row("metrics.ssim").verdict.ranking


def test_one_that_is_level_with_the_first_keeps_it_from_being_best(shelf: Shelf) -> None:
    for name, value, error in (("a", 3.0, 0.1), ("b", 2.0, 0.1), ("c", 1.9, 1.0)):
        shelf.add(name, metrics={"elbo": figure(value, error)})
    assert shelf.marks("metrics.elbo") == ["first", "behind", "level"]
    assert shelf.row("metrics.elbo").verdict.ranking.startswith("No clear best: a is ahead of c by 1.10")


def test_elbos_of_two_likelihoods_are_not_ranked_and_the_likeness_is(shelf: Shelf) -> None:
    metrics = {"elbo": figure(-100.0, 1.0), "bits_per_dim": figure(3.0, 0.1), "ssim": figure(0.5, 0.001)}
    shelf.add("a", metrics=metrics)
    shelf.add("b", mse(shelf.recipe), metrics=metrics)
    for key in ("metrics.elbo", "metrics.bits_per_dim"):
        assert shelf.marks(key) == ["", ""]
        assert shelf.row(key).verdict.caveat == "Cannot be compared: other likelihood (bernoulli, mse)."
    assert shelf.marks("metrics.ssim") == ["same", "same"]


def test_nothing_is_ranked_on_other_test_images(shelf: Shelf) -> None:
    shelf.add("a", test=range(12))
    shelf.add("b", test=range(1, 13))
    assert shelf.marks("metrics.ssim") == ["", ""]
    assert shelf.row("metrics.ssim").verdict.caveat == "Cannot be compared: other test images."
    assert summarise(shelf.runs(), compare(shelf.runs())) == "No figure ranks these runs: they differ in test images."


def test_other_examples_with_the_same_test_images_are_ranked(shelf: Shelf) -> None:
    shelf.add("a", train=[100, 101])
    shelf.add("b", train=[200])
    assert shelf.marks("metrics.ssim") == ["same", "same"]


def test_of_three_those_are_ranked_that_can_be_compared(shelf: Shelf) -> None:
    shelf.add("a", metrics={"ssim": figure(0.5, 0.01)})
    shelf.add("b", metrics={"ssim": figure(0.9, 0.01)})
    shelf.add("c", metrics={"ssim": figure(0.99, 0.01)}, test=range(5))
    assert shelf.marks("metrics.ssim") == ["behind", "best", ""]
    verdict = shelf.row("metrics.ssim").verdict
    assert verdict.ranking.startswith("Of a and b: b is best, ahead of a by 0.400")
    assert verdict.caveat == "c cannot be compared with the others: other test images."
    summary = summarise(shelf.runs(), compare(shelf.runs()))
    assert summary.startswith("Best by more than the uncertainty: b in 1 figure. ")
    assert summary.endswith("Some figures cannot be compared: the runs differ in test images.")


def test_a_lower_kl_is_not_called_better(shelf: Shelf) -> None:
    for name, value in (("a", 5.0), ("b", 9.0)):
        shelf.add(name, metrics={"kl": figure(value, 0.1, better="lower")})
    assert shelf.marks("metrics.kl") == ["", ""]
    assert shelf.row("metrics.kl").verdict.ranking.startswith("They differ by 4.00, more than its uncertainty of 0.28.")


def space(frechet: float, *, network: str = "ab" * 32, images: int = 12) -> dict[str, Any]:
    kernel = {"value": frechet / 10, "low": frechet / 10 - 0.0196, "high": frechet / 10 + 0.0196}
    synthetic = {"frechet": frechet, "kernel": kernel, "precision": 0.5}
    return {"network_sha256": network, "images": images, "neighbours": 5, "synthetic": synthetic}


def test_distances_are_ranked_in_the_same_features_only(shelf: Shelf) -> None:
    shelf.add("a", distances={"random": space(2.0), "classifier": space(2.0)})
    shelf.add("b", distances={"random": space(1.0), "classifier": space(1.0, network="cd" * 32)})
    assert shelf.marks("distances.random.frechet") == ["after", "first"]  # it has no standard error
    assert shelf.marks("distances.random.kernel") == ["behind", "best"]  # its interval is one of 95%
    assert shelf.marks("distances.random.precision") == ["same", "same"]
    assert shelf.marks("distances.classifier.frechet") == ["", ""]
    assert shelf.row("distances.classifier.frechet").verdict.caveat == "Cannot be compared: other feature network."


def test_distances_of_another_number_of_images_are_not_ranked(shelf: Shelf) -> None:
    shelf.add("a", distances={"random": space(2.0)})
    shelf.add("b", distances={"random": space(1.0, images=6000)})
    assert "other number of images (12, 6,000)" in shelf.row("distances.random.frechet").verdict.caveat


def test_an_unmeasured_figure_has_its_reason(shelf: Shelf) -> None:
    shelf.add("a", distances={"random": space(2.0)}, metrics={"ssim": figure(0.5, 0.1), "elbo": figure(1.0, 0.1)})
    shelf.add("b", distances={"left_out": "evaluate.distance_images is 0"})
    assert shelf.row("distances.random.frechet").verdict.caveat == "Not measured for b: evaluate.distance_images is 0."
    assert shelf.row("metrics.elbo").verdict.caveat == "Not measured for b."
    assert [cell.number for cell in shelf.row("metrics.elbo").verdict.cells] == ["1.00", "–"]


def test_accuracies_have_the_error_of_a_share_of_the_test_images(shelf: Shelf) -> None:
    for name, accuracy in (("a", 0.5), ("b", 0.6)):
        useful = {"synthetic": accuracy, "ratio": accuracy, "test_images": 100}
        shelf.add(name, usefulness=useful)
    assert shelf.row("usefulness.synthetic").verdict.cells[0].spread == "0.050"
    assert shelf.marks("usefulness.synthetic") == ["level", "first"]
    assert shelf.marks("usefulness.ratio") == ["after", "first"]


def test_gains_beside_few_real_images_have_the_error_of_their_interval(shelf: Shelf) -> None:
    for name, value in (("a", 0.1), ("b", 0.3)):
        gain = {"new": {"value": value, "low": value - 0.0196, "high": value + 0.0196}}
        shelf.add(name, usefulness={"low_data": {"sizes": {"10": {"gain": gain}}}})
    shelf.add("c", usefulness={"low_data": {"sizes": {"10": {"left_out": "there are fewer"}}}})
    key = "usefulness.low_data.sizes.10.gain.new"
    assert shelf.marks(key) == ["behind", "best", ""]
    assert shelf.row(key).verdict.cells[0].spread == "0.010"
    assert "there are fewer" in shelf.row(key).verdict.caveat


def test_a_model_that_was_flagged_is_named(shelf: Shelf) -> None:
    for name, near in (("a", 0), ("b", 3)):
        shelf.add(name, memorisation={"near": near, "near_held_out": 0, "images": 12, "flagged": near > 0})
    assert shelf.row("memorisation.near").verdict.ranking == (
        "Flagged as memorised: b. Held-out images that are as close: 0 of 12 for a, 0 of 12 for b."
    )
