"""Every family of networks and every sampler can be written in every form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from helpers.by_hand import describe
from helpers.flows import small_flow

from components.export import fresh_process
from components.export.forms import FORMS, FormSource
from components.export.litert_file import write_litert_file
from components.export.onnx_files import write_onnx_files
from components.export.parity import keras_results
from components.export.signatures import signatures
from models.build import build_vae
from models.code_samplers import AggregatePosterior, CodeSampler, LearnedPrior, Mixture, Normal, UniformBox
from schemas.artifacts.kinds import Generator
from schemas.recipe.model import (
    BernoulliLoss,
    ConvModel,
    DenseModel,
    GaussianLoss,
    LogisticLoss,
    LossSettings,
    ModelSettings,
    ResnetModel,
)

ALL = ["keras", "onnx", "litert"]
LABELS = {"left": 1, "right": 1}

NETWORKS: dict[str, tuple[ModelSettings, LossSettings, tuple[int, int, int]]] = {
    "dense_gated_logistic_rgb": (
        DenseModel(network="dense", hidden=(16,), activation="glu"),
        LogisticLoss(likelihood="logistic", components=2),
        (6, 6, 3),
    ),
    "conv_batch_norm": (
        ConvModel(
            network="conv", encoder=((4, 2), (6, 2)), decoder=((6, 2), (4, 2)), base_filters=3, batch_norm="after"
        ),
        BernoulliLoss(likelihood="bernoulli"),
        (8, 12, 1),
    ),
    "resnet_odd_two_levels_learned_prior": (
        ResnetModel(
            network="resnet",
            latent_dim=3,
            widths=(4, 6),
            patch=2,
            local_latents=1,
            prior_components=3,
            upsampling="sub_pixel",
            conditional=True,
        ),
        GaussianLoss(likelihood="gaussian"),
        (11, 7, 3),
    ),
}
SHARPENED = "resnet_odd_two_levels_learned_prior"  # with a second decoder for images


@pytest.mark.usefixtures("in_this_process")
@pytest.mark.parametrize("network", NETWORKS)
def test_every_family_of_networks_can_be_written(network: str, generator: Generator) -> None:
    model, loss, shape = NETWORKS[network]
    labels = LABELS if model.conditional else {}
    counts = {"train": sum(labels.values()), "validation": 0, "test": 0}
    statistics = describe(*shape, images=counts, labels=list(labels), images_per_label={"train": labels})
    vae = build_vae(model, loss, statistics, seed=1)
    if network == SHARPENED:
        vae = vae.with_sharp_decoder(build_vae(model, loss, statistics, seed=2).decoder)
    sampler = vae.prior_sampler()
    images = np.random.default_rng(0).integers(0, 256, (5, *shape), dtype=np.uint8)
    parity = keras_results(vae, images, sampler=sampler, labels=np.arange(5) % 2 if labels else None)
    source = FormSource(vae, sampler, signatures(vae, sampler), generator)
    for folder in (generator.path, generator.work):
        folder.mkdir(parents=True)
    for name in ALL:
        FORMS[name].write(source)
        differences = parity.differences(name, generator.path, signatures=FORMS[name].signatures, work=generator.work)
        assert "decode.values" in differences
        assert all(differences[key] <= parity.bound(key, 1e-4) for key in differences), (name, differences)


MEANS, DEVIATIONS = np.array([[-1.0, 0.0, 2.0], [3.0, 1.0, 0.5]], np.float32), np.full((2, 3), 0.3, np.float32)
SAMPLERS: list[CodeSampler] = [
    Normal(3),
    LearnedPrior(np.array([[0.3, 0.7]], np.float32), MEANS[:, :2], DEVIATIONS[:, :2], 3),
    UniformBox(np.array([-2.0, 0.0, 1.0], np.float32), np.array([2.0, 4.0, 1.0], np.float32)),
    Mixture(np.array([[0.3, 0.7]], np.float32), MEANS[None], np.tile(np.eye(3, dtype=np.float32), (1, 2, 1, 1))),
    AggregatePosterior(MEANS, DEVIATIONS, np.array([0, 2], np.int32), 0.5),
    small_flow(dims=3, steps=2),
]


@pytest.fixture(scope="module", params=["onnx", "litert"])
def drawn(
    request: pytest.FixtureRequest, make_vae: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Any]:
    """Return a function that draws codes of a kind of sampler in a form: all samplers are written at once, as signatures."""
    form, generator, vae = request.param, Generator(tmp_path_factory.mktemp("samplers") / "generator"), make_vae()
    for folder in (generator.path, generator.work):
        folder.mkdir(parents=True)
    functions = {sampler.kind: signatures(vae, sampler)["sample"] for sampler in SAMPLERS}
    if form == "onnx":
        write_onnx_files(functions, generator.path / "onnx")
    else:
        write_litert_file(vae, functions, generator.path / "litert", work=generator.work)
    call = fresh_process.FORMS[form](generator.path)
    return lambda kind, noise: call(kind, {key: np.asarray(value) for key, value in noise.items()})["codes"]


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda sampler: sampler.kind)
def test_every_sampler_draws_the_same_codes_in_every_form(sampler: CodeSampler, drawn: Callable[..., Any]) -> None:
    random = np.random.default_rng(0)
    noise = {
        "normal": 3 * random.standard_normal((500, 3)).astype(np.float32),  # the tails too
        "uniform": random.random(500, np.float32),
        "temperature": np.float32(0.9),
    }
    np.testing.assert_allclose(drawn(sampler.kind, noise), np.asarray(sampler.codes(**noise)), atol=1e-5)
