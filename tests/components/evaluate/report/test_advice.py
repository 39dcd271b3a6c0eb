"""Advice: an example of each rule, where it applies and where it does not, and their order."""

from typing import Any

import pytest

from components.evaluate.report import advice
from components.evaluate.report.advice import Findings, advise

SETTINGS = {"model.latent_dim": 8, "train.epochs": 20, "train.schedule": "constant", "loss.reconstruction": "sum"}
SHARP = {"train.sharpen.epochs": 5}
FALLING = [100.0, 60.0, 50.0, 48.0, 49.0]  # best in the fourth of five epochs


def history(loss: list[float] = FALLING, *, ahead: float = 1.0) -> dict[str, list[float]]:
    """Return the history of a model whose training reconstruction leads its validation reconstruction by `ahead`."""
    return {"val_loss": loss, "val_reconstruction": loss, "reconstruction": [value - ahead for value in loss]}


def findings(**others: Any) -> Findings:
    """Return the findings of a good model, with some changes."""
    settings = {**SETTINGS, **others.pop("settings", {})}
    good: dict[str, Any] = {
        "variational": True,
        "dims": 8,
        "active": 8,
        "ssim": 0.9,
        "history": history(),
        "flagged": False,
        "sampler_setting": "auto",
        "sampler": "mixture",
        "held_out": {"normal": 3.0, "mixture": 2.5, "posterior": 0.1},
    }
    return Findings(settings=settings, **{**good, **others})


def test_a_good_model_needs_no_advice() -> None:
    assert advise(findings()).startswith("Nothing stands out")


@pytest.mark.parametrize(
    ("changes", "advice_part"),
    [
        ({"variational": False}, "loss.kl: sum"),
        ({"training": 46, "active": 0}, "46 training images cannot teach a generator"),
        ({"active": 0, "settings": {"loss.reconstruction": "mean"}}, "loss.reconstruction: sum"),
        ({"active": 0, "settings": {"loss.weight": 100.0}}, "loss.weight: 1000"),
        ({"active": 0}, "loss.kl_warmup_epochs: 5"),
        ({"active": 0, "settings": {"loss.kl_warmup_epochs": 5}}, "a lower train.learning_rate"),
        ({"flagged": True}, "generate.drop_near_copies: true"),
        ({"settings": {"train.epochs": 4}, "history": history(FALLING[:4])}, "number 4: try train.epochs: 10"),
        ({"settings": {"train.epochs": 1}, "history": history([9.0])}, "number 1: try train.epochs: 10"),
        ({"history": history([100.0 - i for i in range(20)])}, "number 20: try train.epochs: 40"),
        ({"history": history(ahead=40.0)}, "train.weight_decay: 0.01"),
        ({"ssim": 0.5}, "model.latent_dim: 16"),
        (
            {"ssim": 0.5, "dims": 1, "active": 1, "settings": {"model.latent_dim": 1}},
            "the only latent dimension is in use",
        ),
        (
            {"sampler_setting": "normal", "sampler": "normal", "held_out": {"normal": 9.0, "mixture": 2.0}},
            "evaluate.sampler: auto",
        ),
        ({"held_out": {"normal": 9.0, "mixture": 2.0}}, "model.prior_components: 100"),
        ({"blur": 0.6, "by_decoder": 0.9}, "work on the decoder. Try train.sharpen: {epochs: 5}, a second decoder"),
        ({"blur": 0.6, "by_decoder": 0.9, "settings": SHARP}, "work on the decoder. Try model.network: resnet."),
        (
            {"blur": 0.6, "by_decoder": 0.9, "settings": {"loss.binarise": True}},  # it cannot be sharpened
            "work on the decoder. Try model.network: resnet.",
        ),
        (
            {"blur": 0.6, "by_decoder": 0.9, "settings": {**SHARP, "model.network": "resnet"}},
            "work on the decoder. Try a larger network or a higher model.latent_dim.",
        ),
        (
            {"blur": 0.6, "by_decoder": 0.9, "ssim": 0.5, "settings": SHARP},
            "work on the decoder. Reconstructions reach a mean SSIM of 0.500",
        ),
        ({"blur": 0.6, "by_decoder": 0.2}, "work on where codes come from. Try model.prior_components: 100."),
        (
            {"blur": 0.6, "by_decoder": 0.2, "held_out": {"normal": 9.0, "mixture": 2.0}},
            "work on where codes come from. Codes do not fill N(0, I)",
        ),
        (
            {"blur": 0.6, "by_decoder": 0.2, "flow_steps": 0, "held_out": {"normal": 9.0, "mixture": 2.0}},
            "work on where codes come from. Try evaluate.flow_steps: 8.",
        ),
        ({"flow_steps": 0}, "what is lost is lost by where codes come from. Try evaluate.flow_steps: 8."),
        ({"active": 3}, "Only 3 of 8 latent dimensions are in use: model.latent_dim: 3"),
    ],
)
def test_each_rule_names_its_recipe_key(changes: dict[str, Any], advice_part: str) -> None:
    assert advice_part in advise(findings(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"settings": {"train.epochs": 5}},  # its best epoch was the fourth
        {"settings": {"train.epochs": 9}, "history": history(FALLING[:4])},  # it was stopped early
        {"settings": {"train.epochs": 4, "train.schedule": "cosine"}, "history": history([100.0, 50.0, 48.2, 48.0])},
        {"history": history([float("nan")] * 3)},
        {"history": history([50.0, 51.0], ahead=40.0)},  # the first epoch was the best: training's mean came before
        {"ssim": 0.5, "active": 8, "settings": {"model.latent_dim": 4}},  # a second level has the others
        {"active": None, "ssim": 0.5},
        {"blur": 0.1, "by_decoder": 0.9},  # hardly visible
        {"blur": 0.6, "by_decoder": None},  # no measure tells whose it is
        {"sampler_setting": "normal", "sampler": "normal", "held_out": {"normal": 2.1, "mixture": 2.0}},
        {
            "sampler_setting": "mixture",
            "held_out": {"mixture": 2.0, "posterior": 0.1},
        },  # codes of training images are no advice
        {"held_out": {}},
        {"held_out": {}, "flow_steps": 0},
        {"flow_steps": 8},  # it is on
        {"flow_steps": None},  # it cannot be fitted
        {"flow_steps": 0, "held_out": {"mixture": 2.5, "posterior": 2.0}},
    ],
)
def test_a_rule_gives_no_advice_where_it_does_not_apply(changes: dict[str, Any]) -> None:
    assert advise(findings(**changes)).startswith("Nothing stands out")


def test_under_a_cosine_the_loss_has_to_be_still_falling() -> None:
    results = findings(
        settings={"train.epochs": 4, "train.schedule": "cosine"}, history=history([100.0, 60.0, 55.0, 48.0])
    )
    assert "train.epochs: 10" in advise(results)


def test_the_most_important_advice_comes_first() -> None:
    results = findings(active=0, flagged=True, ssim=0.2, held_out={"normal": 9.0, "mixture": 2.0})
    assert "the KL outweighs" in advise(results)
    assert [rule for rule in advice.RULES if rule(results)][:2] == [advice.collapsed, advice.copies]


def test_advice_on_a_value_that_a_search_chose_says_how_to_set_it() -> None:
    """The search's value would go before the recipe's, and nothing would change."""
    poor = findings(ssim=0.5, searched=("train.learning_rate", "model.latent_dim"))
    assert advise(poor).endswith(
        "try model.latent_dim: 16. As a search chose model.latent_dim, set train.use_tuned: false, too."
    )
    assert "use_tuned" not in advise(findings(ssim=0.5, searched=("train.learning_rate",)))
