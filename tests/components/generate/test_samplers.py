"""Codes may come from any of the generator's samplers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from schemas.artifacts.kinds import Generator, ImageSet
from schemas.errors import UsageError

MakeImages = Callable[..., ImageSet]


def codes(images: ImageSet) -> NDArray[Any]:
    """Return the codes of a set: [N, D]."""
    return np.array(pq.read_table(images.metadata_path)["code"].to_pylist())


def test_the_generators_own_sampler_is_the_default(make_images: MakeImages, tmp_path: Path) -> None:
    default, normal = make_images(tmp_path / "a"), make_images(tmp_path / "b", sampler="normal")
    assert pq.read_table(default.metadata_path) == pq.read_table(normal.metadata_path)


def test_a_box_and_a_mixture_give_their_own_codes(make_images: MakeImages, tmp_path: Path) -> None:
    box = codes(make_images(tmp_path / "box", sampler="uniform", count=300))
    assert np.abs(box).max() <= 2
    assert np.abs(box).std() == pytest.approx(2 / np.sqrt(12), rel=0.1)
    mixture = make_images(tmp_path / "mixture", sampler="mixture", count=300)
    near = np.sign(codes(mixture).mean(axis=1))
    assert np.abs(codes(mixture) - near[:, None]).std() < 0.3  # around -1 or 1, with a deviation of ¼
    assert abs(near.mean()) < 0.2
    assert set(pq.read_table(mixture.metadata_path)["sampler"].to_pylist()) == {"mixture"}


def test_a_code_depends_on_seed_and_index_alone(make_images: MakeImages, tmp_path: Path) -> None:
    whole = codes(make_images(tmp_path / "whole", sampler="mixture", count=600))
    some = codes(make_images(tmp_path / "some", sampler="mixture", indices="3,299-301,599"))
    np.testing.assert_array_equal(some, whole[[3, 299, 300, 301, 599]])


def test_labels_are_drawn_as_the_generator_itself_draws_them(
    conditional: Generator, make_images: MakeImages, tmp_path: Path
) -> None:
    own = pq.read_table(make_images(tmp_path / "own", of=conditional).metadata_path)
    other = pq.read_table(make_images(tmp_path / "other", of=conditional, sampler="mixture").metadata_path)
    assert other["label"] == own["label"]
    assert other["code"] != own["code"]


@pytest.mark.parametrize("sampler", ["normal", "uniform", "mixture", "flow"])
@pytest.mark.parametrize("labels", [{}, {"left": 3, "right": 1}])
def test_an_evaluation_makes_the_same_image_of_a_seed_as_the_generator(
    labels: dict[str, int],
    sampler: str,
    make_vae: Callable[..., Any],
    request: pytest.FixtureRequest,
    make_images: MakeImages,
    tmp_path: Path,
) -> None:
    from components.evaluate.samples.new_images import new_images
    from components.latents.sampler_file import read_sampler

    generator: Generator = request.getfixturevalue("conditional" if labels else "generator")
    images = make_images(tmp_path, of=generator, sampler=sampler, count=100, format="npy", seed=3)
    names = pq.read_table(images.metadata_path)["label"].to_pylist()
    numbers = np.array([list(labels).index(name) if labels else 0 for name in names])
    evaluated = new_images(
        make_vae(labels=labels),
        count=100,
        seed=3,
        labels=numbers,
        sampler=read_sampler(generator.sampler_path(sampler)),
    )
    generated = np.load(images.path / "images.npy") / 255.0
    assert np.ptp(generated, axis=0).max() > 0.2  # images that differ
    # Decoded in batches of another size, then rounded.
    np.testing.assert_allclose(np.concatenate(list(evaluated)), generated, atol=0.5 / 255 + 1e-5)


def test_an_error_names_a_sampler_that_the_generator_lacks(make_images: MakeImages, tmp_path: Path) -> None:
    with pytest.raises(
        UsageError,
        match=r"generate\.sampler: expected a sampler that the generator has \(normal, uniform, mixture, flow\), found posterior",
    ):
        make_images(tmp_path, sampler="posterior")
