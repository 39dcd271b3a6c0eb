"""A flow is judged beside the other samplers; one that copies is not used."""

from __future__ import annotations

import pytest
from helpers.ring import Judged, judge_small, results_by_sampler

from components.evaluate.report import wording
from components.evaluate.samples import fitted_flow, flow_trade, judge, requirements
from components.evaluate.samples.judgement import Judgement, document
from schemas.errors import DataError

pytestmark = pytest.mark.xdist_group("judge")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fit small networks in few steps to few images."""
    for name, value in {"WIDTH": 16, "BLOCKS": 1, "BATCH": 64, "MAX_STEPS": 100, "CHECKED": 50}.items():
        monkeypatch.setattr(fitted_flow, name, value)
    monkeypatch.setattr(requirements, "FLOW_IMAGES", 200)


def judged(ring: Judged) -> Judgement:
    """Judge few images of the ring's model, with a flow of two steps."""
    return judge_small(ring.vae, ring.examples, flow_steps=2, max_images=30)


def test_a_flow_is_compared_and_what_it_costs_is_said(ring: Judged, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(flow_trade.GAIN, "held_out", -1e9)  # any flow pays
    monkeypatch.setitem(flow_trade.GAIN, "excess", -1e9)
    judgement = judged(ring)
    assert list(results_by_sampler(judgement)) == ["normal", "uniform", "mixture", "posterior", "flow"]
    assert judgement.sampler.kind == "flow"
    content = document(judgement)["samplers"]
    assert content["chosen"] == "flow" and content["flow"]["frechet"] > 0
    assert content["trade"]["work"] > 1
    assert "times the multiplications" in wording.flow(judgement)


def test_a_flow_that_copies_is_not_used(ring: Judged, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(flow_trade.GAIN, "held_out", -1e9)
    monkeypatch.setitem(flow_trade.GAIN, "excess", -1e9)
    monkeypatch.setattr(judge, "_flagged", lambda memorisation: True)
    judgement = judged(ring)
    assert judgement.trade is not None
    assert judgement.sampler.kind == judgement.trade.kind
    assert wording.flow(judgement).endswith("not used: its images are copies of training images too often")


@pytest.mark.parametrize("sampler", ["auto", "flow"])
def test_a_flow_that_cannot_be_fitted_is_left_out_or_refused(
    sampler: str, ring: Judged, monkeypatch: pytest.MonkeyPatch
) -> None:
    why = "no latent dimension is in use"
    monkeypatch.setattr(judge, "fit_flow_to_images", lambda *_, **__: why)
    options = {"sampler": sampler, "flow_steps": 2, "max_images": 30}
    if sampler == "auto":
        judgement = judge_small(ring.vae, ring.examples, **options)
        assert (judgement.why_no_flow, judgement.trade) == (why, None)
        return
    with pytest.raises(DataError, match=f"^evaluate.sampler: expected normal or auto, found flow, .*: {why}$"):
        judge_small(ring.vae, ring.examples, **options)
