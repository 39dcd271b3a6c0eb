"""New images are judged: what is found of them, what is left out and why, and where their codes should come from.

Most images here have two halves, each of one brightness. A model made by hand reads and draws them without fault: its codes
are the two brightnesses, which lie on a ring, where the prior has its centre.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import pytest

from components.device import prepare_device
from components.evaluate import classifier, features, fitted_samplers, judge
from components.evaluate.distances import Compared, Distances
from components.evaluate.features import FeatureSpace
from components.evaluate.judge import Judgement, SamplerResult, document
from components.evaluate.privacy import Memorisation
from components.evaluate.usefulness import Usefulness
from models.code_samplers import CodeSampler, Normal
from models.likelihoods import WeightedMse
from models.normalisation import Normalise
from models.vae import VAE
from schemas.artifacts import Examples, Model

MakeExamples = Callable[..., Examples]
MakeModel = Callable[..., Model]
Array = np.ndarray[Any, Any]

SHAPE = (8, 8, 1)
SCALE = 6.0  # of a code, over brightness
CHOOSE = 20  # of validation images, here
SIDES = ("dark", "bright")  # labels: of the left half
UNLABELLED = "the training images have no labels"
NOT_CONDITIONAL = "the model makes images without labels (model.conditional: true makes one that takes them)"


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    """Small feature networks, few steps and few validation images."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(features, "FILTERS", (4, 8, 16))
        patch.setattr(classifier, "EPOCHS", 2)
        patch.setattr(judge, "CHOOSE", CHOOSE)
        prepare_device(deterministic=True)
        yield


class Bars:
    """Stands for `components.console.bar`.

    Attributes:
        told: By description, the total and what an update told.
    """

    def __init__(self) -> None:
        self.told: dict[str, tuple[int, list[int]]] = {}

    @contextmanager
    def __call__(self, description: str, *, total: int) -> Iterator[Callable[[int], None]]:
        done: list[int] = []
        self.told[description] = (total, done)
        yield done.append


def judged(vae: VAE, examples: Examples, **options: Any) -> Judgement:
    return judge.judge(vae, examples=examples, **{"seed": 0, "most": 1000, "sampler": "auto", "bar": Bars(), **options})


def load(model: Model) -> VAE:
    return keras.models.load_model(model.vae_path, compile=False, safe_mode=True)


def ring_vae() -> VAE:
    """Codes are the halves' brightnesses, less a half and times `SCALE`; posteriors are narrow."""
    side = np.zeros((*SHAPE, 2))
    side[:, :4, :, 0] = side[:, 4:, :, 1] = 1.0
    side = side.reshape(-1, 2)
    images = keras.Input(SHAPE)
    flat = keras.layers.Flatten()(images)
    mean, log_variance = (keras.layers.Dense(2, name=name) for name in ("mean", "log_variance"))
    encoder = keras.Model(images, [mean(flat), log_variance(flat)])
    mean.set_weights([side * SCALE / side[:, 0].sum(), np.full(2, -SCALE / 2)])
    log_variance.set_weights([np.zeros_like(side), np.full(2, -8.0)])
    codes = keras.Input((2,))
    outwards = keras.layers.Dense(len(side))
    decoder = keras.Model(codes, keras.layers.Reshape(SHAPE)(outwards(codes)))
    outwards.set_weights([side.T / SCALE, np.full(len(side), 0.5)])
    return VAE(
        encoder=encoder, decoder=decoder, likelihood=WeightedMse(100.0, "linear"), normalise=Normalise([0.0], [1.0])
    )


def ring_images(count: int = 200) -> tuple[Array, list[int]]:
    """Images of halves whose codes lie on a ring of radius 2, and whether the left half is bright: 0 or 1."""
    random = np.random.default_rng(0)
    angle = random.uniform(0, 2 * np.pi, count)
    codes = 2 * np.stack([np.cos(angle), np.sin(angle)], axis=1) + 0.05 * random.standard_normal((count, 2))
    brightness = np.rint((0.5 + codes / SCALE) * 255).astype(np.uint8)
    images = brightness.repeat(4, axis=1)[:, None, :, None].repeat(8, axis=1)  # [N, 8, 8, 1]
    return images, (codes[:, 0] > 0).astype(int).tolist()


@pytest.fixture(scope="module")
def ring(make_examples: MakeExamples) -> Examples:
    """Without labels."""
    return make_examples(ring_images()[0], training=200, validation=100)


@pytest.fixture(scope="module")
def labelled_ring(make_examples: MakeExamples) -> Examples:
    """The same with labels."""
    images, labels = ring_images()
    return make_examples(images, labels=labels, names=SIDES, training=200, validation=100)


@pytest.fixture(scope="module")
def bars() -> dict[str, Bars]:
    """By fixture, what was told while it was made."""
    return {"plain": Bars(), "conditional": Bars()}


