"""All network families pass the same tests. A new family is one more line in FAMILIES.

The model of a family is built once and shared by its tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
from keras import ops

from models.build import build_vae
from models.networks.resnet import map_sizes
from models.vae import VAE
from schemas.artifacts.records import Statistics
from schemas.recipe.model import (
    BernoulliLoss,
    ConvModel,
    DenseModel,
    GaussianLoss,
    LogisticLoss,
    LossSettings,
    ModelSettings,
    MseLoss,
    ResnetModel,
)

Array = np.ndarray[Any, Any]
Inputs = Array | dict[str, Array]
BATCH = 8
LABELS = 3
BERNOULLI = BernoulliLoss(likelihood="bernoulli")
MSE = MseLoss(likelihood="mse", weight=100.0)
SMALL = ConvModel(network="conv", encoder=((4, 2), (6, 2)), decoder=((6, 2), (4, 2)), base_filters=3)
RESNET = ResnetModel(network="resnet", latent_dim=3, widths=(4, 6))


class Family(NamedTuple):
    """A network, its loss, and the images that it sees."""

    model: ModelSettings
    loss: LossSettings
    image: tuple[int, int, int]
    normalise: str = "unit"
    stored: tuple[int, int] | None = None

    @property
    def codes(self) -> int:
        """Number of dimensions of a code."""
        if not isinstance(self.model, ResnetModel):
            return self.model.latent_dim
        height, width = map_sizes(self.model, image_shape=self.image)[-1]
        return self.model.latent_dim + height * width * self.model.local_latents

    @property
    def labels(self) -> int:
        """Number of labels that the network takes."""
        return LABELS if self.model.conditional else 0


FAMILIES = {
    "dense": Family(DenseModel(network="dense", hidden=(16, 8)), BERNOULLI, (6, 6, 1)),
    "dense_leaky_rgb_non_square": Family(
        DenseModel(network="dense", latent_dim=3, hidden=(8,), activation="leaky_relu"), MSE, (5, 7, 3), "standardise"
    ),
    "dense_gated": Family(DenseModel(network="dense", hidden=(16, 8), activation="glu"), BERNOULLI, (6, 6, 1)),
    "conv": Family(SMALL, BERNOULLI, (8, 8, 1)),
    "conv_batch_norm_leaky": Family(
        SMALL.model_copy(update={"batch_norm": "before", "activation": "leaky_relu", "negative_slope": 0.2}),
        MSE,
        (8, 8, 1),
    ),
    "conv_of_fashion_products": Family(
        SMALL.model_copy(
            update={"batch_norm": "after", "decoder_activation": "linear", "base_activation": "relu", "hidden": (5,)}
        ),
        MSE,
        (8, 8, 3),
    ),
    "conv_rgb_output_stride": Family(
        SMALL.model_copy(update={"output_stride": 2, "latent_dim": 5}), MSE, (16, 16, 3), "symmetric"
    ),
    "conv_non_square": Family(SMALL.model_copy(update={"kernel_size": 5}), MSE, (8, 12, 1), "standardise"),
    "conv_fresh_crop": Family(SMALL, BERNOULLI, (8, 8, 1), "unit", (10, 11)),
    "conv_limited": Family(SMALL.model_copy(update={"log_variance_limit": (-5.0, 5.0)}), BERNOULLI, (8, 8, 1)),
    "resnet": Family(RESNET, BERNOULLI, (8, 8, 1)),
    "resnet_learned_deviation": Family(RESNET, GaussianLoss(likelihood="gaussian"), (8, 8, 3), "standardise"),
    "dense_logistic": Family(
        DenseModel(network="dense", hidden=(16,)),
        LogisticLoss(likelihood="logistic", components=2),
        (6, 6, 3),
        "symmetric",
    ),
    "resnet_odd_sub_pixel_rgb": Family(
        RESNET.model_copy(update={"upsampling": "sub_pixel", "widths": (4, 4, 6), "blocks": 2}), MSE, (11, 7, 3)
    ),
    "resnet_patches_relu": Family(RESNET.model_copy(update={"patch": 4, "activation": "relu"}), MSE, (18, 16, 3)),
    "resnet_two_levels_binarised": Family(
        RESNET.model_copy(update={"local_latents": 2}),
        BernoulliLoss(likelihood="bernoulli", binarise=True),
        (8, 10, 1),
    ),
    "resnet_two_levels_learned_prior": Family(
        RESNET.model_copy(update={"local_latents": 1, "prior_components": 3}), BERNOULLI, (8, 8, 1)
    ),
    "dense_learned_prior_conditional": Family(
        DenseModel(network="dense", hidden=(16,), conditional=True, prior_components=4), MSE, (6, 6, 1)
    ),
    "resnet_two_levels_conditional": Family(
        RESNET.model_copy(update={"local_latents": 1, "conditional": True, "patch": 2}), BERNOULLI, (8, 8, 1)
    ),
    "dense_conditional": Family(DenseModel(network="dense", hidden=(16, 8), conditional=True), BERNOULLI, (6, 6, 1)),
    "conv_conditional_batch_norm_fresh_crop": Family(
        SMALL.model_copy(update={"conditional": True, "batch_norm": "before"}), MSE, (8, 8, 3), "symmetric", (10, 11)
    ),
}
# Families that have all kinds of layers between them.
ONE_OF_EACH_LAYER = (
    "dense_gated",
    "conv_conditional_batch_norm_fresh_crop",
    "resnet_two_levels_conditional",
    "dense_learned_prior_conditional",
)


@pytest.fixture(scope="module", params=FAMILIES)
def family(request: pytest.FixtureRequest) -> Family:
    """Each family in turn."""
    return FAMILIES[request.param]


@pytest.fixture(scope="module")
def statistics(family: Family, make_statistics: Callable[..., Statistics]) -> Statistics:
    """Statistics of the images that the family sees."""
    return make_statistics(*family.image, stored=family.stored, normalise=family.normalise, labels=family.labels)


@pytest.fixture(scope="module")
def inputs(family: Family, statistics: Statistics, make_pixels: Callable[..., Array]) -> Inputs:
    """Return a batch of the images that the family sees, with labels if it takes them."""
    pixels = make_pixels(statistics, BATCH)
    return {"pixels": pixels, "labels": labels_for(family)} if family.labels else pixels


@pytest.fixture(scope="module")
def shared_vae(family: Family, statistics: Statistics) -> VAE:
    """Build the family's untrained model."""
    return build_vae(family.model, family.loss, statistics, seed=3)


