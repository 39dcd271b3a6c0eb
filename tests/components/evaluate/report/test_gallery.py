"""The gallery: which figures there are, in which order, and that odd models and few images break none of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from helpers.by_hand import describe
from helpers.judgements import judged
from matplotlib.figure import Figure

from components.evaluate.reconstruction.measure import Measurement
from components.evaluate.reconstruction.moments import Estimate
from components.evaluate.report import gallery
from components.evaluate.samples.privacy import Memorisation, Nearest, Pair
from components.examples import dataset
from models.code_samplers import UniformBox
from schemas.artifacts.tables import HISTORY

COMMON = ["reconstructions", "samples", "uniform", "latent", "tsne"]
MAPS = ["manifold-10", "manifold-30"]
WAYS = ["hybrids", "interpolation"]
NAMES = ("a", "b")


def make_vae(latent_dim: int, *, size: int = 8, channels: int = 1, **loss: Any) -> Any:
    from models.build import build_vae
    from schemas.recipe.model import BernoulliLoss, DenseModel

    network = DenseModel(network="dense", latent_dim=latent_dim, hidden=(4,))
    return build_vae(network, BernoulliLoss(likelihood="bernoulli", **loss), describe(size, size, channels), seed=1)


def make_measurement(codes: Any, *, images: int = 25, size: int = 8, channels: int = 1) -> Measurement:
    codes = np.asarray(codes, np.float32)
    pixels = np.random.default_rng(0).uniform(size=(images, size, size, channels)).astype(np.float32)
    return Measurement(
        images=max(len(codes), images),
        estimates={"ssim": Estimate(0.5, 0.1)},
        mean_variance=codes.var(axis=0, dtype=np.float64),
        codes=codes,
        code_labels=np.arange(len(codes)) % 2,
        originals=pixels,
        reconstructions=pixels,
        labels=np.arange(images) % 2,
    )


def memorised(*, pairs: int, shape: tuple[int, int, int] = (8, 8, 1)) -> Memorisation:
    """Return the memorisation of a hundred new images, with this number of pairs to show."""
    image, side = np.zeros(shape, np.float32), Nearest(0.2, 0.1)
    all_pairs = tuple(Pair(image, image + 0.5, distance=0.5, number=i, training_number=i) for i in range(pairs))
    return Memorisation(100, 1000, side, side, closer=0.5, exact=0, near=2, near_held_out=1, pairs=all_pairs)


def draw(vae: Any, measurement: Measurement, folder: Path, **options: Any) -> Any:
    names = [name for name in HISTORY.names if name != "epoch"]
    history = pa.Table.from_pylist([{"epoch": 1, **dict.fromkeys(names, 1.0)}], schema=HISTORY)
    statistics = describe(*vae.image_shape, labels=list(NAMES))
    options = {"seed": 2, "judgement": judged(latent_dim=vae.latent_dim), **options}
    return gallery.draw(vae, measurement=measurement, statistics=statistics, history=history, folder=folder, **options)


def normal(count: int, dim: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(3).normal(size=(count, dim)).astype(np.float32)


@pytest.fixture
def drawn() -> None:
    """Has a test draw its figures; without it, see `quick`."""


@pytest.fixture(autouse=True)
def quick(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Save figures without drawing them, and lay codes out without t-SNE, unless a test wants them `drawn`."""

    def save(figure: Figure, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")

    if "drawn" not in request.fixturenames:
        monkeypatch.setattr(gallery.style, "save", save)
        monkeypatch.setattr(gallery.tsne, "embed", lambda codes, *, seed: np.zeros((len(codes), 2)))


@pytest.mark.parametrize(("latent_dim", "maps"), [(1, []), (2, MAPS), (3, [])])
def test_figures_and_their_order(latent_dim: int, maps: list[str], tmp_path: Path) -> None:
    figures = draw(make_vae(latent_dim), make_measurement(normal(40, latent_dim)), tmp_path)
    assert [figure.path.stem for figure in figures] == [*COMMON, *maps, *WAYS, "training"]
    assert all(
        figure.path.exists() and figure.title and figure.alt.endswith(".") and figure.caption.endswith(".")
        for figure in figures
    )
    # Halves come in twos, so that the report has no holes.
    layouts = [figure.layout for figure in figures]
    assert [layouts[i : i + 2] for i in range(1, 1 + layouts.count("half"), 2)] == [["half"] * 2] * (2 + bool(maps))


def test_new_images_stand_beside_the_training_images_nearest_to_them(tmp_path: Path) -> None:
    vae, measurement = make_vae(3), make_measurement(normal(40, 3))
    memorisation = memorised(pairs=10)
    figures = draw(vae, measurement, tmp_path, judgement=judged(latent_dim=3, memorisation=memorisation))
    assert [figure.path.stem for figure in figures] == [*COMMON[:3], "closest", *COMMON[3:], *WAYS, "training"]
    closest = figures[3]
    assert closest.path.exists() and closest.layout == "full"
    assert "The 10 closest of 100 new images." in closest.caption  # the verdict stands beside it in the report
    assert "left a new image, right the training image" in closest.alt
    without = draw(vae, measurement, tmp_path, judgement=judged(latent_dim=3, memorisation=memorised(pairs=0)))
    assert "closest" not in [figure.path.stem for figure in without]


def test_new_images_are_made_of_the_samplers_codes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Any, str]] = []
    samples: Callable[..., Any] = gallery.mosaics.samples

    def spy(images: Any, *, source: str) -> Any:
        calls.append((images, source))
        return samples(images, source=source)

    monkeypatch.setattr(gallery.mosaics, "samples", spy)
    vae, code = make_vae(3), normal(1, 3)
    judgement = judged(latent_dim=3, sampler=UniformBox(code[0], code[0]))
    draw(vae, make_measurement(normal(40, 3)), tmp_path, judgement=judgement)
    [(images, source)] = calls
    np.testing.assert_allclose(images, gallery.decode(vae, code).repeat(100, axis=0), atol=1e-6)
    assert source == "the box that the training images' codes span"


