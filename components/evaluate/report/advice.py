"""Advice on what to try next: rules in the order of importance; the first that applies gives the advice."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from components.reporting.console import counted
from components.reporting.numbers import as_distance, as_loss, fixed, with_error

FEW_EPOCHS = 10
STILL_FALLING = 0.01  # share of the validation loss's whole fall, in the last tenth of all epochs
OVERFIT = 0.5  # lead of training reconstruction, as a share of what validation gained since the first epoch
POOR = 0.85  # mean SSIM
FAR_BETTER = 2 / 3  # ratio of two Fréchet distances
BLURRED = 0.3  # pixels
FEW_IMAGES = 200  # training images
FLOW_STEPS = 8  # of the flow that is advised
SHARPEN_EPOCHS = 5  # of the phase that is advised
UNUSED = 0.1  # share of the latent dimensions


@dataclass(frozen=True)
class Findings:
    """The results that the rules use.

    Attributes:
        settings: Settings of the training, by recipe key with dots.
        variational: Whether the model is variational, and not a plain autoencoder.
        dims: Latent dimensions.
        active: Those in use; None: unknown.
        ssim: Mean of the reconstructions.
        ssim_error: Its standard error; None: unknown.
        searched: Recipe keys whose values a search chose: the recipe's own are not used.
        history: Columns of the model's history, one value per epoch.
        flagged: Whether new images give training images away.
        sampler_setting: `evaluate.sampler`.
        sampler: Kind of the sampler that was used.
        blur: Blur that new images are worth, in pixels; None: unknown.
        training: Number of training images; None: unknown.
        by_decoder: Share of it that reconstructions have, too; None: unknown, or next to nothing is lost.
        flow_steps: `evaluate.flow_steps`; None: no flow can be fitted to so few images.
        held_out: Fréchet distance from validation images, by kind of sampler; empty where it was not measured.
    """

    settings: Mapping[str, object]
    variational: bool
    dims: int
    active: int | None
    ssim: float
    history: Mapping[str, Sequence[float]]
    flagged: bool
    sampler_setting: str
    sampler: str
    held_out: Mapping[str, float]
    ssim_error: float | None = None
    searched: Collection[str] = ()
    blur: float | None = None
    by_decoder: float | None = None
    training: int | None = None
    flow_steps: int | None = None

    @property
    def best(self) -> int | None:
        """The epoch, from 0, whose weights were kept; None where no validation loss is a number."""
        losses = [loss if math.isfinite(loss) else math.inf for loss in self.history["val_loss"]]
        return losses.index(min(losses)) if losses and min(losses) < math.inf else None

    @property
    def single_level(self) -> bool:
        """Whether `model.latent_dim` is the number of all latent dimensions: the network has one level of codes."""
        return self.settings.get("model.latent_dim") == self.dims


def advise(findings: Findings) -> str:
    """Return one thing to try, as a sentence with the recipe's keys; or that nothing stands out."""
    sentences = (rule(findings) for rule in RULES)
    sentence = next(
        filter(None, sentences), "Nothing stands out: no measurement here calls for a change to the recipe."
    )
    if keys := [key for key in findings.searched if f"{key}: " in sentence]:
        return f"{sentence} As a search chose {' and '.join(keys)}, set train.use_tuned: false, too."
    return sentence


def plain(findings: Findings) -> str | None:
    """Advise on a plain autoencoder, which has no distribution to draw new images from."""
    if findings.variational:
        return None
    return "For new images, train with loss.kl: sum: a plain autoencoder has no distribution to draw them from."


def too_few_images(findings: Findings) -> str | None:
    """Advise on a model of so few images that no setting helps."""
    if findings.training is None or findings.training >= FEW_IMAGES:
        return None
    return (
        f"{counted(findings.training, 'training image')} cannot teach a generator: new images will hardly differ from each "
        "other, or copy training images. Collect more, some 1,000 as a start, before you try any setting; do not use large sets "
        "of new images."
    )


def collapsed(findings: Findings) -> str | None:
    """Advise on a posterior collapse: every code holds the same, because the KL outweighs the reconstruction."""
    if findings.active != 0:
        return None
    remedy = "a lower train.learning_rate"
    if findings.settings.get("loss.reconstruction") == "mean":
        remedy = "loss.reconstruction: sum"
    elif isinstance(weight := findings.settings.get("loss.weight"), int | float):
        remedy = f"loss.weight: {10 * weight:g}"
    elif not findings.settings.get("loss.kl_warmup_epochs"):
        remedy = "loss.kl_warmup_epochs: 5 and train.epochs above it"
    return f"No latent dimension is in use: the KL outweighs the reconstruction. Try {remedy}."


def copies(findings: Findings) -> str | None:
    """Advise on new images that copy training images."""
    if not findings.flagged:
        return None
    return (
        "New images copy training images: train on more images or for fewer train.epochs; until then, remove copies from "
        "image sets with generate.drop_near_copies: true."
    )