@pytest.fixture
def vae(shared_vae: VAE) -> Iterator[VAE]:
    """Yield the family's untrained model, and restore its weights after the test."""
    initial = weights_of(shared_vae)
    yield shared_vae
    shared_vae.set_weights(initial)


def labels_for(family: Family) -> Array | None:
    """Return the labels of a batch, if the family takes labels."""
    return np.arange(BATCH) % LABELS if family.labels else None


def noise_for(vae: VAE) -> Array:
    """Return noise for the codes of a batch."""
    return np.random.default_rng(1).standard_normal((BATCH, vae.latent_dim)).astype(np.float32)


def terms_of(vae: VAE, inputs: Inputs) -> dict[str, Array]:
    """Return the terms of a batch, for noise that is always the same."""
    return {name: ops.convert_to_numpy(value) for name, value in vae.terms(inputs, noise_for(vae)).items()}


def weights_of(vae: VAE) -> list[Array]:
    """Return copies of all weights."""
    return [weight.numpy() for weight in vae.weights]


def change_weights(vae: VAE) -> None:
    """Change every weight, as training does."""
    rng = np.random.default_rng(2)
    for weight in vae.weights:
        weight.assign(weight.numpy() + rng.uniform(0.01, 0.1, weight.shape))


def assert_same_terms(vae: VAE, other: VAE, inputs: Inputs) -> None:
    """Assert that both models compute exactly the same terms of a batch."""
    expected, terms = terms_of(vae, inputs), terms_of(other, inputs)
    assert expected.keys() == terms.keys()
    for name in expected:
        np.testing.assert_array_equal(terms[name], expected[name], err_msg=name)


def test_every_output_has_its_shape(family: Family, vae: VAE, inputs: Inputs) -> None:
    image, codes = (BATCH, *family.image), (BATCH, family.codes)
    expected = {
        "log_prob": (BATCH,),
        "kl": (BATCH,),
        "mean": codes,
        "log_variance": codes,
        "targets": image,
        "reconstructions": image,
        **({"bits_per_dim": (BATCH,)} if vae.density else {}),
    }
    assert (vae.image_shape, vae.latent_dim) == (family.image, family.codes)
    assert {name: value.shape for name, value in terms_of(vae, inputs).items()} == expected
    for training in (False, True):
        shapes = {name: tuple(value.shape) for name, value in vae(inputs, training=training).items()}
        assert shapes == {
            "targets": image,
            "mean": codes,
            "log_variance": codes,
            "codes": codes,
            "log_prior": (BATCH,),
            "log_ratio": (BATCH,),
            "outputs": (*image[:3], vae.likelihood.outputs(image[3])),
        }
    assert [tuple(value.shape) for value in vae.encode(inputs)] == [codes, codes]
    assert tuple(vae.decode(np.zeros(codes, np.float32), labels_for(family)).shape) == image


def test_every_term_is_finite_and_images_lie_between_0_and_1(vae: VAE, inputs: Inputs) -> None:
    terms = terms_of(vae, inputs)
    assert all(np.isfinite(value).all() for value in terms.values())
    # The KL from a learned prior is an estimate, which may be negative; `test_prior.py` holds its mean.
    assert vae.prior is not None or (terms["kl"] >= 0).all()
    for name in ("targets", "reconstructions"):
        assert terms[name].min() >= 0
        assert terms[name].max() <= 1


