"""Gates: each is compared with the metrics; a figure that was not measured does not pass, and says why."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from components.evaluate.report.gates import Outcome, check_gates, document
from schemas.recipe.evaluate import GATE_SECTIONS, EvaluateSection, Gate

METRICS: dict[str, Any] = {
    "images": 30,
    "metrics": {
        "elbo": {"value": -42.5, "standard_error": None, "unit": "nats per image"},
        "mse": {"value": float("nan"), "standard_error": 0.1},
    },
    "latent": {"dimensions": 2, "active": None, "kl_per_dimension": [1.0, 2.0]},
    "distances": {
        "random": {"images": 30, "synthetic": {"frechet": 7.5, "kernel": {"value": 0.25, "low": None}}},
        "classifier": {"left_out": "all test images have the same features"},
    },
    "samplers": {"chosen": "mixture", "mixture": {"held_out": 1.5}},
    "usefulness": {"left_out": "the training images have no labels"},
    "memorisation": {"flagged": False, "exact": 0},
}


def check(name: str, metrics: dict[str, Any] = METRICS, **limits: float) -> Outcome:
    [outcome] = check_gates({name: Gate(**limits)}, metrics)
    assert outcome.gate == name
    return outcome


@pytest.mark.parametrize(
    ("name", "figure"),
    [
        ("metrics.elbo", -42.5),  # a metric is named by itself, or by its value
        ("metrics.elbo.value", -42.5),
        ("latent.dimensions", 2.0),
        ("distances.random.synthetic.frechet", 7.5),
        ("distances.random.synthetic.kernel", 0.25),
        ("distances.random.synthetic.kernel.value", 0.25),
        ("samplers.mixture.held_out", 1.5),
        ("memorisation.exact", 0.0),
    ],
)
def test_a_gates_name_is_its_figures_place(name: str, figure: float) -> None:
    assert check(name, at_least=figure, at_most=figure) == Outcome(
        name, f"at least {figure:g} and at most {figure:g}", figure, passed=True
    )


@pytest.mark.parametrize(
    ("limits", "passed"),
    [
        ({"at_least": -42.5}, True),
        ({"at_least": -42.4}, False),
        ({"at_most": -42.5}, True),
        ({"at_most": -42.6}, False),
        ({"at_least": -43, "at_most": -42}, True),
        ({"at_least": -40, "at_most": -30}, False),
        ({"at_least": -60, "at_most": -50}, False),
    ],
)
def test_limits_are_inclusive(limits: dict[str, float], passed: bool) -> None:
    outcome = check("metrics.elbo", **limits)
    assert (outcome.found, outcome.passed, outcome.why) == (-42.5, passed, "")


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"at_least": 0.9}, "at least 0.9"),
        ({"at_most": 5}, "at most 5"),
        ({"at_least": 1, "at_most": 2.25}, "at least 1 and at most 2.25"),
    ],
)
def test_limits_have_words(limits: dict[str, float], words: str) -> None:
    assert check("metrics.elbo", **limits).expected == str(Gate(**limits)) == words


@pytest.mark.parametrize(("flagged", "passed"), [(False, True), (True, False)])
def test_true_counts_as_one(flagged: bool, passed: bool) -> None:
    outcome = check("memorisation.flagged", {"memorisation": {"flagged": flagged}}, at_most=0)
    assert (outcome.found, outcome.passed) == (float(flagged), passed)


@pytest.mark.parametrize("limits", [{"at_least": 0}, {"at_most": 0}, {"at_least": -1e300, "at_most": 1e300}])
def test_a_value_that_is_no_number_does_not_pass(limits: dict[str, float]) -> None:
    assert not check("metrics.mse", **limits).passed
    nothing = check("latent.active", **limits)
    assert (nothing.found, nothing.passed, nothing.why) == (None, False, "there is no number")


@pytest.mark.parametrize(
    "name", ["metrics", "distances.random", "samplers.chosen", "latent.kl_per_dimension", "metrics.elbo.standard_error"]
)
def test_an_entry_without_a_number_says_so(name: str) -> None:
    outcome = check(name, at_least=0)
    assert (outcome.found, outcome.passed, outcome.why) == (None, False, "there is no number")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("usefulness.ratio", "the training images have no labels"),
        ("distances.classifier.synthetic.frechet", "all test images have the same features"),
    ],
)
def test_a_section_that_was_left_out_says_why(name: str, why: str) -> None:
    assert check(name, at_most=5) == Outcome(name, "at most 5", None, passed=False, why=why)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("latent.active", "of the nearest"),
        ("latent.smoothness.length", "of its own"),
        ("latent.smoothness", "of its own"),
    ],
)
def test_the_nearest_reason_is_given(name: str, why: str) -> None:
    latent = {"active": None, "smoothness": {"left_out": "of its own"}, "left_out": "of the nearest"}
    assert check(name, {"latent": latent}, at_least=0).why == why
    assert check("latent.dimensions", {"latent": {"dimensions": 2, **latent}}, at_least=0).passed


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("distances.inception.frechet", "distances has no inception, but random, classifier"),
        ("distances.random.synthetic.fid", "distances.random.synthetic has no fid, but frechet, kernel"),
        ("metrics.bits_per_dim", "metrics has no bits_per_dim, but elbo, mse"),
        ("beauty", f"metrics.json has no beauty, but {', '.join(METRICS)}"),
    ],
)
def test_an_unknown_name_lists_the_names_there_are(name: str, why: str) -> None:
    assert check(name, at_least=0) == Outcome(name, "at least 0", None, passed=False, why=why)


@pytest.mark.parametrize("name", ["metrics.elbo.value.mean", "latent.dimensions.used"])
def test_a_figure_has_nothing_below_it(name: str) -> None:
    outcome = check(name, at_least=-1000)
    assert (outcome.found, outcome.passed) == (None, False)
    assert outcome.why


def test_every_gate_is_checked_in_the_recipes_order() -> None:
    gates = {name: Gate(at_least=0) for name in ("metrics.elbo", "memorisation.exact", "usefulness.ratio")}
    assert [(outcome.gate, outcome.passed) for outcome in check_gates(gates, METRICS)] == [
        ("metrics.elbo", False),
        ("memorisation.exact", True),
        ("usefulness.ratio", False),
    ]
    assert check_gates({}, METRICS) == []


def test_the_document_holds_what_export_reads() -> None:
    rows = document([check("metrics.elbo", at_least=0), check("usefulness.ratio", at_least=0.9)])
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows
    assert rows == [
        {"gate": "metrics.elbo", "expected": "at least 0", "found": -42.5, "passed": False, "why": ""},
        {
            "gate": "usefulness.ratio",
            "expected": "at least 0.9",
            "found": None,
            "passed": False,
            "why": "the training images have no labels",
        },
    ]


def test_a_gate_without_a_limit_is_refused() -> None:
    with pytest.raises(ValidationError, match="expected at_least or at_most, found neither"):
        Gate()


@pytest.mark.parametrize("limits", [{"at_lest": 1}, {"at_least": "much"}])
def test_a_gate_with_other_limits_is_refused(limits: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Gate(**limits)


@pytest.mark.parametrize("part", GATE_SECTIONS)
def test_a_recipe_may_demand_any_measured_section(part: str) -> None:
    key = (
        f"{part}.{'ssim' if part == 'metrics' else 'something'}"  # only the names of metrics are known before the work
    )
    assert EvaluateSection.model_validate({"gates": {key: {"at_most": 1}}}).gates == {key: Gate(at_most=1)}


@pytest.mark.parametrize("name", ["images", "gates.metrics.elbo", "fid", "", "metricselbo.value"])
def test_a_recipe_may_have_no_gates(name: str) -> None:
    with pytest.raises(
        ValidationError, match="expected names that begin with one of metrics, latent, quality, distances"
    ) as caught:
        EvaluateSection.model_validate({"gates": {name: {"at_most": 1}}})
    assert f"found {name}" in str(caught.value)
