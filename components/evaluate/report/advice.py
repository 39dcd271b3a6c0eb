"""What to try next: rules, from what is most amiss to what is least; the first that applies speaks."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from components.reporting.numbers import fixed, significant

FEW_EPOCHS = 10
STILL_FALLING = 0.01  # share of the validation loss's whole fall, in the last tenth of all epochs
OVERFIT = 0.5  # of what validation reconstruction gained since the first epoch: training is ahead by that much
POOR = 0.85  # mean SSIM
FAR_BETTER = 2 / 3  # of a Fréchet distance
UNUSED = 0.1  # share of the latent dimensions


@dataclass(frozen=True)
class Findings:
    """What the rules look at.

    Attributes:
        settings: What the model was trained with, by recipe key with dots.
        variational: Whether it is no plain autoencoder.
        dims: Latent dimensions.
        active: Those in use; None where nobody can tell.
        ssim: Mean of the reconstructions.
        history: Columns of the model's history, one value per epoch.
        flagged: Whether new images give training images away.
        wanted: `evaluate.sampler`.
        taken: Kind of the sampler that was taken.
        held_out: Fréchet distance from validation images, by kind of sampler; empty where it was not measured.
    """

    settings: Mapping[str, object]
    variational: bool
    dims: int
    active: int | None
    ssim: float
    history: Mapping[str, Sequence[float]]
    flagged: bool
    wanted: str
    taken: str
    held_out: Mapping[str, float]

    @property
    def best(self) -> int | None:
        """The epoch, from 0, whose weights were kept; None where no validation loss is a number."""
        losses = [loss if math.isfinite(loss) else math.inf for loss in self.history["val_loss"]]
        return losses.index(min(losses)) if losses and min(losses) < math.inf else None

    @property
    def one_level(self) -> bool:
        """Whether `model.latent_dim` alone says how many latent dimensions there are."""
        return self.settings.get("model.latent_dim") == self.dims


def advise(found: Findings) -> str:
    """One thing to try, as a sentence with the recipe's keys; or that there is nothing to mend."""
    said = (rule(found) for rule in RULES)
    return next(filter(None, said), "Nothing stands out: no measurement here calls for a change to the recipe.")


def plain(found: Findings) -> str | None:
    """A plain autoencoder has nothing to draw new images from."""
    if found.variational:
        return None
    return "For new images, train with loss.kl: sum: a plain autoencoder has no distribution to draw them from."


def collapsed(found: Findings) -> str | None:
    """Every code says the same: the KL has won over the reconstruction."""
    if found.active != 0:
        return None
    remedy = "a lower train.learning_rate"
    if found.settings.get("loss.reconstruction") == "mean":
        remedy = "loss.reconstruction: sum"
    elif isinstance(weight := found.settings.get("loss.weight"), int | float):
        remedy = f"loss.weight: {10 * weight:g}"
    elif not found.settings.get("loss.kl_warmup_epochs"):
        remedy = "loss.kl_warmup_epochs: 5 and train.epochs above it"
    return f"No latent dimension is in use: the KL has won over the reconstruction. Try {remedy}."


def copies(found: Findings) -> str | None:
    """It gives training images away."""
    if not found.flagged:
        return None
    return (
        "New images copy training images: train on more images or for fewer train.epochs, and until then keep copies out "
        "of image sets with generate.drop_near_copies: true."
    )


def unfinished(found: Findings) -> str | None:
    """Its best epoch was the last that the recipe allows; under a cosine, if the loss was still falling."""
    losses, best = found.history["val_loss"], found.best
    count = len(losses)
    if best is None or best != count - 1 or count != found.settings.get("train.epochs"):
        return None
    if count > 1 and found.settings.get("train.schedule") == "cosine":  # under which the last epoch is mostly the best
        recent = losses[-1 - max(1, count // 10)]
        if not recent - losses[-1] > STILL_FALLING * (losses[0] - losses[-1]):
            return None
    more = max(FEW_EPOCHS, 2 * count)
    return f"The best epoch was the last that the recipe allows, number {count:,}: try train.epochs: {more}."


def overfit(found: Findings) -> str | None:
    """It reconstructs training images much better than validation images."""
    best = found.best
    if not best:  # in the first epoch training's mean is of weights that were still moving
        return None
    training, validation = found.history["reconstruction"], found.history["val_reconstruction"]
    ahead, gained = validation[best] - training[best], validation[0] - validation[best]
    if not (ahead > OVERFIT * abs(gained) and ahead > 0):
        return None
    losses = [significant(loss[best], digits=4) for loss in (validation, training)]
    return (
        f"In the best epoch the reconstruction loss is {losses[0]} on validation images and {losses[1]} on training images, "
        "which it is learning by heart: try more images, a smaller network, or train.optimizer: adamw with "
        "train.weight_decay: 0.01."
    )


def cramped(found: Findings) -> str | None:
    """Reconstructions are poor, and no latent dimension is to spare."""
    if found.active != found.dims or found.ssim >= POOR or not found.one_level:
        return None
    subject = "the only latent dimension is" if found.dims == 1 else f"all {found.dims:,} latent dimensions are"
    return (
        f"Reconstructions reach a mean SSIM of {fixed(found.ssim, decimals=2)}, and {subject} in use: try model.latent_dim: "
        f"{2 * found.dims}."
    )


def other_sampler(found: Findings) -> str | None:
    """The recipe names a sampler, and another makes far better images."""
    others = {kind: value for kind, value in found.held_out.items() if kind != "posterior"}
    if found.wanted == "auto" or found.taken not in others:
        return None
    best = min(others, key=lambda kind: others[kind])
    if not others[best] < FAR_BETTER * others[found.taken]:
        return None
    lower, higher = (significant(others[kind], digits=3) for kind in (best, found.taken))
    return (
        f"Codes from {best} make images at a Fréchet distance of {lower} from validation images, those from "
        f"{found.taken} at {higher}: try evaluate.sampler: auto."
    )


def learned_prior(found: Findings) -> str | None:
    """A mixture that was fitted afterwards is far better than N(0, I)."""
    mixture, normal = (found.held_out.get(kind) for kind in ("mixture", "normal"))
    if mixture is None or normal is None or not mixture < FAR_BETTER * normal:
        return None
    lower, higher = (significant(distance, digits=3) for distance in (mixture, normal))
    return (
        f"Codes do not fill N(0, I): images from a mixture fitted afterwards lie at a Fréchet distance of {lower} from "
        f"validation images, those from N(0, I) at {higher}. Try model.prior_components: 100, a prior learned in training."
    )


def spare(found: Findings) -> str | None:
    """Latent dimensions are unused."""
    if not found.active or not found.one_level or found.dims - found.active < max(1.0, UNUSED * found.dims):
        return None
    return (
        f"Only {found.active:,} of {found.dims:,} latent dimensions are in use: model.latent_dim: {found.active} should do "
        "as well, with a smaller model."
    )


Rule = Callable[[Findings], str | None]
RULES: tuple[Rule, ...] = (
    plain,
    collapsed,
    copies,
    unfinished,
    overfit,
    cramped,
    other_sampler,
    learned_prior,
    spare,
)