def test_a_training_step_changes_every_trainable_weight_and_a_few_lower_the_loss(vae: VAE, inputs: Inputs) -> None:
    # Eager, because a few steps take less time than tracing the model; the tests of train compile models.
    vae.compile(optimizer=keras.optimizers.Adam(0.01), run_eagerly=True)
    before = [weight.numpy() for weight in vae.trainable_weights]
    seeds = [(variable, variable.numpy()) for variable in vae.variables if "seed_generator" in variable.path]
    logs = []
    for step in range(4):
        for variable, state in seeds:  # the same noise in each step, so that losses can be compared
            variable.assign(state)
        vae.reset_metrics()
        logs.append(vae.train_on_batch(inputs, return_dict=True))
        if step == 0:
            for weight, old in zip(vae.trainable_weights, before, strict=True):
                assert not np.array_equal(weight.numpy(), old), weight.path
    first, last = logs[0], logs[-1]
    assert last["loss"] < first["loss"]
    assert first["loss"] == pytest.approx(first["reconstruction"] + first["kl"], rel=1e-5)


def test_a_saved_model_loads_safely_and_computes_the_same(vae: VAE, inputs: Inputs, tmp_path: Path) -> None:
    change_weights(vae)
    vae.save(tmp_path / "vae.keras")
    loaded = keras.models.load_model(tmp_path / "vae.keras", compile=False, safe_mode=True)
    assert type(loaded) is VAE
    assert (loaded.image_shape, loaded.latent_dim, loaded.seed) == (vae.image_shape, vae.latent_dim, vae.seed)
    assert (loaded.labels, loaded.label_shares) == (vae.labels, vae.label_shares)
    assert_same_terms(vae, loaded, inputs)


@pytest.mark.parametrize("family", ONE_OF_EACH_LAYER, indirect=True)
def test_a_model_can_be_rebuilt_from_its_configuration(vae: VAE, inputs: Inputs) -> None:
    config = vae.get_config()
    rebuilt = VAE.from_config(deepcopy(config))  # a copy, because Keras empties the configurations of nested models
    assert rebuilt.get_config() == config
    rebuilt.set_weights(weights_of(vae))
    assert_same_terms(vae, rebuilt, inputs)


@pytest.mark.parametrize("family", ONE_OF_EACH_LAYER, indirect=True)
def test_a_seed_decides_the_initial_weights(family: Family, statistics: Statistics, vae: VAE) -> None:
    keras.utils.set_random_seed(99)  # build_vae must not depend on it
    same = build_vae(family.model, family.loss, statistics, seed=3)
    other = build_vae(family.model, family.loss, statistics, seed=4)
    for weight, equal, different in zip(vae.weights, weights_of(same), weights_of(other), strict=True):
        np.testing.assert_array_equal(weight.numpy(), equal, err_msg=weight.path)
        if weight.path.endswith("kernel"):  # biases start at 0, moving averages at 0 and 1
            assert not np.array_equal(weight.numpy(), different), weight.path


@pytest.mark.parametrize("seed", [0, 2**31 - 1])
def test_the_ends_of_a_seeds_range_can_be_used(seed: int, make_statistics: Callable[..., Statistics]) -> None:
    vae = build_vae(FAMILIES["dense"].model, BERNOULLI, make_statistics(6, 6, 1, stored=(8, 8)), seed=seed)
    outputs = ops.convert_to_numpy(vae(np.zeros((2, 8, 8, 1), np.uint8), training=True)["outputs"])
    assert np.isfinite(outputs).all()


def test_fashion_bn_has_the_number_of_parameters_of_its_layers(make_statistics: Callable[..., Statistics]) -> None:
    settings = ConvModel(
        network="conv",
        latent_dim=2,
        encoder=((32, 1), (64, 2), (64, 2), (64, 1)),
        decoder=((64, 1), (64, 2), (32, 2)),
        base_filters=64,
        batch_norm="before",
        activation="leaky_relu",
    )
    vae = build_vae(settings, MseLoss(likelihood="mse"), make_statistics(28, 28, 1), seed=0)

    def convolution(inputs: int, filters: int) -> int:
        return 3 * 3 * inputs * filters + filters

    def dense(inputs: int, units: int) -> int:
        return inputs * units + units

    features = 7 * 7 * 64  # two strides of 2 take 28 to 7
    norms = (32 + 64 + 64 + 64) + (64 + 64 + 32)  # normalised channels of encoder and decoder
    encoder = convolution(1, 32) + convolution(32, 64) + 2 * convolution(64, 64) + 2 * dense(features, 2)
    decoder = dense(2, features) + 2 * convolution(64, 64) + convolution(64, 32) + convolution(32, 1)
    trainable = sum(weight.numpy().size for weight in vae.trainable_weights)
    moving = sum(weight.numpy().size for weight in vae.non_trainable_weights)
    assert trainable == encoder + decoder + 2 * norms == 208_005  # scale and offset
    assert moving == 2 * norms == 768  # moving mean and variance
