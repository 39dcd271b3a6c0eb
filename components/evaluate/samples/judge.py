"""New images of a model: where their codes should come from, how far they are from real images, what they are good for, and
whether they give training images away. Loads TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from components.evaluate.reconstruction.measure import SPLIT, batch_size
from components.evaluate.samples import distances, privacy, usefulness
from components.evaluate.samples.classifier import BATCH_SIZE as CLASSIFIED
from components.evaluate.samples.classifier import (
    feature_network,
    real_batches,
    steps_for,
    train_classifier,
    unlabelled,
)
from components.evaluate.samples.distances import Compared, compare
from components.evaluate.samples.features import FeatureSpace, classifier_space, features_of, random_space
from components.evaluate.samples.neighbours import NEIGHBOURS
from components.evaluate.samples.new_images import new_images, shared_labels
from components.evaluate.samples.privacy import PASSES, Memorisation, measure_memorisation
from components.evaluate.samples.sampler_choice import FITTED, SamplerResult, choose_sampler, samplers_of
from components.evaluate.samples.usefulness import Usefulness, measure_usefulness, seen
from components.examples.dataset import labelled_batches, readable
from components.examples.training_images import TrainingImages
from components.reporting.numbers import rounded
from models.code_samplers import CodeSampler
from models.vae import VAE
from schemas.artifacts.kinds import Examples
from schemas.errors import DataError

SCALED = 256  # training images by which a classifier's features are brought to one scale

Bar = Callable[..., AbstractContextManager[Callable[[int], None]]]


@dataclass(frozen=True)
class Judgement:
    """What is found of a model's new images; a clause says why something is left out.

    Attributes:
        sampler: Where codes come from.
        samplers: All that were tried, in the space `space`.
        space: Name of the feature space in which samplers are told apart.
        compared: Distances of the sampler's images.
        usefulness: For training a classifier.
        memorisation: Of training images.
        unchosen: Why samplers could not be set beside validation images, as a clause; None: they were.
    """

    sampler: CodeSampler
    samplers: tuple[SamplerResult, ...] | str
    space: str
    compared: Compared | str
    usefulness: Usefulness | str
    memorisation: Memorisation | str
    unchosen: str | None = None


def judge(
    vae: VAE,
    *,
    examples: Examples,
    seed: int,
    most: int,
    sampler: str,
    bar: Bar,
    asked: Sequence[FeatureSpace] = (),
    kept: Path | None = None,
) -> Judgement:
    """Judges new images by test images and training images.

    Args:
        vae: The model.
        examples: Whose images they should be like.
        seed: Of codes, classifiers and blocks.
        most: Images of each set, at most; 0: nothing is judged.
        sampler: Kind of the sampler of codes; or auto.
        bar: Draws a bar, of so many images in `total`.
        asked: Feature spaces that the recipe asks for, in which sets are compared, too.
        kept: Folder in which classifiers are kept, for after a kill; none: they are not.

    Raises:
        DataError: A fitted sampler is wanted, and nothing can be fitted.
    """
    images = TrainingImages(examples)
    records = images.statistics.records
    count = min(most, records[SPLIT], records["train"])
    if why := _nothing_to_judge(vae, most=most, count=count):
        prior = vae.prior_sampler()
        if sampler not in ("auto", prior.kind):
            raise DataError(
                f"evaluate.sampler: expected {prior.kind} or auto, found {sampler}, and nothing to fit it by: {why}"
            )
        return Judgement(prior, why, "", why, why, why)
    with readable(examples):
        return _judge(vae, images, count=count, seed=seed, wanted=sampler, bar=bar, asked=asked, kept=kept)


def _nothing_to_judge(vae: VAE, *, most: int, count: int) -> str | None:
    if most == 0:
        return "evaluate.distance_images is 0"
    if not vae.variational:
        return "a plain autoencoder has no distribution to draw new images from"
    if most <= NEIGHBOURS:
        return f"distances need more than {NEIGHBOURS} images, and evaluate.distance_images is {most}"
    if count <= NEIGHBOURS:
        return f"distances need more than {NEIGHBOURS} test and training images, and there are {count}"
    return None


def _judge(
    vae: VAE,
    images: TrainingImages,
    *,
    count: int,
    seed: int,
    wanted: str,
    bar: Bar,
    asked: Sequence[FeatureSpace],
    kept: Path | None,
) -> Judgement:
    examples, statistics = images.examples, images.statistics
    labels = shared_labels(vae, count=count)
    classifier, no_labels = None, unlabelled(images)
    spaces = [random_space(vae.image_shape)]
    if no_labels is None:
        classifier = classifier_of(vae, images, seed=seed, bar=bar, kept=kept)
        some = next(iter(real_images(vae, examples, split="train", count=SCALED)))
        spaces.append(classifier_space(feature_network(classifier, some)))

    def drawn(sampler: CodeSampler) -> Iterator[NDArray[np.float32]]:
        return new_images(vae, count=count, seed=seed, labels=labels, sampler=sampler)

    with bar("samplers", total=min(FITTED, images.count)) as update:
        samplers = samplers_of(vae, images, seed=seed, progress=update)
    held_out = min(count, statistics.records["validation"])
    total = 2 * count + held_out + len(samplers) * count
    with bar("distances", total=total) as update:
        told = _told(update)
        test, training, validation = (
            features_of(spaces, told(real_images(vae, examples, split=split, count=number))) if number else []
            for split, number in ((SPLIT, count), ("train", count), ("validation", held_out))
        )
        synthetic = [features_of(spaces, told(drawn(sampler))) for sampler in samplers]
    choice = choose_sampler(
        samplers, wanted=wanted, new=synthetic, test=test, training=training, validation=validation, seed=seed
    )
    chosen = choice.sampler
    new = next(features for sampler, features in zip(samplers, synthetic, strict=True) if sampler is chosen)
    if asked:  # of three sets alone, because such networks are large
        with bar("further features", total=3 * count) as update:
            told = _told(update)
            test += features_of(asked, told(real_images(vae, examples, split=SPLIT, count=count)))
            training += features_of(asked, told(real_images(vae, examples, split="train", count=count)))
            new = [*new, *features_of(asked, told(drawn(chosen)))]
    compared = compare([*spaces, *asked], test=test, training=training, synthetic=new, seed=seed)
    if no_labels is not None:
        compared = Compared(compared.found, {**compared.left_out, "classifier": no_labels})
    total = PASSES * images.count
    with bar("copies", total=total) as update:
        told = _told(lambda done: update(min(done, total)))  # a last pass, for the closest pairs, reads but some
        memorisation = measure_memorisation(
            lambda: drawn(chosen),
            held_out=lambda: real_images(vae, examples, split=SPLIT, count=count),
            training=lambda: told(real_images(vae, examples, split="train", count=images.count)),
        )
    return Judgement(
        chosen,
        choice.results,
        spaces[choice.place].name,
        compared,
        _usefulness(vae, classifier, images, chosen, why_not=no_labels, seed=seed, bar=bar, kept=kept),
        memorisation,
        choice.unchosen,
    )


def classifier_of(vae: VAE, images: TrainingImages, *, seed: int, bar: Bar, kept: Path | None = None) -> keras.Model:
    """A classifier of the real training images; see `judge` for `kept`."""
    steps = steps_for(images.count)
    with bar("classifier", total=steps * CLASSIFIED) as update:
        return train_classifier(
            real_batches(images, _crop(vae), seed=seed),
            image_shape=vae.image_shape,
            labels=len(images.statistics.labels),
            steps=steps,
            seed=seed,
            progress=update,
            kept=kept and kept / "classifier.npz",
        )


def _usefulness(
    vae: VAE,
    classifier: keras.Model | None,
    images: TrainingImages,
    sampler: CodeSampler,
    *,
    why_not: str | None,
    seed: int,
    bar: Bar,
    kept: Path | None,
) -> Usefulness | str:
    if classifier is None:
        return str(why_not)
    if not vae.conditional:
        return "the model makes images without labels (model.conditional: true makes one that takes them)"

    def made(count: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]] | None:
        labels, found = shared_labels(vae, count=count), []
        for batch in new_images(vae, count=count, seed=seed, labels=labels, sampler=sampler):
            if not np.isfinite(batch).all():  # rounded they would be black
                return None
            found.append(np.rint(batch * 255.0).astype(np.uint8))
        return np.concatenate(found), labels

    def test() -> Iterator[tuple[NDArray[Any], NDArray[np.int64]]]:
        for pixels, labels in labelled_batches(images.examples, SPLIT, batch_size=CLASSIFIED):
            yield np.asarray(_crop(vae)(pixels), np.float32) / 255.0, labels.numpy()

    with bar("usefulness", total=seen(images.count)) as update:
        return measure_usefulness(
            classifier,
            made,
            images=images,
            crop=_crop(vae),
            test=test,
            labels=len(images.statistics.labels),
            seed=seed,
            progress=update,
            kept=kept,
        )


def document(judged: Judgement) -> dict[str, Any]:
    """What ``metrics.json`` holds of it."""

    def short(value: float | None) -> float | None:
        return None if value is None else rounded(value)

    samplers: dict[str, Any] = {"left_out": judged.samplers}
    if not isinstance(judged.samplers, str):
        samplers = {
            "chosen": judged.sampler.kind,
            "space": judged.space,
            **({"left_out": judged.unchosen} if judged.unchosen else {}),
            **{
                result.sampler.kind: {name: short(getattr(result, name)) for name in ("held_out", "kernel", "frechet")}
                for result in judged.samplers
            },
            "doc": "Where codes of new images come from. held_out: Fréchet distance of their images from validation images, "
            "by which one is chosen; kernel, frechet: from test images.",
        }
    return {
        "distances": distances.document(judged.compared),
        "samplers": samplers,
        "usefulness": usefulness.document(judged.usefulness),
        "memorisation": privacy.document(judged.memorisation),
    }


def real_images(vae: VAE, examples: Examples, *, split: str, count: int) -> Iterator[NDArray[np.float32]]:
    """Batches of the first images of a split as the network sees them, scale 0 to 1."""
    height, width, _ = vae.image_shape
    for pixels, _labels in labelled_batches(examples, split, batch_size=batch_size(height, width), limit=count):
        yield np.asarray(_crop(vae)(pixels), np.float32) / 255.0


def _crop(vae: VAE) -> Callable[[Any], Any]:
    return lambda pixels: vae.crop(pixels, random=False)


def _told(update: Callable[[int], None]) -> Callable[[Iterable[NDArray[Any]]], Iterator[NDArray[Any]]]:
    """Passes batches on, and tells how many images there were, of all sets together."""
    done = 0

    def told(batches: Iterable[NDArray[Any]]) -> Iterator[NDArray[Any]]:
        nonlocal done
        for batch in batches:
            yield batch
            done += len(batch)
            update(done)

    return told