@pytest.fixture(scope="module")
def plain(ring: Examples, bars: dict[str, Bars]) -> Judgement:
    """Of a model without labels, on images without labels."""
    return judged(ring_vae(), ring, bar=bars["plain"])


@pytest.fixture(scope="module")
def labelled(labelled_ring: Examples) -> Judgement:
    """Of a model without labels, on images with labels."""
    return judged(ring_vae(), labelled_ring)


@pytest.fixture(scope="module")
def noise(make_examples: MakeExamples, make_model: MakeModel) -> tuple[Examples, VAE, Judgement]:
    """Of a model that nobody trained: thirty test images, twenty of them in the training split, too."""
    examples = make_examples(training=20)
    vae = load(make_model(examples))
    return examples, vae, judged(vae, examples)


@pytest.fixture(scope="module")
def conditional(
    make_examples: MakeExamples, make_model: MakeModel, bars: dict[str, Bars]
) -> tuple[Examples, VAE, Judgement]:
    """Of a conditional model that nobody trained."""
    examples = make_examples(labels=[0, 1] * 15, names=("hat", "shoe"), training=20)
    vae = load(make_model(examples, conditional=True))
    return examples, vae, judged(vae, examples, bar=bars["conditional"])


def spaces(found: Judgement) -> dict[str, Distances]:
    """Those in which something was found."""
    assert isinstance(found.compared, Compared)
    return {distances.space.name: distances for distances in found.compared.found}


def samplers(found: Judgement) -> dict[str, SamplerResult]:
    assert not isinstance(found.samplers, str)
    return {result.sampler.kind: result for result in found.samplers}


def assert_nothing(found: Judgement, why: str) -> None:
    """Nothing is judged, and each part says why."""
    assert found == Judgement(found.sampler, why, "", why, why, why)
    assert isinstance(found.sampler, Normal)
    names = ("distances", "samplers", "usefulness", "memorisation")
    assert document(found) == {name: {"left_out": why} for name in names}


@pytest.mark.parametrize(("training", "images"), [(0, 30), (5, 30), (4, 4)])
def test_too_few_images_are_said(
    training: int, images: int, make_examples: MakeExamples, make_model: MakeModel, noise_images: Callable[..., Any]
) -> None:
    examples = make_examples(noise_images(images), training=training)
    found = judged(load(make_model(examples)), examples)
    assert_nothing(found, f"distances need more than 5 test and training images, and there are {training}")


def test_a_plain_autoencoder_has_no_new_images(ring: Examples) -> None:
    vae = ring_vae()
    vae.kl = "none"
    assert_nothing(judged(vae, ring), "a plain autoencoder has no distribution to draw new images from")


def test_nobody_has_to_ask_for_it(ring: Examples) -> None:
    bars = Bars()
    assert_nothing(judged(ring_vae(), ring, most=0, bar=bars), "evaluate.distance_images is 0")
    assert bars.told == {}


def test_one_image_more_than_too_few_is_enough(make_examples: MakeExamples, make_model: MakeModel) -> None:
    examples = make_examples(training=6)
    assert spaces(judged(load(make_model(examples)), examples))["random"].images == 6


def test_sets_are_compared_at_one_size(noise: tuple[Examples, VAE, Judgement]) -> None:
    examples, vae, found = noise
    assert spaces(found)["random"].images == 20
    fewer = judged(vae, examples, most=10)
    assert spaces(fewer)["random"].images == 10
    assert isinstance(fewer.memorisation, Memorisation)
    assert (fewer.memorisation.images, fewer.memorisation.training) == (10, 20)


def test_training_images_that_are_the_test_images_are_the_lowest_floor(noise: tuple[Examples, VAE, Judgement]) -> None:
    floor = spaces(noise[2])["random"].floor
    assert floor.frechet == pytest.approx(0.0, abs=1e-4)
    assert (floor.manifold.precision, floor.manifold.recall, floor.manifold.coverage) == (1.0, 1.0, 1.0)


def test_an_untrained_model_is_far_from_it(noise: tuple[Examples, VAE, Judgement]) -> None:
    distances = spaces(noise[2])["random"]
    assert distances.synthetic.frechet > 10 * distances.floor.frechet + 0.01
    assert distances.synthetic.manifold.recall < 0.5  # all its images look alike


def test_a_model_that_knows_its_images_is_near_it(plain: Judgement) -> None:
    distances = spaces(plain)["random"]
    assert distances.images == 200
    assert distances.synthetic.manifold.coverage > 0.9
    assert distances.synthetic.frechet < 0.1 * samplers(plain)["normal"].frechet


