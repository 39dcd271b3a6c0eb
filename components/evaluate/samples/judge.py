"""Judge a model's new images: by distance from real images, by usefulness, and by copies of training images.

This is also where the sampler of codes is chosen. Loads TensorFlow.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from components.evaluate.reconstruction.measure import SPLIT
from components.evaluate.samples import low_data
from components.evaluate.samples.calibration import FEWEST, MOST
from components.evaluate.samples.classifier import BATCH_SIZE as CLASSIFIER_BATCH
from components.evaluate.samples.classifier import (
    feature_network,
    real_batches,
    steps_for,
    train_classifier,
    unlabelled,
)
from components.evaluate.samples.degradations import BLUR, OF_IMAGES
from components.evaluate.samples.distances import Compared, compare
from components.evaluate.samples.features import FeatureSpace, classifier_space, features_of, random_space
from components.evaluate.samples.fitted_flow import fit_flow_to_images
from components.evaluate.samples.flow_trade import Stopwatch, multiplications
from components.evaluate.samples.image_sets import ImageSets
from components.evaluate.samples.judgement import Judgement
from components.evaluate.samples.low_data import measure_low_data, possible_sizes
from components.evaluate.samples.low_data_curve import NONE, Few, LowData
from components.evaluate.samples.measures import Measure, in_features, measures_of
from components.evaluate.samples.privacy import PASSES, Memorisation, measure_memorisation
from components.evaluate.samples.quality import Quality, measure_excess, measure_quality
from components.evaluate.samples.requirements import (
    NOT_CONDITIONAL,
    check_sampler,
    floor_split,
    images_compared,
    not_fitted,
    why_nothing_is_judged,
)
from components.evaluate.samples.sampler_choice import (
    choose_sampler,
)
from components.evaluate.samples.usefulness import Usefulness, images_seen, measure_usefulness, new_count
from components.examples.dataset import readable
from components.examples.training_images import TrainingImages
from components.latents.fitted_samplers import MAX_FITTED, fit_to_training
from models.code_samplers import CodeSampler, Mixture
from models.flow import Flow
from models.vae import VAE
from schemas.artifacts.kinds import Examples

SCALE_IMAGES = 256  # training images that set the scale of a classifier's features

Bar = Callable[..., AbstractContextManager[Callable[[int], None]]]


def judge(
    vae: VAE,
    *,
    examples: Examples,
    seed: int,
    max_images: int,
    sampler: str,
    flow_steps: int = 0,
    bar: Bar,
    extra_spaces: Sequence[FeatureSpace] = (),
    few: Few = NONE,
    work: Path | None = None,
) -> Judgement:
    """Judge new images by comparing them with test images and training images.

    Args:
        vae: The model.
        examples: Its Examples.
        seed: Seed of codes, of classifiers and of the kernel distance's blocks.
        max_images: Images of each set, at most; 0: nothing is judged.
        sampler: Kind of the sampler of codes; or auto.
        flow_steps: Steps in which a flow carries noise to codes; 0: no flow is fitted.
        bar: Opens a progress bar: ``bar(description, total=…)``.
        extra_spaces: Feature spaces that the recipe adds.
        few: The low-data curve that the recipe asks for.
        work: Folder for trained classifiers and flows, with which an interrupted evaluation resumes; None: they are not saved.

    Raises:
        DataError: The recipe names a fitted sampler, and there is nothing to fit it to.
    """
    images = TrainingImages(examples)
    why_no_flow = check_sampler(vae, images.statistics, max_images=max_images, sampler=sampler, flow_steps=flow_steps)
    if why := why_nothing_is_judged(vae, images.statistics, max_images=max_images):
        low = why if few.sizes else None
        return Judgement(vae.prior_sampler(), why, "", why, why, why, why, why_no_flow=why_no_flow, low_data=low)
    count = images_compared(images.statistics, max_images=max_images)
    with readable(examples):
        judging = _Judge(vae, images, count=count, seed=seed, bar=bar, few=few, work=work)
        steps = 0 if why_no_flow else flow_steps
        return judging.judgement(sampler, flow_steps=steps, why_no_flow=why_no_flow, extra_spaces=extra_spaces)


class _Judge:
    """The parts of a judgement, which share a model, its images and a classifier; see `judge`."""

    def __init__(
        self,
        vae: VAE,
        images: TrainingImages,
        *,
        count: int,
        seed: int,
        bar: Bar,
        few: Few,
        work: Path | None,
    ) -> None:
        self.vae = vae
        self.images = images
        self.count = count
        self.floor_split = floor_split(images.statistics)
        self.sets = ImageSets(vae, images, seed)
        self.seed = seed
        self.bar = bar
        self.few = few
        self.work = work
        self.why_no_classifier = unlabelled(images.statistics)
        self.classifier = (
            None if self.why_no_classifier else train_real_classifier(vae, images, seed=seed, bar=bar, work=work)
        )

    def judgement(
        self, sampler: str, *, flow_steps: int, why_no_flow: str | None, extra_spaces: Sequence[FeatureSpace]
    ) -> Judgement:
        """Choose a sampler and judge its images."""
        spaces = self._spaces()
        measures = measures_of(spaces)
        with self.bar("samplers", total=min(MAX_FITTED, self.images.count)) as update:
            samplers = fit_to_training(self.vae, self.images, seed=self.seed, progress=update)
        if flow_steps:
            flow = self._flow(flow_steps, next(one for one in samplers if isinstance(one, Mixture)))
            if isinstance(flow, str):
                if sampler == "flow":
                    raise not_fitted(self.vae, sampler, flow)
                why_no_flow = flow
            else:
                samplers.append(flow)
        held_out = min(self.count, self.images.statistics.records["validation"])
        watches = [Stopwatch() for _ in samplers]
        with self.bar("distances", total=(2 + len(samplers)) * self.count + held_out) as update:
            counted = _counting(update)
            test, training, validation = (
                features_of(spaces, counted(self.sets.real(split, size))) if size else []
                for split, size in ((SPLIT, self.count), ("train", self.count), ("validation", held_out))
            )
            synthetic = [
                features_of(spaces, counted(watch.timed(self.sets.new(candidate, self.count))))
                for candidate, watch in zip(samplers, watches, strict=True)
            ]
        excess = self._excess(measures, samplers)
        choice = choose_sampler(
            samplers,
            kind=sampler,
            synthetic=synthetic,
            test=test,
            training=training,
            validation=validation,
            excess=excess,
            work=[multiplications(self.vae, candidate) for candidate in samplers],
            speeds=[watch.speed for watch in watches],
            seed=self.seed,
        )
        chosen, memorisation = choice.sampler, self._memorisation(choice.sampler)
        if sampler == "auto" and choice.trade and chosen.kind == "flow" and _flagged(memorisation):
            why_no_flow = "its images are copies of training images too often"
            chosen = next(one for one in samplers if one.kind == choice.trade.kind)
            memorisation = self._memorisation(chosen)
        new_features = next(features for one, features in zip(samplers, synthetic, strict=True) if one is chosen)
        others = training if self.floor_split == "train" else validation
        if extra_spaces:  # the chosen sampler alone, because such networks are large
            with self.bar("further features", total=3 * self.count) as update:
                counted = _counting(update)
                test += features_of(extra_spaces, counted(self.sets.real(SPLIT, self.count)))
                others = [*others, *features_of(extra_spaces, counted(self.sets.real(self.floor_split, self.count)))]
                new_features = [*new_features, *features_of(extra_spaces, counted(self.sets.new(chosen, self.count)))]
        compared = compare(
            [*spaces, *extra_spaces],
            test=test,
            others=others,
            synthetic=new_features,
            floor_split=self.floor_split,
            seed=self.seed,
        )
        if self.why_no_classifier:
            compared = Compared(compared.distances, {**compared.left_out, "classifier": self.why_no_classifier})
        worth = self._quality([*measures, *map(in_features, extra_spaces)], chosen)
        useful, curve = self._usefulness(chosen)
        return Judgement(
            sampler=chosen,
            samplers=choice.results,
            space=spaces[choice.space_index].name,
            quality=worth,
            compared=compared,
            usefulness=useful,
            memorisation=memorisation,
            low_data=curve,
            why_not_chosen=choice.why_not_chosen,
            trade=choice.trade,
            why_no_flow=why_no_flow,
        )

    def _flow(self, steps: int, mixture: Mixture) -> Flow | str:
        return fit_flow_to_images(
            self.vae,
            self.images,
            mixture=mixture,
            steps=steps,
            seed=self.seed,
            bar=self.bar,
            saved=self.work / "flow.npz" if self.work else None,
        )

    def _spaces(self) -> list[FeatureSpace]:
        """Return the feature spaces that every evaluation has: the classifier's only where there is one."""
        spaces = [random_space(self.vae.image_shape)]
        if self.classifier is not None:
            images = next(iter(self.sets.real("train", SCALE_IMAGES)))
            spaces.append(classifier_space(feature_network(self.classifier, images)))
        return spaces

    def _excess(self, measures: Sequence[Measure], samplers: Sequence[CodeSampler]) -> list[float | None]:
        count = self._described("validation", "train")
        if count < FEWEST:
            return [None] * len(samplers)
        with self.bar("scales", total=(2 + len(BLUR.steps)) * count) as update:
            return measure_excess(measures, self.sets, samplers, count=count, progress=update)

    def _quality(self, measures: Sequence[Measure], sampler: CodeSampler) -> Quality | str:
        count = self._described(SPLIT, "validation")
        if count < FEWEST:
            return f"it takes {FEWEST} test images and as many validation images, and there are {count} of both"
        steps = sum(len(degradation.steps) for degradation in OF_IMAGES)
        with self.bar("quality", total=(2 + steps) * count) as update:
            return measure_quality(measures, self.sets, sampler, count=count, progress=update)

    def _described(self, *splits: str) -> int:
        """Return the number of images of each of these splits by which measures are calibrated."""
        return min(self.count, MOST, *(self.images.statistics.records[split] for split in splits))

    def _memorisation(self, sampler: CodeSampler) -> Memorisation | str:
        total = PASSES * self.images.count
        with self.bar("copies", total=total) as update:
            # A last pass, for the closest pairs, reads only some training images: the bar is full already.
            counted = _counting(lambda done: update(min(done, total)))
            return measure_memorisation(
                lambda: self.sets.new(sampler, self.count),
                held_out=lambda: self.sets.real(SPLIT, self.count),
                training=lambda: counted(self.sets.real("train", self.images.count)),
            )

    def _usefulness(self, sampler: CodeSampler) -> tuple[Usefulness | str, LowData | str | None]:
        """Return how useful new images are beside all real images, and beside few."""
        if self.classifier is None or not self.vae.conditional:
            why = self.why_no_classifier or NOT_CONDITIONAL
            return why, why if self.few.sizes else None
        shared: dict[str, Any] = {
            "images": self.images,
            "crop": _crop(self.vae),
            "test": lambda: self.sets.real_labelled(SPLIT, batch_size=CLASSIFIER_BATCH),
            "seed": self.seed,
            "work": self.work,
        }

        @functools.cache
        def labelled_images(count: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]] | None:
            return self.sets.new_labelled(sampler, count)

        with self.bar("usefulness", total=images_seen(self.images.count)) as update:
            labels = len(self.images.statistics.labels)
            useful = measure_usefulness(self.classifier, labelled_images, labels=labels, progress=update, **shared)
        if not self.few.sizes:
            return useful, None
        shape = self.vae.image_shape
        possible, _ = possible_sizes(self.images.statistics, self.few, shape=shape)
        with self.bar("low-data curve", total=low_data.images_seen(len(possible), draws=self.few.draws)) as update:
            new = labelled_images(new_count(self.images.count, shape))
            return useful, measure_low_data(self.classifier, new, few=self.few, progress=update, **shared)


