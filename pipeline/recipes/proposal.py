"""Proposes model, loss and training for somebody's own images: what the recipes of this project that were measured have taught.

docs/benchmarks.md has these measurements. Loads no TensorFlow.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from components.reporting.console import counted

MINUTES = 30  # of training that a proposal may take on this machine
FEWEST = 200  # training images, below which new images hardly differ from each other
SMALL = 1_000  # training images, below which there are too few to fit a prior of many parts, or to compare samplers
LARGE = 10_000
PER_LABEL = 100  # training images of the rarest label, from which a model takes labels
MOST_LABELS = 100
STEPS = 3_600  # of a training that is long enough for a small set: clothes_best has 3,640
FEWEST_EPOCHS = 10
MOST_EPOCHS = 300
RUNG = 400  # steps of a trial, below which its loss says more of chance than of its values
TRIALS = 6
SEARCH_SHARE = 0.5  # of the training's time
PATCHES = {28: 4, 32: 4, 64: 4, 128: 8}  # pixels

Measure = Callable[[dict[str, Any]], float | None]


@dataclass(frozen=True)
class Facts:
    """What decides the proposal.

    Attributes:
        size: Height and width of an image, in pixels.
        channels: 1 or 3.
        training: Number of training images, about.
        validation: Number of validation images, about.
        labels: Training images of each label, about, fewest first.
        every_label: Whether every image has a label.
    """

    size: int
    channels: int
    training: int
    validation: int
    labels: tuple[int, ...]
    every_label: bool


@dataclass(frozen=True)
class Proposal:
    """Sections of a recipe, and a reason for each choice.

    Attributes:
        sections: `model`, `loss`, `train`, `tune`, `evaluate` and `generate`, as far as they differ from the defaults.
        reasons: Lines for a person, each of which begins with the settings that it explains.
        duration: Epochs, and the minutes that they take.
        warning: What to expect of too few images, as a sentence; "": there are enough.
        searched: Whether a search is proposed.
        search: The search and its time, or why there is none.
    """

    sections: dict[str, Any]
    reasons: tuple[str, ...]
    duration: str
    warning: str
    searched: bool
    search: str


def propose(facts: Facts, *, measure: Measure | None = None) -> Proposal:
    """Propose a recipe's sections for images.

    Args:
        facts: About the images.
        measure: Returns how many images per second this machine trains with these sections, or None; None: nothing is measured.
    """
    reasons = [
        "network: resnet with gaussian (a learned deviation): the recipes whose new images were the best "
        "(docs/benchmarks.md) have both.",
    ]
    batch = 128 if facts.training >= LARGE else 32 if facts.training >= FEWEST else 8
    steps = max(1, math.ceil(facts.training / batch))
    useful = min(MOST_EPOCHS, 24 if facts.training >= LARGE else max(40, math.ceil(STEPS / steps)))
    model = _model(facts, reasons)
    rate = None
    for widths in _widths(facts):
        model["widths"] = widths
        sections = {"model": model, "loss": {"likelihood": "gaussian"}, "train": {"batch_size": batch}}
        rate = measure(sections) if measure else None
        if rate is None or rate * 60 * MINUTES >= min(useful, FEWEST_EPOCHS) * facts.training:
            break
    affordable = useful if rate is None else int(rate * 60 * MINUTES / facts.training)
    epochs = max(min(useful, affordable), min(useful, FEWEST_EPOCHS) // 2)
    duration = _duration(epochs, useful, facts, rate)
    reasons.append(f"epochs, widths: {duration}")
    total = epochs * steps
    train = {
        "epochs": epochs,
        "batch_size": batch,
        "learning_rate": 0.002 if batch == 128 else 0.001,
        "schedule": "cosine",
        "warmup_epochs": max(1, epochs // 20),
        "ema": 0.999 if total >= 8_000 else 0.99 if total >= 1_500 else 0.9,
        "patience": epochs,
        "use_tuned": False,
    }
    reasons.append(
        "schedule, warmup_epochs, kl_warmup_epochs, ema: a cosine that warms up, a KL that rises from 0, and weights averaged "
        "over a small share of all steps. The best epoch is kept, so patience need not end the training."
    )
    search, why = _search(
        facts, batch=batch, rate=rate, seconds=None if rate is None else epochs * facts.training / rate
    )
    reasons.append(f"{'tune' if search else 'use_tuned'}: {why}")
    train["use_tuned"] = bool(search)
    evaluate: dict[str, Any] = {}
    if facts.validation < 100 and facts.training >= FEWEST:
        evaluate["sampler"] = "mixture"
        reasons.append(
            f"sampler: mixture, because {facts.validation} validation images are too few for evaluate to choose (100); for "
            "2,000 avatars it was far better than the prior."
        )
    return Proposal(
        {
            "model": model,
            "loss": {"likelihood": "gaussian", "kl_warmup_epochs": max(1, epochs // 8)},
            "train": train,
            # `make all` has a search in any case: one short trial, whose values are not used.
            "tune": search or {"max_trials": 1, "epochs": 1, "max_images": 256},
            **({"evaluate": evaluate} if evaluate else {}),
            "generate": {"count": 1000 if facts.training >= FEWEST else 100},
        },
        tuple(reasons),
        duration,
        _warning(facts),
        bool(search),
        why,
    )


def _model(facts: Facts, reasons: list[str]) -> dict[str, Any]:
    model: dict[str, Any] = {
        "network": "resnet",
        "latent_dim": 8 if facts.training < FEWEST else 32 if facts.size <= 32 or facts.training < SMALL else 64,
        "patch": PATCHES[facts.size],
        "activation": "relu",
        "log_variance_limit": [-20.0, 5.0],
    }
    reasons.append("log_variance_limit: without it, the KL of small sets in colour was 10^12 in the first epochs.")
    if facts.size <= 32 and facts.training >= LARGE:
        model["local_latents"] = 2
        reasons.append("local_latents: a second level of codes for small details, as in fashion_mnist_best.")
    elif facts.training >= SMALL:
        model["prior_components"] = 100
        reasons.append(
            "prior_components: a learned prior, which new images are nearer to real ones with than with N(0, I)."
        )
    if why_not := _why_not_conditional(facts):
        reasons.append(f"conditional: off, because {why_not}.")
    else:
        model["conditional"] = True
        reasons.append(
            f"conditional: generate makes images by label, because the rarest of {len(facts.labels)} labels has "
            f"{facts.labels[0]:,} training images ({PER_LABEL} are enough)."
        )
    return model


def _why_not_conditional(facts: Facts) -> str | None:
    if len(facts.labels) < 2:
        return "there are no two labels"
    if not facts.every_label:
        return "some images have no label"
    if len(facts.labels) > MOST_LABELS:
        return f"{len(facts.labels):,} labels are more than {MOST_LABELS}"
    if facts.labels[0] < PER_LABEL:
        return f"the rarest label has {facts.labels[0]:,} training images, and {PER_LABEL} are enough"
    return None


def _widths(facts: Facts) -> list[list[int]]:
    """Return the channels of networks, the largest first."""
    small = [96] if facts.training >= LARGE else [64]
    largest = small if facts.size <= 32 else [64, 96, 128]
    return [[width // share for width in largest] for share in (1, 2, 4)]


def _duration(epochs: int, useful: int, facts: Facts, rate: float | None) -> str:
    count = counted(epochs, "epoch")
    if rate is None:
        return f"{count}; how long they take on this machine was not measured."
    minutes = counted(max(1, round(epochs * facts.training / rate / 60)), "minute")
    about = f"{count}, about {minutes} on this machine, which trains {rate:,.0f} images/s"
    if epochs >= useful:
        like = (
            "epochs as fashion_mnist_best has" if facts.training >= LARGE else "steps as were enough for clothes_best"
        )
        return f"{about}; as many {like}, or more."
    return f"{about}; {useful} epochs would be better: epochs and widths were cut to take about {MINUTES} minutes."


def _search(
    facts: Facts, *, batch: int, rate: float | None, seconds: float | None
) -> tuple[dict[str, Any] | None, str]:
    """Return the search that is worth its time, or None; and why."""
    steps = 2 * math.ceil(facts.training / batch)
    if steps < RUNG:
        return None, (
            f"no search, because a trial of 2 epochs has {steps:,} steps, and below {RUNG} its loss says more of "
            "chance than of its values. The values are those of recipes that were measured."
        )
    images = min(facts.training, RUNG * batch // 2)
    if rate is None or seconds is None or TRIALS * 2 * images / rate > SEARCH_SHARE * seconds:
        return None, (
            f"no search, because {TRIALS} trials of {RUNG} steps, the fewest that tell values apart, "
            + ("take a time that was not measured." if rate is None else "take more than half as long as the training.")
        )
    space = {"train.learning_rate": {"low": 0.0005, "high": 0.004, "log": True}}
    return {"max_trials": TRIALS, "epochs": 2, "max_images": images, "space": space}, (
        f"{TRIALS} trials of {RUNG} steps, about {max(1, round(TRIALS * 2 * images / rate / 60))} minutes."
    )


def _warning(facts: Facts) -> str:
    if facts.training >= FEWEST:
        return ""
    count = f"{counted(facts.training, 'training image')} {'is' if facts.training == 1 else 'are'}"
    return (
        f"{count} too few: expect blurred images that hardly differ from each other. Some {SMALL:,} images are a start; until "
        "then, make few images, and compare them with each other before you use any."
    )
