"""Metrics of images with known values."""

from typing import Any

import numpy as np
import pytest

from components.evaluate.reconstruction.metrics import METRICS, mse, psnr, ssim
from schemas.recipe.evaluate import METRICS as METRICS_OF_GATES


def terms(targets: Any, reconstructions: Any) -> dict[str, Any]:
    import tensorflow as tf

    return {
        "targets": tf.constant(targets, tf.float32),
        "reconstructions": tf.constant(reconstructions, tf.float32),
        "log_prob": tf.constant([-30.0, -20.0]),
        "kl": tf.constant([4.0, 1.5]),
    }


@pytest.mark.parametrize(("difference", "decibels"), [(0.1, 20.0), (0.01, 40.0), (1.0, 0.0)])
def test_psnr_of_a_known_mse(difference: float, decibels: float) -> None:
    known = terms(np.zeros((2, 8, 8, 3)), np.full((2, 8, 8, 3), difference))
    np.testing.assert_allclose(mse(known), [difference**2] * 2, rtol=1e-6)
    np.testing.assert_allclose(psnr(known), [decibels] * 2, atol=1e-4)


def test_a_perfect_reconstruction_has_100_decibels_and_a_similarity_of_1() -> None:
    images = np.random.default_rng(0).uniform(size=(2, 16, 16, 1))
    same = terms(images, images)
    np.testing.assert_allclose(psnr(same), [100.0, 100.0], atol=1e-3)
    np.testing.assert_allclose(ssim(same), [1.0, 1.0], atol=1e-6)


@pytest.mark.parametrize("shape", [(4, 4, 1), (4, 64, 3), (11, 11, 1), (32, 20, 3)])
def test_similarity_of_unlike_images_is_low_at_any_size(shape: tuple[int, int, int]) -> None:
    random = np.random.default_rng(1)
    values = np.asarray(ssim(terms(random.uniform(size=(2, *shape)), random.uniform(size=(2, *shape)))))
    assert values.shape == (2,)
    assert (values < 0.7).all()


def test_elbo_is_log_probability_minus_kl() -> None:
    elbo = next(metric for metric in METRICS if metric.name == "elbo")
    np.testing.assert_allclose(elbo.per_image(terms(np.zeros((2, 4, 4, 1)), np.zeros((2, 4, 4, 1)))), [-34.0, -21.5])


def test_gates_may_name_every_metric() -> None:
    assert {metric.name for metric in METRICS} == {*METRICS_OF_GATES}


def test_metrics_that_some_models_lack_are_marked() -> None:
    assert {metric.name for metric in METRICS if metric.variational} == {"elbo", "iwae", "bits_per_dim", "kl"}
    assert {metric.name for metric in METRICS if metric.density} == {"bits_per_dim"}


def test_every_metric_has_a_description_and_a_unit() -> None:
    names = {"elbo", "iwae", "bits_per_dim", "log_prob", "kl", "mse", "psnr", "ssim"}
    assert {metric.name for metric in METRICS} == names
    assert all(metric.doc.endswith(".") and metric.unit for metric in METRICS)