def train_real_classifier(
    vae: VAE, images: TrainingImages, *, seed: int, bar: Bar, work: Path | None = None
) -> keras.Model:
    """Train a classifier on the real training images; see `judge` for `work`."""
    steps = steps_for(images.count)
    with bar("classifier", total=steps * CLASSIFIER_BATCH) as update:
        return train_classifier(
            real_batches(images, _crop(vae), seed=seed),
            image_shape=vae.image_shape,
            labels=len(images.statistics.labels),
            steps=steps,
            seed=seed,
            progress=update,
            saved=work / "classifier.npz" if work else None,
        )


def _flagged(memorisation: Memorisation | str) -> bool:
    return not isinstance(memorisation, str) and memorisation.flagged


def _crop(vae: VAE) -> Callable[[Any], Any]:
    return lambda pixels: vae.crop(pixels, random=False)


def _counting(update: Callable[[int], None]) -> Callable[[Iterable[NDArray[Any]]], Iterator[NDArray[Any]]]:
    """Return a function that passes batches on, and updates a bar with the number of images of all sets so far."""
    done = 0

    def counted(batches: Iterable[NDArray[Any]]) -> Iterator[NDArray[Any]]:
        nonlocal done
        for batch in batches:
            yield batch
            done += len(batch)
            update(done)

    return counted
