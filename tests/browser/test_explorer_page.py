"""The explorer's page in a real browser: what a visitor does, and that its pixels are the Keras decoder's."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnxruntime
import pytest
from helpers.explorer_page import CANVAS, assert_decoded, code_of, downloaded, hold, hover, newer, settled
from PIL import Image

from models.vae import VAE
from pipeline.recipes.load import load_recipe
from pipeline.tools.explorer.folder import build


def test_the_pages_decoder_is_the_one_for_images(runs: Path, explorer: Path) -> None:
    vae = keras.models.load_model(runs / "demo" / "model" / "vae.keras", compile=False)
    assert isinstance(vae, VAE)
    codes = np.random.default_rng(0).standard_normal((8, vae.latent_dim)).astype(np.float32)
    (path,) = explorer.rglob("decode.onnx")
    pixels = onnxruntime.InferenceSession(path).run(["images"], {"codes": codes})[0].astype(int)
    assert np.abs(pixels - np.asarray(vae.normalise.to_pixels(vae.decode(codes)))).max() <= 1
    vae.sharp_decoder = None
    assert np.abs(pixels - np.asarray(vae.normalise.to_pixels(vae.decode(codes)))).max() > 10


def test_the_point_under_the_pointer_is_decoded(opened: Any, decoder: Any) -> None:
    pictures = []
    for x, y in [(0.3, 0.3), (0.7, 0.4), (0.5, 0.8)]:
        hover(opened, x, y)
        settled(opened)
        hold(opened, x, y)
        pictures.append(assert_decoded(opened, decoder))
    assert len({picture.tobytes() for picture in pictures}) == 3


def test_a_point_of_the_other_map_is_decoded(opened: Any, decoder: Any) -> None:
    opened.get_by_role("button", name="t-SNE").click()
    hold(opened, 0.4, 0.6)
    assert_decoded(opened, decoder)


def test_the_map_can_be_walked_by_keys(opened: Any, decoder: Any) -> None:
    opened.locator("[data-testid=map]").focus()
    before = settled(opened)
    for _ in range(6):
        opened.keyboard.press("Shift+ArrowRight")
    assert (assert_decoded(opened, decoder) != before).any()


def test_a_click_holds_the_image_while_the_pointer_goes_elsewhere(opened: Any) -> None:
    hold(opened, 0.4, 0.4)
    pixels = settled(opened)
    hover(opened, 0.8, 0.8)
    assert (settled(opened) == pixels).all()
    hold(opened, 0.8, 0.8)
    assert (settled(opened) != pixels).any()


def test_dragging_a_slider_moves_along_its_direction_alone(opened: Any, decoder: Any, explorer: Path) -> None:
    described = json.loads((explorer / "data" / "explorer.json").read_text())
    before, shown = code_of(opened), settled(opened)
    slider = opened.get_by_role("slider", name="Direction 2")
    box = slider.bounding_box()
    opened.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    opened.mouse.down()
    opened.mouse.move(box["x"] + 0.85 * box["width"], box["y"] + box["height"] / 2, steps=10)
    opened.mouse.up()
    assert (assert_decoded(opened, decoder) != shown).any()
    change = code_of(opened) - before
    direction = np.array(described["principal"]["components"][1])
    assert np.abs(change - (change @ direction) * direction).max() < 1e-4
    assert np.abs(change).max() > 0.1


def test_between_a_and_b_lie_the_images_of_the_codes_between_theirs(opened: Any, decoder: Any) -> None:
    codes = []
    for name, (x, y) in {"Set as A": (0.3, 0.3), "Set as B": (0.7, 0.6)}.items():
        hold(opened, x, y)
        codes.append(code_of(opened))
        opened.get_by_role("button", name=name).click()
    opened.get_by_role("tab", name="A ↔ B").click()
    opened.get_by_role("slider", name="From A to B").fill("0.25")
    assert_decoded(opened, decoder)
    assert np.abs(code_of(opened) - (0.75 * codes[0] + 0.25 * codes[1])).max() < 1e-4
    strip = Image.open(io.BytesIO(downloaded(opened, "Save animated strip")))
    assert (strip.format, strip.n_frames, strip.size) == ("GIF", 24 + 22, (252, 252))


def test_several_images_are_mixed_by_their_weights(opened: Any, decoder: Any) -> None:
    codes = []
    for x, y in [(0.3, 0.3), (0.7, 0.6), (0.5, 0.5)]:
        hold(opened, x, y)
        codes.append(code_of(opened))
        opened.get_by_role("button", name="Add to mix").click()
    opened.get_by_role("tab", name="Mix").click()
    sliders = opened.locator("#panel input[type=range]")
    assert sliders.count() == 3
    for index, weight in enumerate(("1", "0.5", "0")):
        sliders.nth(index).fill(weight)
    assert_decoded(opened, decoder)
    assert np.abs(code_of(opened) - (codes[0] + 0.5 * codes[1]) / 1.5).max() < 1e-4


def test_labels_have_a_mean_and_a_way_towards_it(opened: Any, decoder: Any, explorer: Path) -> None:
    described = json.loads((explorer / "data" / "explorer.json").read_text())
    codes = np.fromfile(explorer / "data" / "codes.f32", "<f4").reshape(described["points"], -1)
    labels = np.fromfile(explorer / "data" / "labels.i32", "<i4")
    mean = codes[labels == 3].mean(axis=0)
    opened.get_by_role("tab", name="Labels").click()
    opened.get_by_role("button", name="Mean of 3").click()
    assert np.abs(code_of(opened) - mean).max() < 1e-4
    assert_decoded(opened, decoder)
    opened.get_by_role("button", name="More like this").nth(7).click()
    towards = codes[labels == 7].mean(axis=0) - codes.mean(axis=0)
    assert np.abs(code_of(opened) - (mean + 0.5 * towards)).max() < 1e-4
    assert_decoded(opened, decoder)


def test_new_images_come_from_the_sampler_and_a_walk_goes_from_one_to_the_next(opened: Any, decoder: Any) -> None:
    before = settled(opened)
    assert (newer(opened, "New image") != before).any()
    assert_decoded(opened, decoder)
    opened.get_by_role("tab", name="Walk").click()
    opened.get_by_role("button", name="Walk", exact=True).click()
    opened.wait_for_timeout(1500)
    opened.get_by_role("button", name="Stop").click()
    assert_decoded(opened, decoder)
    strip = Image.open(io.BytesIO(downloaded(opened, "Save animated strip")))
    assert strip.format == "GIF"
    assert strip.n_frames > 2


def test_at_temperature_zero_new_images_are_the_samplers_centres(opened: Any, explorer: Path, runs: Path) -> None:
    opened.get_by_role("slider", name="Temperature of new images").fill("0")
    codes = []
    for _ in range(5):
        newer(opened, "New image")
        codes.append(code_of(opened))
    sampler = json.loads((explorer / "data" / "explorer.json").read_text())["sampler"]
    arrays = np.load(runs / "demo" / "generator" / "samplers" / f"{sampler}.npz")
    dims = codes[0].size
    centres = {
        "mixture": lambda: arrays["means"].reshape(-1, dims),
        "normal": lambda: np.zeros((1, dims)),
        "uniform": lambda: (arrays["low"] + arrays["high"])[None] / 2,
    }[sampler]()
    for code in codes:
        assert np.abs(centres - code).max(axis=1).min() < 1e-3


def test_a_dropped_picture_is_encoded_and_reconstructed(opened: Any, decoder: Any, runs: Path, tmp_path: Path) -> None:
    import keras

    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (60, 90, 3), np.uint8)).save(tmp_path / "mine.jpg")
    content = list((tmp_path / "mine.jpg").read_bytes())
    opened.evaluate(
        """(content) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([Uint8Array.from(content)], "mine.jpg", { type: "image/jpeg" }));
            document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
        }""",
        content,
    )
    opened.get_by_role("button", name="Show its reconstruction").wait_for()
    assert_decoded(opened, decoder)
    own = opened.get_by_role("img", name="mine.jpg, as the network sees it")
    pixels = np.array(own.evaluate(CANVAS), np.uint8).reshape(1, 28, 28, 4)[..., :1]
    assert pixels.std() > 5
    encoder = keras.models.load_model(runs / "demo" / "generator" / "keras" / "encode.keras", compile=False)
    mean = np.asarray(encoder({"images": pixels})["mean"])[0]
    assert np.abs(code_of(opened) - mean).max() < 1e-3


def test_a_shared_address_shows_the_same_view(opened: Any, browser: Any) -> None:
    hold(opened, 0.62, 0.38)
    opened.get_by_role("button", name="Add to mix").click()
    opened.get_by_role("tab", name="Mix").click()
    shown = settled(opened)
    opened.wait_for_timeout(400)
    other = browser.new_context().new_page()
    other.goto(opened.url)
    other.wait_for_selector("[data-testid=picture][data-frames]")
    assert (settled(other) == shown).all()
    assert other.get_by_role("tab", name="Mix").get_attribute("aria-selected") == "true"
    assert other.locator("#panel input[type=range]").count() == 1
    other.context.close()


def test_the_saved_image_is_the_one_on_the_page(opened: Any) -> None:
    shown = settled(opened)
    saved = Image.open(io.BytesIO(downloaded(opened, "Save image")))
    assert saved.format == "PNG"
    assert (np.asarray(saved.convert("L")) == shown).all()


def test_a_generator_that_takes_labels_decodes_and_samples_by_the_one_chosen(
    page: Any, conditional_runs: Path, serve: Callable[[Path], str]
) -> None:
    import keras

    generator = conditional_runs / "demo" / "generator"
    decoder = keras.models.load_model(generator / "keras" / "decode.keras", compile=False)
    page.goto(serve(build(load_recipe("demo"), runs=conditional_runs, out=None)))
    page.wait_for_selector("[data-testid=picture][data-frames]")
    for label in (2, 5):
        page.get_by_role("combobox", name="Label").select_option(str(label))
        newer(page, "New image")
        assert json.loads(downloaded(page, "Save code"))["label"] == str(label)
        assert_decoded(page, lambda feeds, label=label: decoder({**feeds, "labels": np.array([label])}))


def test_a_plain_web_host_can_serve_the_page(page: Any, explorer: Path, decoder: Any, tmp_path: Path) -> None:
    """The page works in a sub-folder, on a server that sends no special headers."""
    import functools
    import http.server
    import threading

    class Plain(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            """Print nothing."""

    shutil.copytree(explorer, tmp_path / "site" / "latent")
    handler = functools.partial(Plain, directory=str(tmp_path / "site"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page.goto(f"http://127.0.0.1:{server.server_port}/latent/")
        page.wait_for_selector("[data-testid=picture][data-frames]")
        assert not page.evaluate("crossOriginIsolated")
        hold(page, 0.4, 0.4)
        assert_decoded(page, decoder)
        server.shutdown()


@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_fits_its_width(opened: Any, width: int) -> None:
    opened.set_viewport_size({"width": width, "height": 900})
    for tab in ("Directions", "A ↔ B", "Mix", "Labels", "Walk"):
        opened.get_by_role("tab", name=tab).click()
        assert opened.evaluate("document.documentElement.scrollWidth") <= width, tab
