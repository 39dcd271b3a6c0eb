"""The search space of `tune`: for each searched recipe key, the values or the range to draw from."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Discriminator, Field, JsonValue, Tag, model_validator

from schemas.recipe.section import Section

SECTIONS = ("model", "loss", "train")
# The keys of `train` that a trial reads. Its length is `tune.epochs`; it saves no model, and has no schedule and no average.
TRIAL_TRAIN_KEYS = (
    *("train.batch_size", "train.learning_rate", "train.deterministic"),
    *("train.optimizer", "train.weight_decay", "train.clip_norm"),
)
# Keys of these sections that cannot be searched: trials are too short for a warm-up, and all train on the ELBO.
UNREAD_KEYS = ("train.deterministic", "loss.kl_warmup_epochs", "loss.importance_epochs", "loss.importance_samples")


class Range(Section):
    """A range of numbers to draw from: whole numbers if the recipe's own value is a whole number."""

    low: float = Field(description="The lowest number.")
    high: float = Field(description="The highest number.")
    log: bool = Field(False, description="Draw log-uniformly: each power of ten as often as the next.")
    step: float | None = Field(
        None, gt=0, description="Draw only low, low + step, low + 2·step …; with log: low, low · step, low · step² …"
    )

    @model_validator(mode="after")
    def _check_range(self) -> Range:
        if self.low >= self.high:
            raise ValueError(f"high: expected more than low, which is {self.low:g}, found {self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError(f"low: expected more than 0, because of log, found {self.low:g}")
        if self.log and self.step is not None and (self.step <= 1 or self.step != int(self.step)):
            raise ValueError(f"step: expected a whole number above 1, because of log, found {self.step:g}")
        return self


Choices = Annotated[tuple[JsonValue, ...], Field(min_length=1)]


def _kind(value: Any) -> str:
    return "range" if isinstance(value, dict | Range) else "choices"


Space = Annotated[
    dict[str, Annotated[Annotated[Choices, Tag("choices")] | Annotated[Range, Tag("range")], Discriminator(_kind)]],
    Field(min_length=1),
]


def check_keys(space: dict[str, Any]) -> None:
    """Refuse keys that no trial reads, and keys that make the trials' validation ELBOs incomparable.

    Raises:
        ValueError: The message names the key, below `tune`.
    """
    for key, values in space.items():
        section, _, below = key.partition(".")
        unread = section == "train" and key not in TRIAL_TRAIN_KEYS
        unread |= key in UNREAD_KEYS
        if section not in SECTIONS or not below or unread:
            raise ValueError(f"space.{key}: expected a key of model, loss or train that a trial reads, found {key}")
        if key == "loss.likelihood":
            raise ValueError(
                f"space.{key}: expected a key that leaves ELBOs comparable, found one that changes the likelihood; "
                "try a recipe of its own for each likelihood"
            )
        if key == "loss.kl" and isinstance(values, tuple) and "none" in values:
            raise ValueError(
                f"space.{key}: expected only sum and mean, found none; without its KL a trial has no ELBO to compare"
            )
