"""How a search resumes after a kill. Candidates are judged by a formula: the claims do not depend on networks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.search_by_formula import Killed, judge_by_formula, results

from components.tune.component import tune
from schemas.artifacts.kinds import Examples, HyperParameters
from schemas.recipe.settings import TuneSettings

MakeSettings = Callable[..., TuneSettings]
Open = Callable[[Path], HyperParameters]
EPOCHS = 3
TRIALS = 8  # bayesian draws six at random and then asks a Gaussian process


@pytest.fixture(scope="module")
def undisturbed(
    tiny_examples: Examples,
    make_settings: MakeSettings,
    open_hyperparameters: Open,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, tuple[bytes, bytes]]:
    """Return the results of searches that are not interrupted, by oracle."""
    by_oracle = {}
    for oracle in ("random", "bayesian"):
        hyperparameters = open_hyperparameters(tmp_path_factory.mktemp(oracle))
        with pytest.MonkeyPatch.context() as patch:
            judge_by_formula(patch)
            tune(tiny_examples, hyperparameters, make_settings(oracle=oracle, max_trials=TRIALS, epochs=EPOCHS))
        by_oracle[oracle] = results(hyperparameters)
    return by_oracle


@pytest.mark.parametrize(
    ("oracle", "killed_in", "cut"),
    [
        ("random", 1, False),
        ("random", 2, True),
        ("random", TRIALS, False),
        ("bayesian", 3, True),
        ("bayesian", TRIALS - 1, False),
        ("bayesian", TRIALS, False),
    ],
)
def test_a_search_killed_inside_a_trial_ends_like_one_that_was_not(
    oracle: str,
    killed_in: int,
    cut: bool,
    undisturbed: dict[str, tuple[bytes, bytes]],
    tiny_examples: Examples,
    make_settings: MakeSettings,
    open_hyperparameters: Open,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = make_settings(oracle=oracle, max_trials=TRIALS, epochs=EPOCHS)
    hyperparameters = open_hyperparameters(tmp_path)
    judge_by_formula(monkeypatch, killed_in=killed_in)
    with pytest.raises(Killed):
        tune(tiny_examples, hyperparameters, settings)
    if cut:  # a disk that lost the end of a file
        path = hyperparameters.work / "search.json"
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    again = judge_by_formula(monkeypatch)
    tune(tiny_examples, hyperparameters, settings)
    assert len(again) == TRIALS - (killed_in - 1)  # finished trials are not done again
    assert results(hyperparameters) == undisturbed[oracle]


def test_a_search_killed_before_its_results_were_written_tries_nothing_again(
    tiny_examples: Examples,
    make_settings: MakeSettings,
    open_hyperparameters: Open,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hyperparameters = open_hyperparameters(tmp_path)
    judge_by_formula(monkeypatch)
    tune(tiny_examples, hyperparameters, make_settings())
    before = results(hyperparameters)
    hyperparameters.best_path.unlink()
    hyperparameters.trials_path.unlink()
    assert judge_by_formula(monkeypatch) == []
    tune(tiny_examples, hyperparameters, make_settings())
    assert results(hyperparameters) == before
