"""What it takes to judge new images, to fit a flow and to measure a low-data curve: told from counts, before long work begins."""

from __future__ import annotations

from components.evaluate.reconstruction.measure import SPLIT
from components.evaluate.samples.calibration import FEWEST
from components.evaluate.samples.classifier import unlabelled
from components.evaluate.samples.low_data import TOO_FEW_TESTS, possible_sizes
from components.evaluate.samples.low_data_curve import Few
from components.evaluate.samples.neighbours import NEIGHBOURS
from components.reporting.console import counted
from models.vae import VAE
from schemas.artifacts.records import Statistics
from schemas.errors import DataError

NOT_CONDITIONAL = "the model makes images without labels (model.conditional: true makes one that takes them)"
FLOW_IMAGES = 500  # fewest training images that a flow is fitted to
FLOW_IMAGES_OF_LABEL = 20  # fewest of each label: of a label with one image, it would make that image
FLOW_HELD_OUT = 50  # fewest validation images, by which its training ends


def check_sampler(vae: VAE, statistics: Statistics, *, max_images: int, sampler: str, flow_steps: int) -> str | None:
    """Check that the sampler that a recipe names can be had.

    Args:
        vae: The model.
        statistics: Of its Examples.
        max_images: The recipe's `evaluate.distance_images`.
        sampler: Its `evaluate.sampler`.
        flow_steps: Its `evaluate.flow_steps`.

    Returns:
        Why no flow will be fitted, as a clause; None: one will be, or the recipe asks for none.

    Raises:
        DataError: The recipe names a fitted sampler, and there is too little to fit it to.
    """
    why, prior = why_nothing_is_judged(vae, statistics, max_images=max_images), vae.prior_sampler().kind
    why_no_flow = (why or why_no_flow_fits(statistics, conditional=vae.conditional)) if flow_steps else None
    if sampler == "flow":
        why = why_no_flow
    if why and sampler not in ("auto", prior):
        raise not_fitted(vae, sampler, why)
    return why_no_flow


def not_fitted(vae: VAE, sampler: str, why: str) -> DataError:
    """Return the error that the sampler which a recipe names cannot be fitted; `why` is a clause."""
    prior = vae.prior_sampler().kind
    return DataError(f"evaluate.sampler: expected {prior} or auto, found {sampler}, which cannot be fitted: {why}")


def floor_split(statistics: Statistics) -> str:
    """Return the split of the real images whose distance from test images is the floor.

    A classifier knows the training images: their distance would be too high a floor.
    """
    return "validation" if statistics.records["validation"] >= FEWEST else "train"


def images_compared(statistics: Statistics, *, max_images: int) -> int:
    """Return the number of images of each set that is compared."""
    records = statistics.records
    return min(max_images, records[SPLIT], records["train"], records[floor_split(statistics)])


def why_nothing_is_judged(vae: VAE, statistics: Statistics, *, max_images: int) -> str | None:
    """Return why new images cannot be judged, as a clause; None: they can."""
    if max_images == 0:
        return "evaluate.distance_images is 0"
    if not vae.variational:
        return "a plain autoencoder has no distribution to draw new images from"
    if max_images <= NEIGHBOURS:
        return f"distances need more than {NEIGHBOURS} images, and evaluate.distance_images is {max_images}"
    count = images_compared(statistics, max_images=max_images)
    if count <= NEIGHBOURS:
        return f"distances need more than {NEIGHBOURS} test and training images, and there are {count}"
    return None


def low_data_left_out(vae: VAE, statistics: Statistics, few: Few, *, max_images: int) -> list[str]:
    """Return what cannot be measured of the low-data curve that a recipe asks for, and why, as clauses; [] where it can."""
    if not few.sizes:
        return []
    whole = why_nothing_is_judged(vae, statistics, max_images=max_images) or unlabelled(statistics)
    if whole is None and not vae.conditional:
        whole = NOT_CONDITIONAL
    if whole is None and sum(statistics.images_per_label.get(SPLIT, {}).values()) < 2:
        whole = TOO_FEW_TESTS
    if whole:
        return [whole]
    _, left_out = possible_sizes(statistics, few, shape=vae.image_shape)
    return [f"{counted(size, 'real image')} of each label: {why}" for size, why in left_out.items()]


def why_no_flow_fits(statistics: Statistics, *, conditional: bool) -> str | None:
    """Return why no flow can be fitted to images that can be judged, as a clause; None: one can."""
    for split, title, fewest in (("train", "training", FLOW_IMAGES), ("validation", "validation", FLOW_HELD_OUT)):
        if (count := statistics.records[split]) < fewest:
            return f"a flow takes {fewest} {title} images, and there are {count}"
    if conditional:
        per_label = statistics.images_per_label.get("train", {})
        label = min(per_label, key=per_label.__getitem__)  # nothing is generated of labels without training images
        if per_label[label] < FLOW_IMAGES_OF_LABEL:
            return (
                f"a flow takes {FLOW_IMAGES_OF_LABEL} training images of each label, and {label} has {per_label[label]}"
            )
    return None
