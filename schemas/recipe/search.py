"""Where a search looks: for each recipe key that it tries, the values or the range to draw from."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Discriminator, Field, JsonValue, Tag, model_validator

from schemas.recipe.section import Section

SECTIONS = ("model", "loss", "train")
# What a trial reads of `train`: its length is `tune.epochs`, it keeps no model, and it has no schedule and no average.
READ_OF_TRAIN = (
    *("train.batch_size", "train.learning_rate", "train.deterministic"),
    *("train.optimizer", "train.weight_decay", "train.clip_norm"),
)


class Range(Section):
    """Numbers to draw from; whole ones where the key's own value is a whole number."""

    low: float = Field(description="The lowest number.")
    high: float = Field(description="The highest.")
    log: bool = Field(False, description="Drawn log-uniformly: each factor of ten as often as the next.")
    step: float | None = Field(
        None, gt=0, description="Only low, low + step, low + 2·step …; with log: low, low · step, low · step² …"
    )

    @model_validator(mode="after")
    def _is_a_range(self) -> Range:
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
    """Refuses keys that no trial reads, and those under which validation ELBOs cannot be compared.

    Raises:
        ValueError: The line names the key, below `tune`.
    """
    for key, values in space.items():
        section, _, below = key.partition(".")
        unread = section == "train" and key not in READ_OF_TRAIN
        unread |= key in ("train.deterministic", "loss.kl_warmup_epochs")
        if section not in SECTIONS or not below or unread:
            raise ValueError(f"space.{key}: expected a key of model, loss or train that a trial reads, found {key}")
        if key == "loss.likelihood":
            raise ValueError(
                f"space.{key}: expected a key under which ELBOs can be compared; those of two likelihoods cannot: "
                "give each a recipe of its own"
            )
        if key == "loss.kl" and isinstance(values, tuple) and "none" in values:
            raise ValueError(
                f"space.{key}: expected sum and mean alone; without its KL a trial has no ELBO to be compared by"
            )
