"""The SavedModel: its signatures, and what they compute."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from components.export.saved_model import write_saved_model
from components.export.signatures import signatures
from components.latents.noise import standard_normal
from models.code_samplers import Mixture
from schemas.recipe.model import MseLoss

LATENT_DIM = 3
IMAGES = ((None, 8, 8, 3), tf.uint8)
VALUES = ((None, 8, 8, 3), tf.float32)
CODES = ((None, LATENT_DIM), tf.float32)
# Inputs and outputs of every signature: shape and type.
SIGNATURES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "encode": ({"images": IMAGES}, {"mean": CODES, "log_variance": CODES}),
    "decode": ({"codes": CODES}, {"images": IMAGES, "values": VALUES}),
    "reconstruct": ({"images": IMAGES}, {"images": IMAGES, "values": VALUES}),
    "interpolate": (
        {"images": ((2, 8, 8, 3), tf.uint8), "steps": ((), tf.int32)},
        {"images": IMAGES, "values": VALUES, "codes": CODES},
    ),
    "sample": (
        {"normal": CODES, "uniform": ((None,), tf.float32), "temperature": ((), tf.float32)},
        {"codes": CODES},
    ),
    "generate": (
        {"seed": ((), tf.int64), "start": ((), tf.int64), "count": ((), tf.int32), "temperature": ((), tf.float32)},
        {"images": IMAGES, "values": VALUES, "codes": CODES},
    ),
}


@pytest.fixture(scope="module")
def vae(make_vae: Callable[..., Any]) -> Any:
    """Return a VAE of colour images."""
    return make_vae(channels=3, latent_dim=LATENT_DIM)


def described(specs: dict[str, Any]) -> dict[str, Any]:
    """Return the shape and type of each tensor, by name."""
    return {name: (tuple(spec.shape), spec.dtype) for name, spec in specs.items()}


def generate(loaded: Any, *, seed: int, start: int = 0, count: int, temperature: float = 1.0) -> Any:
    """Call the signature `generate`."""
    return loaded.signatures["generate"](
        seed=tf.constant(seed, tf.int64), start=tf.constant(start, tf.int64), count=count, temperature=temperature
    )


def test_there_are_six_signatures_with_the_published_inputs_and_outputs(loaded: Any) -> None:
    assert set(loaded.signatures) == set(SIGNATURES)
    for name, (inputs, outputs) in SIGNATURES.items():
        positional, named = loaded.signatures[name].structured_input_signature
        assert positional == ()
        assert described(named) == inputs
        assert described(loaded.signatures[name].structured_outputs) == outputs


def test_generated_images_are_what_their_codes_decode_to(loaded: Any) -> None:
    result = generate(loaded, seed=7, start=5, count=40)
    assert result["images"].shape == (40, 8, 8, 3)
    np.testing.assert_array_equal(result["codes"], standard_normal(7, start=5, count=40, size=LATENT_DIM))
    decoded = loaded.signatures["decode"](codes=result["codes"])
    np.testing.assert_array_equal(result["images"], decoded["images"])


def test_a_lower_temperature_draws_the_codes_together(loaded: Any) -> None:
    wide, narrow, single = (generate(loaded, seed=7, count=9, temperature=t)["codes"] for t in (1.0, 0.5, 0.0))
    np.testing.assert_allclose(narrow, 0.5 * wide, rtol=1e-6)
    np.testing.assert_array_equal(single, np.zeros(single.shape))


def test_codes_come_from_the_sampler_that_is_exported_and_from_their_own_index(vae: Any, tmp_path: Path) -> None:
    means = np.array([[[-9.0] * LATENT_DIM, [5.0] * LATENT_DIM]], np.float32)
    factors = np.tile(0.1 * np.eye(LATENT_DIM, dtype=np.float32), (1, 2, 1, 1))
    sampler = Mixture(shares=np.array([[0.25, 0.75]], np.float32), means=means, factors=factors)
    write_saved_model(vae, tmp_path, functions=signatures(vae, sampler))
    loaded = tf.saved_model.load(str(tmp_path))
    codes = generate(loaded, seed=3, count=400)["codes"].numpy()
    first = (np.abs(codes + 9.0) < 1.0).all(axis=1)
    assert (first | (np.abs(codes - 5.0) < 1.0).all(axis=1)).all()
    assert 0.15 < first.mean() < 0.35
    np.testing.assert_array_equal(generate(loaded, seed=3, start=100, count=50)["codes"], codes[100:150])


def test_images_are_the_values_rounded_to_256_steps(loaded: Any) -> None:
    result = generate(loaded, seed=7, count=40)
    np.testing.assert_allclose(result["images"].numpy() / 255.0, result["values"], atol=0.5 / 255 + 1e-6)
    assert len(np.unique(result["images"])) > 50  # images differ, so that comparing them means something


def test_every_signature_does_what_the_model_does(loaded: Any, vae: Any) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
    mean, log_variance = vae.encode(pixels)
    encoded = loaded.signatures["encode"](images=pixels)
    np.testing.assert_allclose(encoded["mean"], mean, atol=1e-5)
    np.testing.assert_allclose(encoded["log_variance"], log_variance, atol=1e-5)
    expected = vae.normalise.to_unit(vae.decode(mean))
    np.testing.assert_allclose(loaded.signatures["decode"](codes=mean)["values"], expected, atol=1e-5)
    np.testing.assert_allclose(loaded.signatures["reconstruct"](images=pixels)["values"], expected, atol=1e-5)


@pytest.mark.parametrize("latent_dim", [1, 5])
def test_a_model_of_any_latent_size_can_be_exported(
    latent_dim: int, make_vae: Callable[..., Any], tmp_path: Path
) -> None:
    vae = make_vae(latent_dim=latent_dim, loss=MseLoss(likelihood="mse"))
    write_saved_model(vae, tmp_path)
    loaded = tf.saved_model.load(str(tmp_path))
    result = generate(loaded, seed=1, count=2)
    assert result["codes"].shape == (2, latent_dim)
    assert result["images"].shape == (2, 8, 8, 1)
