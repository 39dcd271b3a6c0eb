"""A training that starts from another model has its weights, as far as they fit, and says plainly where they do not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.by_hand import describe
from helpers.recorded_training import files, record_training

from components.engine.keras_file import save_model
from components.train.component import start_from_digest, train
from components.train.starting_weights import starting_weights
from models.build import build_vae
from schemas.artifacts.kinds import Examples, Generator, Model
from schemas.artifacts.records import Statistics, read_statistics
from schemas.errors import UsageError
from schemas.recipe.model import BernoulliLoss, ConvModel, DenseModel, GaussianLoss, ModelSettings, ResnetModel
from schemas.recipe.preprocess import PreprocessSettings
from schemas.recipe.settings import TrainSettings

pytestmark = pytest.mark.xdist_group("train")

MakeSettings = Callable[..., TrainSettings]
DENSE = DenseModel(network="dense", latent_dim=2, hidden=(8,))
NETWORKS: dict[str, ModelSettings] = {
    "dense": DENSE,
    "conv": ConvModel(
        network="conv",
        latent_dim=2,
        encoder=((4, 2),),
        decoder=((4, 2),),
        hidden=(5,),
        base_filters=3,
        batch_norm="before",
        prior_components=3,
    ),
    "resnet": ResnetModel(network="resnet", latent_dim=2, widths=(4, 6), blocks=1, local_latents=1, prior_components=3),
}


def images(*labels: str) -> Statistics:
    """Describe images of 8×8 with these labels."""
    return describe(
        labels=list(labels),
        images={"train": len(labels), "validation": 0, "test": 0},
        images_per_label={"train": dict.fromkeys(labels, 1)},
    )


def write_model(
    folder: Path,
    settings: TrainSettings,
    statistics: Statistics,
    *,
    seed: int = 11,
    licence: str | None = None,
    sharp: bool = False,
) -> Any:
    """Write a model as a run has it, with random weights; return it."""
    model = Model(folder / "model", work=folder / "work")
    model.path.mkdir(parents=True)
    model.work.mkdir()
    vae = build_vae(settings.model, settings.loss, statistics, seed=seed)
    rng = np.random.default_rng(seed)
    vae.set_weights([rng.uniform(0.1, 1.0, weight.shape).astype(np.float32) for weight in vae.get_weights()])
    if sharp:
        vae = vae.with_sharp_decoder(build_vae(settings.model, settings.loss, statistics, seed=seed + 1).decoder)
    save_model(vae, model.vae_path, work=model.work)
    frame = PreprocessSettings(height=8, width=8, channels=1).model_dump(mode="json")
    model.seal(
        inputs={"Examples": "12ab"},
        settings=settings.content(),
        counts={"epochs": 3},
        recipe={"name": "other", "preprocess": frame, "export": {"licence": licence}},
        versions={},
        duration_seconds=0.0,
        created="today",
    )
    return vae


@pytest.fixture(scope="module")
def dense(make_settings: MakeSettings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run whose model is dense; no test changes it."""
    folder = tmp_path_factory.mktemp("dense")
    write_model(folder, make_settings(model=DENSE), images())
    return folder


def begun(settings: TrainSettings, statistics: Statistics) -> Any:
    """Return the model with which a training begins."""
    weights = starting_weights(settings, statistics)
    assert weights is not None
    vae = build_vae(settings.model, settings.loss, statistics, seed=settings.seed)
    vae.set_weights(weights)
    return vae


