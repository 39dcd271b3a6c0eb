"""The verdict of a search: the winner, the sentence, and each key's importance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from components.tune.importance import importance, position
from components.tune.verdict import verdict, winner_of
from schemas.recipe.search import Range

RATE = Range(low=1e-4, high=1e-2, log=True)
SPACE: dict[str, Any] = {"model.latent_dim": (2, 4, 8), "train.learning_rate": RATE}


def trial(number: int, elbo: float | None, *, latent_dim: int = 4, rate: float = 1e-3, epochs_run: int = 4) -> Any:
    """Return a row of the trials' table."""
    return {
        "trial": f"{number:02d}",
        "epochs": 4,
        "epochs_run": epochs_run,
        "val_elbo": elbo,
        "model.latent_dim": latent_dim,
        "train.learning_rate": rate,
    }


def trials(*elbos: float | None, **values: Any) -> list[Any]:
    """Rows with these ELBOs."""
    return [trial(number, elbo, **values) for number, elbo in enumerate(elbos)]


# --- the winner --------------------------------------------------------------------------------------------------------


def test_the_winner_is_the_best_of_those_that_ran_longest() -> None:
    rows = [trial(0, -90.0, epochs_run=1), trial(1, -101.0), trial(2, -100.0), trial(3, None)]
    assert winner_of(rows)["trial"] == "02"


# --- the sentence ------------------------------------------------------------------------------------------------------


def test_the_sentence_says_who_won_and_by_how_much() -> None:
    sentence = verdict(trials(-103.0, -100.5, -100.0, None), SPACE)
    assert sentence.startswith(
        "trial 02 won with model.latent_dim 4, train.learning_rate 0.001: validation ELBO -100.00 nats per image, "
        "0.50 above the second and 0.50 above the median of the 3 that ran as long; "
    )


def test_the_verdict_on_few_trials_does_not_ask_for_more() -> None:
    assert verdict(trials(-103.0), SPACE).endswith("finished trials: 1, too few to say whether more would help")


def test_a_search_that_still_finds_better_ones_should_go_on() -> None:
    sentence = verdict(trials(-110.0, -108.0, -106.0, -104.0, -102.0, -100.0), SPACE)
    assert sentence.endswith("more of it would likely help: its second half brought 6.00 nats")


def test_a_search_that_found_its_best_long_ago_can_end() -> None:
    sentence = verdict(trials(-104.0, -100.0, -106.0, -105.0, -103.0, -101.0), SPACE)
    assert sentence.endswith("more of it would likely bring little: its second half brought 0.00 nats")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"rate": 1.05e-4}, "train.learning_rate at the lower end of what was tried"),
        ({"rate": 9.9e-3}, "train.learning_rate at the upper end of what was tried"),
        ({"latent_dim": 8}, "model.latent_dim at the upper end of what was tried"),
    ],
)
def test_a_winner_at_the_end_of_a_range_asks_for_a_wider_one(values: dict[str, Any], expected: str) -> None:
    rows = [trial(0, -99.0, **values), *trials(*[-100.0] * 6)]
    assert verdict(rows, SPACE).endswith(f"a wider search would likely help: the winner has {expected}")


# --- what mattered -----------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def small_forest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fit a smaller forest: its size is no claim here."""
    monkeypatch.setattr("components.tune.importance.TREES", 100)
    monkeypatch.setattr("components.tune.importance.SHUFFLES", 10)


def sampled(count: int, *, by_rate: float, by_size: float, noise: float = 0.1) -> list[Any]:
    """Trials whose ELBO depends on the learning rate by `by_rate` nats, and on the latent size by `by_size`."""
    random = np.random.default_rng(0)
    rows = []
    for number in range(count):
        place, size = random.uniform(), int(random.integers(3))
        elbo = -100.0 + by_rate * place + by_size * size / 2 + noise * random.normal()
        rows.append(trial(number, elbo, rate=1e-4 * 100**place, latent_dim=2 ** (size + 1)))
    return rows


def test_the_key_that_mattered_has_the_larger_share() -> None:
    for more, less, nats in (
        ("train.learning_rate", "model.latent_dim", {"by_rate": 20.0, "by_size": 2.0}),
        ("model.latent_dim", "train.learning_rate", {"by_rate": 2.0, "by_size": 20.0}),
    ):
        shares = importance(sampled(30, **nats), SPACE)
        assert shares is not None
        assert importance(sampled(30, **nats), SPACE) == shares  # the same trials give the same shares
        assert list(shares) == [more, less]
        assert shares[more] > 0.8
        assert sum(shares.values()) == pytest.approx(1.0)


def test_importance_is_unknown_for_few_trials_and_for_noise() -> None:
    assert importance(sampled(9, by_rate=20.0, by_size=2.0), SPACE) is None
    assert importance(sampled(40, by_rate=0.0, by_size=0.0, noise=5.0), SPACE) is None
    assert importance(trials(*[-100.0] * 20), SPACE) is None


def test_no_key_gets_credit_for_a_trials_number_of_epochs() -> None:
    rows = sampled(30, by_rate=10.0, by_size=0.0)
    for row in rows[::2]:
        row["epochs_run"], row["val_elbo"] = 1, row["val_elbo"] - 200.0
    shares = importance(rows, SPACE)
    assert shares is not None
    assert shares["train.learning_rate"] > 0.5


@pytest.mark.parametrize(
    ("value", "values", "expected"),
    [
        (1e-3, RATE, 0.5),
        (3.0, Range(low=2, high=4), 0.5),
        (4, (2, 4, 8), 0.5),
        ([16], ([16], [512, 256]), 0.0),
        ("after", ("none", "before", "after"), 1.0),
        (0.001, ("1e-4", "1e-3"), 1.0),
        (None, (None, 0.5), 0.0),
        (7, (7,), 0.0),
    ],
)
def test_a_value_has_its_place_in_a_range_or_list(value: Any, values: Any, expected: float) -> None:
    assert position(value, values) == pytest.approx(expected)