def unfinished(findings: Findings) -> str | None:
    """Advise on a training whose best epoch was the last one; under a cosine schedule, if the loss was still falling."""
    losses, best = findings.history["val_loss"], findings.best
    count = len(losses)
    if best is None or best != count - 1 or count != findings.settings.get("train.epochs"):
        return None
    if (
        count > 1 and findings.settings.get("train.schedule") == "cosine"
    ):  # under which the last epoch is mostly the best
        recent = losses[-1 - max(1, count // 10)]
        if not recent - losses[-1] > STILL_FALLING * (losses[0] - losses[-1]):
            return None
    more = max(FEW_EPOCHS, 2 * count)
    return f"The best epoch was the last that the recipe allows, number {count:,}: try train.epochs: {more}."


def overfit(findings: Findings) -> str | None:
    """Advise on a model that reconstructs training images much better than validation images."""
    best = findings.best
    if not best:  # in the first epoch, the mean over training is of weights that change much
        return None
    training, validation = findings.history["reconstruction"], findings.history["val_reconstruction"]
    lead, gain = validation[best] - training[best], validation[0] - validation[best]
    if not (lead > OVERFIT * abs(gain) and lead > 0):
        return None
    losses = [as_loss(loss[best]) for loss in (validation, training)]
    return (
        f"In the best epoch the reconstruction loss is {losses[0]} on validation images and {losses[1]} on training images, "
        "which it memorises: try more images, a smaller network, or train.optimizer: adamw with "
        "train.weight_decay: 0.01."
    )


def blurred(findings: Findings) -> str | None:
    """Advise on images that are worth much blur: to work on the decoder, or on where codes come from."""
    if findings.blur is None or findings.by_decoder is None or findings.blur < BLURRED:
        return None
    worth = f"a blur of {fixed(findings.blur, decimals=2)} pixels"
    if findings.by_decoder < 0.5:
        return f"New images are worth {worth}, and reconstructions much less: work on where codes come from. " + (
            other_sampler(findings)
            or (f"Try evaluate.flow_steps: {FLOW_STEPS}." if findings.flow_steps == 0 else None)
            or learned_prior(findings)
            or "Try model.prior_components: 100."
        )
    if may_sharpen(findings):
        remedy = f"Try train.sharpen: {{epochs: {SHARPEN_EPOCHS}}}, a second decoder for sharp images."
        return f"New images are worth {worth}, and reconstructions nearly as much: work on the decoder. {remedy}"
    residual = findings.settings.get("model.network") == "resnet"
    remedy = "a larger network or a higher model.latent_dim" if residual else "model.network: resnet"
    return f"New images are worth {worth}, and reconstructions nearly as much: work on the decoder. " + (
        too_few_dims(findings) or f"Try {remedy}."
    )


def may_sharpen(findings: Findings) -> bool:
    """Return whether a second decoder for sharp images is left to try: it is off, and the images are not drawn ones."""
    settings = findings.settings
    return not any(
        key == "train.sharpen" or key.startswith("train.sharpen.") for key, value in settings.items() if value
    ) and not settings.get("loss.binarise")


def too_few_dims(findings: Findings) -> str | None:
    """Advise on poor reconstructions where all latent dimensions are in use."""
    if findings.active != findings.dims or findings.ssim >= POOR or not findings.single_level:
        return None
    ssim, _ = with_error(findings.ssim, findings.ssim_error)
    subject = "the only latent dimension is" if findings.dims == 1 else f"all {findings.dims:,} latent dimensions are"
    return (
        f"Reconstructions reach a mean SSIM of {ssim}, and {subject} in use: try model.latent_dim: {2 * findings.dims}."
    )


def other_sampler(findings: Findings) -> str | None:
    """Advise on a recipe that names a sampler where another one makes far better images."""
    candidates = {kind: value for kind, value in findings.held_out.items() if kind != "posterior"}
    if findings.sampler_setting == "auto" or findings.sampler not in candidates:
        return None
    best = min(candidates, key=lambda kind: candidates[kind])
    if not candidates[best] < FAR_BETTER * candidates[findings.sampler]:
        return None
    lower, higher = (as_distance(candidates[kind]) for kind in (best, findings.sampler))
    return (
        f"Codes from {best} make images at a Fréchet distance of {lower} from validation images, those from "
        f"{findings.sampler} at {higher}: try evaluate.sampler: auto."
    )


def flow(findings: Findings) -> str | None:
    """Advise a flow where images from codes of real images are far better than those from codes that a sampler draws."""
    own, real = findings.held_out.get(findings.sampler), findings.held_out.get("posterior")
    if findings.flow_steps != 0 or own is None or real is None or not real < FAR_BETTER * own:
        return None
    lower, higher = (as_distance(distance) for distance in (real, own))
    return (
        f"Images from the codes of training images lie at a Fréchet distance of {lower} from validation images, new images at "
        f"{higher}: what is lost is lost by where codes come from. Try evaluate.flow_steps: {FLOW_STEPS}."
    )


def learned_prior(findings: Findings) -> str | None:
    """Advise a learned prior where a mixture that was fitted after training is far better than N(0, I)."""
    mixture, normal = (findings.held_out.get(kind) for kind in ("mixture", "normal"))
    if mixture is None or normal is None or not mixture < FAR_BETTER * normal:
        return None
    lower, higher = (as_distance(distance) for distance in (mixture, normal))
    return (
        f"Codes do not fill N(0, I): images from a mixture fitted afterwards lie at a Fréchet distance of {lower} from "
        f"validation images, those from N(0, I) at {higher}. Try model.prior_components: 100, a prior learned in training."
    )


def unused_dims(findings: Findings) -> str | None:
    """Advise on unused latent dimensions."""
    if (
        not findings.active
        or not findings.single_level
        or findings.dims - findings.active < max(1.0, UNUSED * findings.dims)
    ):
        return None
    return (
        f"Only {findings.active:,} of {findings.dims:,} latent dimensions are in use: model.latent_dim: {findings.active} should "
        "be as good, with a smaller model."
    )


Rule = Callable[[Findings], str | None]
RULES: tuple[Rule, ...] = (
    plain,
    too_few_images,
    collapsed,
    copies,
    unfinished,
    overfit,
    blurred,
    too_few_dims,
    other_sampler,
    flow,
    learned_prior,
    unused_dims,
)