@pytest.mark.parametrize("network", NETWORKS)
def test_a_model_of_the_same_kind_gives_all_its_weights(
    network: str, make_settings: MakeSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gaussian, bernoulli = GaussianLoss(likelihood="gaussian"), BernoulliLoss(likelihood="bernoulli")
    likelihood = gaussian if network == "resnet" else bernoulli  # whose deviation is a weight
    settings = make_settings(model=NETWORKS[network], loss=likelihood, start_from=str(tmp_path))
    other = write_model(tmp_path, settings, images(), licence="CC-BY-4.0")
    weights = starting_weights(settings, images())
    assert weights is not None
    for weight, expected in zip(weights, other.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, expected)
    line = capsys.readouterr().out
    digest = Model(tmp_path / "model").digest
    assert f"starts  from the model {digest[:12]}… of recipe other, 3 epochs, licence CC-BY-4.0\n" in line


def test_a_broken_model_is_refused_and_nothing_says_to_remove_it(
    dense: Path, make_settings: MakeSettings, tmp_path: Path
) -> None:
    settings = make_settings(model=DENSE, start_from=str(tmp_path))
    shutil.copytree(dense, tmp_path, dirs_exist_ok=True)
    (tmp_path / "model" / "vae.keras").unlink()
    with pytest.raises(
        UsageError, match=r"^train\.start_from: expected a whole model, found a broken one: .*"
    ) as error:
        starting_weights(settings, images())
    assert "remove" not in str(error.value)


@pytest.mark.parametrize("network", NETWORKS)
def test_a_label_takes_the_weights_of_the_label_of_its_name_and_others_begin_anew(
    network: str, make_settings: MakeSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = NETWORKS[network].model_copy(update={"conditional": True})
    settings = make_settings(model=model, start_from=str(tmp_path / "model"))
    other = write_model(tmp_path, settings, images("bag", "hat", "shoe"))
    vae = begun(settings, images("boot", "hat", "bag"))
    assert "; anew: label boot\n" in capsys.readouterr().out
    codes = np.random.default_rng(0).standard_normal((4, vae.latent_dim)).astype(np.float32)
    pixels = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 1), np.uint8)
    for label in ("hat", "bag"):
        ours, theirs = (np.full(4, each.labels.index(label)) for each in (vae, other))
        np.testing.assert_allclose(vae.decode(codes, ours), other.decode(codes, theirs), rtol=1e-6)
        mean, _ = vae.encode({"pixels": pixels, "labels": ours})
        np.testing.assert_allclose(mean, other.encode({"pixels": pixels, "labels": theirs})[0], rtol=1e-5)
        if vae.prior:
            np.testing.assert_array_equal(vae.prior.logits[int(ours[0])], other.prior.logits[int(theirs[0])])


def test_a_second_decoder_of_the_other_model_is_not_taken(make_settings: MakeSettings, tmp_path: Path) -> None:
    settings = make_settings(model=DENSE, start_from=str(tmp_path), sharpen={"epochs": 1})
    other = write_model(tmp_path, settings, images(), sharp=True)
    vae = begun(settings, images())
    assert vae.sharp_decoder is None  # it is made anew, from the model's own, when this one is trained
    for weight, expected in zip(vae.decoder.get_weights(), other.decoder.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, expected)


def test_labels_may_be_new_or_gone(make_settings: MakeSettings, tmp_path: Path) -> None:
    without, with_labels = (NETWORKS["conv"].model_copy(update={"conditional": each}) for each in (False, True))
    for before, after in ((without, with_labels), (with_labels, without)):
        folder = tmp_path / str(before.conditional)
        other = write_model(folder, make_settings(model=before), images("bag", "hat"))
        vae = begun(make_settings(model=after, start_from=str(folder)), images("bag", "hat"))
        np.testing.assert_array_equal(vae.decoder.weights[-1], other.decoder.weights[-1])
        np.testing.assert_array_equal(vae.encoder.get_layer("mean").kernel, other.encoder.get_layer("mean").kernel)