def test_the_seed_decides(noise: tuple[Examples, VAE, Judgement]) -> None:
    examples, vae, found = noise
    assert document(judged(vae, examples)) == document(found)
    other = judged(vae, examples, seed=1)
    assert samplers(other)["normal"].frechet != samplers(found)["normal"].frechet
    assert spaces(other)["random"].floor.frechet == spaces(found)["random"].floor.frechet


def test_the_seed_decides_what_classifiers_learn(conditional: tuple[Examples, VAE, Judgement]) -> None:
    examples, vae, found = conditional
    other = judged(vae, examples, seed=1)
    assert spaces(other)["classifier"].space.digest != spaces(found)["classifier"].space.digest
    assert spaces(other)["random"].space.digest == spaces(found)["random"].space.digest


def test_images_with_labels_have_a_classifiers_space_as_well(plain: Judgement, labelled: Judgement) -> None:
    assert list(spaces(plain)) == ["random"]
    assert list(spaces(labelled)) == ["random", "classifier"]
    assert (plain.space, labelled.space) == ("random", "classifier")
    assert spaces(labelled)["random"].floor == spaces(plain)["random"].floor


def test_without_labels_everything_else_stands(plain: Judgement) -> None:
    assert plain.usefulness == UNLABELLED
    assert isinstance(plain.memorisation, Memorisation)
    assert list(samplers(plain)) == ["normal", "uniform", "mixture", "posterior"]
    assert document(plain)["usefulness"] == {"left_out": UNLABELLED}


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        ([0] * 30, "all training images have the same label"),
        ([index % 3 - 1 for index in range(30)], "some training images have no label"),
        ([-1] * 30, UNLABELLED),
        ([-1] * 20 + [0, 1] * 5, UNLABELLED),  # test images alone have any
    ],
)
def test_labels_that_teach_nothing_are_as_none(
    labels: list[int], why: str, make_examples: MakeExamples, make_model: MakeModel
) -> None:
    examples = make_examples(labels=labels, names=("hat", "shoe"), training=20)
    found = judged(load(make_model(examples)), examples)
    assert found.usefulness == why
    assert list(spaces(found)) == ["random"]
    assert found.space == "random"
    assert isinstance(found.memorisation, Memorisation)


def test_a_model_without_labels_teaches_no_classifier(labelled: Judgement) -> None:
    assert labelled.usefulness == NOT_CONDITIONAL


def test_a_conditional_models_images_are_tried_for_training(conditional: tuple[Examples, VAE, Judgement]) -> None:
    useful = conditional[2].usefulness
    assert isinstance(useful, Usefulness)
    assert (useful.images, useful.test_images) == (20, 30)
    assert list(spaces(conditional[2])) == ["random", "classifier"]


def test_codes_come_from_the_sampler_whose_images_are_nearest_to_validation_images(plain: Judgement) -> None:
    held_out = {kind: result.held_out for kind, result in samplers(plain).items()}
    assert None not in held_out.values()
    assert plain.sampler.kind == min(("normal", "uniform", "mixture"), key=held_out.__getitem__) == "mixture"
    assert plain.sampler is samplers(plain)["mixture"].sampler
    assert spaces(plain)["random"].synthetic.frechet == samplers(plain)["mixture"].frechet
    assert spaces(plain)["random"].synthetic.kernel.value == samplers(plain)["mixture"].kernel


def test_codes_of_training_images_are_not_taken_unasked(ring: Examples, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitted_samplers, "COMPONENTS", (1,))  # no mixture that matches a ring
    found = judged(ring_vae(), ring)
    held_out = {kind: result.held_out for kind, result in samplers(found).items()}
    assert min(held_out, key=held_out.__getitem__) == "posterior"
    assert found.sampler.kind == min(("normal", "uniform", "mixture"), key=held_out.__getitem__)


@pytest.mark.parametrize("kind", ["normal", "uniform", "mixture", "posterior"])
def test_a_sampler_that_is_named_is_taken(kind: str, ring: Examples, plain: Judgement) -> None:
    found = judged(ring_vae(), ring, sampler=kind)
    assert found.sampler.kind == kind
    assert document(found)["samplers"] == {**document(plain)["samplers"], "chosen": kind}
    assert spaces(found)["random"].synthetic.frechet == samplers(plain)[kind].frechet


@pytest.mark.parametrize(
    ("validation", "most", "chosen"),
    [(0, 1000, "normal"), (CHOOSE - 1, 1000, "normal"), (CHOOSE, 1000, "mixture"), (CHOOSE, CHOOSE - 1, "normal")],
)
def test_too_few_validation_images_choose_nothing_but_the_prior(
    validation: int, most: int, chosen: str, make_examples: MakeExamples
) -> None:
    examples = make_examples(ring_images()[0], training=200, validation=validation)
    found = judged(ring_vae(), examples, most=most)
    assert found.sampler.kind == chosen
    unknown = [result.held_out is None for result in samplers(found).values()]
    assert unknown == [chosen == "normal"] * 4
    assert all(result.frechet >= 0 for result in samplers(found).values())