@pytest.mark.parametrize(("images", "codes"), [(1, 1), (25, 1), (2, 2), (3, 3), (7, 5)])
def test_pairs_need_two_images(images: int, codes: int, tmp_path: Path) -> None:
    figures = draw(make_vae(3), make_measurement(normal(codes, 3), images=images), tmp_path)
    ways = WAYS if min(images, codes) > 1 else []
    assert [figure.path.stem for figure in figures] == [*COMMON, *ways, "training"]


@pytest.mark.parametrize("latent_dim", [1, 2, 4])
def test_unused_dimensions_break_nothing(latent_dim: int, tmp_path: Path) -> None:
    vae = make_vae(latent_dim)
    draw(vae, make_measurement(np.full((30, latent_dim), 0.1)), tmp_path)
    codes = normal(30, latent_dim)
    codes[:, 0] = 0.1
    draw(vae, make_measurement(codes), tmp_path)


def test_a_plain_autoencoder_is_called_one(tmp_path: Path) -> None:
    def called(vae: Any) -> set[str]:
        figures = draw(vae, make_measurement(normal(40, 3)), tmp_path)
        return {figure.path.stem for figure in figures if "plain autoencoder" in figure.caption}

    assert called(make_vae(3, kl="none")) == {"samples", "latent"}
    assert called(make_vae(3)) == set()


def test_at_most_so_many_images_go_through_tsne(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = []

    def embed(codes: Any, *, seed: int) -> Any:
        counts.append((len(codes), seed))
        return codes[:, :2]

    monkeypatch.setattr(gallery.tsne, "embed", embed)
    draw(make_vae(3), make_measurement(normal(2100, 3)), tmp_path)
    draw(make_vae(3), make_measurement(normal(50, 3)), tmp_path)
    assert counts == [(2000, 2), (50, 2)]


def test_twice_the_same_bytes(drawn: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encode = gallery.style.encode_png

    def encode_at_low_resolution(figure: Figure) -> bytes:
        figure.set_dpi(20)
        return encode(figure)

    monkeypatch.setattr(gallery.style, "encode_png", encode_at_low_resolution)
    vae, measurement = make_vae(2), make_measurement(normal(60, 2))
    files = [
        [figure.path.read_bytes() for figure in draw(vae, measurement, tmp_path / name)] for name in ("first", "second")
    ]
    assert files[0] == files[1]


def test_decoding_does_not_depend_on_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    vae, codes = make_vae(3), normal(20, 3)
    whole = gallery.decode(vae, codes)
    assert whole.shape == (20, 8, 8, 1)
    monkeypatch.setattr(dataset, "MOST_AT_ONCE", 7)
    np.testing.assert_allclose(gallery.decode(vae, codes), whole, atol=1e-6)


def test_large_images_are_shrunk_while_they_are_decoded() -> None:
    vae = make_vae(2, size=100)
    assert gallery.decode(vae, normal(3, 2)).shape == (3, 100, 100, 1)
    assert gallery.decode(vae, normal(3, 2), across=20).shape == (3, 100, 100, 1)
    assert gallery.decode(vae, normal(3, 2), across=30).shape == (3, 50, 50, 1)


def test_ways_lead_from_each_image_to_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[np.ndarray[Any, Any]] = []
    decode: Callable[..., Any] = gallery.decode

    def spy(vae: Any, codes: Any, **options: Any) -> Any:
        decoded.append(codes)
        return decode(vae, codes, **options)

    monkeypatch.setattr(gallery, "decode", spy)
    codes = normal(40, 3)
    draw(make_vae(3), make_measurement(codes), tmp_path)
    middles, line = decoded[-2:]
    np.testing.assert_allclose(middles, (codes[0:10:2] + codes[1:10:2]) / 2)
    line = line.reshape(3, 9, 3)
    np.testing.assert_allclose(line[:, 0], codes[[0, 2, 4]], atol=1e-6)
    np.testing.assert_allclose(line[:, -1], codes[[1, 3, 5]], atol=1e-6)
    np.testing.assert_allclose(line[:, 4], middles[:3], atol=1e-6)


def test_figures_of_large_colour_images_are_neither_tiny_nor_huge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    widths = []

    def save(figure: Figure, path: Path) -> None:
        widths.append(figure.bbox.width)

    monkeypatch.setattr(gallery.style, "save", save)
    judgement = judged(latent_dim=3, memorisation=memorised(pairs=1, shape=(256, 256, 3)))
    measurement = make_measurement(normal(12, 3), images=12, size=256, channels=3)
    draw(make_vae(3, size=256, channels=3), measurement, tmp_path, judgement=judgement)
    assert len(widths) == len([*COMMON, "closest", *WAYS, "training"])
    assert all(1000 < width < 3200 for width in widths)