def test_a_learned_prior_of_another_size_begins_anew(
    make_settings: MakeSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = make_settings(model=DENSE.model_copy(update={"prior_components": 3}))
    write_model(tmp_path, other, images())
    ours = DENSE.model_copy(update={"prior_components": 5})
    assert starting_weights(make_settings(model=ours, start_from=str(tmp_path)), images()) is not None
    assert capsys.readouterr().out.endswith("; anew: learned prior\n")


@pytest.mark.parametrize(
    ("settings", "statistics", "message"),
    [
        ({"model": NETWORKS["resnet"]}, {}, "model.network: expected dense, as in the model of train.start_from, found resnet"),
        ({"model": DENSE.model_copy(update={"latent_dim": 3})}, {}, "model.latent_dim: expected 2, as in .*, found 3"),
        ({"model": DENSE.model_copy(update={"hidden": (9,)})}, {}, r"model.hidden: expected \[8\], as in .*, found \[9\]"),
        ({"loss": GaussianLoss(likelihood="gaussian")}, {}, "loss.likelihood: expected bernoulli, as in .*, found gaussian"),
        ({}, {"height": 12}, "preprocess.height: expected 8, as in .*, found 12"),
        ({}, {"channels": 3}, "preprocess.channels: expected 1, as in .*, found 3"),
        ({}, {"normalise": "symmetric"}, "preprocess.normalise: expected unit, as in .*, found symmetric"),
    ],
    ids=["network", "latent_dim", "hidden", "likelihood", "height", "channels", "normalise"],
)  # fmt: skip
def test_what_does_not_fit_is_named(
    settings: dict[str, Any], statistics: dict[str, Any], message: str, make_settings: MakeSettings, dense: Path
) -> None:
    ours = make_settings(**{"model": DENSE, "start_from": str(dense), **settings})
    with pytest.raises(UsageError, match=f"^{message}$"):
        starting_weights(ours, images().model_copy(update=statistics))


def test_weights_of_another_shape_are_named_where_a_search_may_have_set_them(
    dense: Path, make_settings: MakeSettings, tmp_path: Path
) -> None:
    shutil.copytree(dense, tmp_path, dirs_exist_ok=True)
    model = Model(tmp_path / "model")
    text = (model.path / "manifest.json").read_text().replace('"Examples": "12ab"', '"HyperParameters": "34cd"')
    (model.path / "manifest.json").write_text(text)
    digest = model._digest(model.manifest.inputs, model.manifest.settings, model.manifest.files)
    (model.path / "manifest.json").write_text(text.replace(model.digest, digest))
    ours = make_settings(model=DENSE.model_copy(update={"hidden": (9,)}), start_from=str(tmp_path))
    with pytest.raises(UsageError, match=r"^train\.start_from: expected weights \[64, 9\] of .*, found \[64, 8\]$"):
        starting_weights(ours, images())


def test_a_licence_that_forbids_derivatives_is_refused_also_of_the_generator_made_later(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    settings = make_settings(model=DENSE, start_from=str(tmp_path))
    write_model(tmp_path, settings, images(), licence="CC-BY-ND-4.0")
    expected = r"^train\.start_from: expected a model whose licence allows derivatives, found CC-BY-ND-4\.0 \(export"
    with pytest.raises(UsageError, match=expected):
        starting_weights(settings, images())
    generator = Generator(tmp_path / "generator")
    generator.path.mkdir()
    generator.seal(
        inputs={"Model": Model(tmp_path / "model").digest},
        settings={"export": {"licence": "CC-BY-NC-ND-4.0"}},
        counts={},
        recipe={},
        versions={},
        duration_seconds=0.0,
        created="today",
    )
    with pytest.raises(UsageError, match=r"found CC-BY-NC-ND-4\.0"):
        starting_weights(settings, images())


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("nowhere", "expected the folder of a run or of its model, found no such file: .*nowhere"),
        ("empty", "expected the folder of a run or of its model, found a folder without one: .*empty"),
        ("generator", "expected an artifact of type Model, found Generator"),
    ],
)
def test_a_folder_without_a_model_is_named(
    place: str, message: str, make_settings: MakeSettings, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "generator").mkdir()
    Generator(tmp_path / "generator").seal(
        inputs={}, settings={}, counts={}, recipe={}, versions={}, duration_seconds=0.0, created="today"
    )
    with pytest.raises(UsageError, match=rf"^train\.start_from: .*{message}$"):
        start_from_digest(make_settings(start_from=str(tmp_path / place)))


def test_a_training_begins_with_the_other_models_weights_and_resumes_without_it(
    tiny_examples: Examples, make_settings: MakeSettings, tmp_path: Path
) -> None:
    statistics = read_statistics(tiny_examples)
    settings = make_settings(model=DENSE, epochs=2, start_from=str(tmp_path / "run"))
    slow = replace(settings, train=settings.train.model_copy(update={"learning_rate": 1e-9}))
    other = write_model(tmp_path / "run", slow, statistics)
    record = record_training(tiny_examples, tmp_path / "slow", slow)
    for weight, expected in zip(record.steps[0], other.trainable_variables, strict=True):
        np.testing.assert_allclose(weight, expected, atol=1e-6)
    shutil.rmtree(tmp_path / "run")
    resumed = record.restore("epoch 1", tmp_path / "resumed")
    assert train(tiny_examples, None, resumed, slow) == record.counts
    assert files(resumed) == files(record.model)