def test_a_named_sampler_needs_no_validation_images(make_examples: MakeExamples) -> None:
    examples = make_examples(ring_images()[0], training=200)
    assert judged(ring_vae(), examples, sampler="uniform").sampler.kind == "uniform"


def without_numbers(space: FeatureSpace) -> FeatureSpace:
    """The same space, in which no feature is a number."""
    network = space.network
    nothing = keras.Model(network.inputs, keras.layers.Rescaling(float("nan"))(network.output))
    return FeatureSpace(space.name, space.doc, nothing)


@pytest.mark.parametrize(("broken", "left"), [("random", "classifier"), ("classifier", "random")])
def test_a_space_without_numbers_leaves_out_itself_alone(
    broken: str, left: str, labelled_ring: Examples, labelled: Judgement, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = getattr(judge, f"{broken}_space")
    monkeypatch.setattr(judge, f"{broken}_space", lambda *given: without_numbers(make(*given)))
    found = judged(ring_vae(), labelled_ring)
    assert list(spaces(found)) == [left]
    assert isinstance(found.compared, Compared)
    assert found.compared.left_out == {broken: "the features of some image are not finite numbers"}
    assert spaces(found)[left].floor.frechet == spaces(labelled)[left].floor.frechet
    json.dumps(document(found), allow_nan=False)


class Nowhere(CodeSampler):
    """Codes that no decoder can draw."""

    kind = "uniform"

    def codes(self, normal: Any, uniform: Any, labels: Any = None, *, temperature: Any = 1.0) -> Any:
        return np.full(np.shape(normal), np.nan, np.float32)

    def arrays(self) -> dict[str, Array]:
        return {}


def test_a_sampler_whose_images_are_no_numbers_is_not_taken(
    ring: Examples, plain: Judgement, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit = judge.fit_samplers

    def fit_samplers(*given: Any, **options: Any) -> list[CodeSampler]:
        return [Nowhere() if sampler.kind == "uniform" else sampler for sampler in fit(*given, **options)]

    monkeypatch.setattr(judge, "fit_samplers", fit_samplers)
    found = judged(ring_vae(), ring)
    assert found.sampler.kind == "mixture"
    assert document(found)["samplers"]["mixture"] == document(plain)["samplers"]["mixture"]


def test_images_that_are_all_the_same_are_said(make_examples: MakeExamples, make_model: MakeModel) -> None:
    examples = make_examples(np.full((10, *SHAPE), 7, np.uint8), training=10)
    found = judged(load(make_model(examples)), examples)
    assert found.compared == Compared((), {"random": "all test images are the same"})
    assert found.memorisation == "all training images are the same"
    json.dumps(document(found), allow_nan=False)


def test_images_are_judged_at_their_centre(make_examples: MakeExamples, make_model: MakeModel) -> None:
    images = np.random.default_rng(7).integers(0, 256, (30, 12, 10, 1), dtype=np.uint8)
    options: dict[str, Any] = {"labels": [0, 1] * 15, "names": SIDES, "training": 20}
    found = []
    for examples in (make_examples(images, margin=4, **options), make_examples(images[:, 2:-2, 2:-2], **options)):
        found.append(document(judged(load(make_model(examples, conditional=True)), examples)))
    assert found[0] == found[1]


@pytest.mark.usefixtures("plain", "conditional")
@pytest.mark.parametrize(
    ("name", "descriptions"),
    [
        ("plain", ["samplers", "distances", "copies"]),
        ("conditional", ["classifier", "samplers", "distances", "copies", "usefulness"]),
    ],
)
def test_bars_end_at_their_totals(name: str, descriptions: list[str], bars: dict[str, Bars]) -> None:
    assert list(bars[name].told) == descriptions
    for total, done in bars[name].told.values():
        assert done == sorted(done)
        assert done[-1] == total


def test_the_document_names_all_that_was_tried(
    labelled: Judgement, conditional: tuple[Examples, VAE, Judgement]
) -> None:
    said = document(labelled)
    assert json.loads(json.dumps(said, allow_nan=False)) == said
    assert list(said) == ["distances", "samplers", "usefulness", "memorisation"]
    assert list(said["distances"]) == ["random", "classifier"]
    tried = said["samplers"]
    assert (tried["chosen"], tried["space"]) == (labelled.sampler.kind, "classifier")
    for kind in ("normal", "uniform", "mixture", "posterior"):
        assert set(tried[kind]) == {"held_out", "kernel", "frechet"}
    assert set(said["memorisation"]) >= {"exact", "near", "flagged", "verdict"}
    assert set(document(conditional[2])["usefulness"]) >= {"real", "synthetic", "both", "ratio"}
