"""`mix` and `interpolate`: the images between two of a person's own images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.by_hand import MIXED_SIZE
from PIL import Image

from pipeline.tools import mixing
from pipeline.tools.mixing import Images
from schemas.errors import UsageError
from schemas.recipe.preprocess import PreprocessSettings


def expected_images(home: Path, name: str, photos: tuple[Path, Path], *, steps: int, channels: int) -> Images:
    """Decode points on the line between two images' codes with the generator's signatures: [steps, H, W, C]."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(home / "runs" / name / "generator" / "saved_model"))
    preprocess = PreprocessSettings(height=MIXED_SIZE, width=MIXED_SIZE, channels=channels)
    images = np.stack([mixing.read_image(path, preprocess) for path in photos])
    means = loaded.signatures["encode"](images=tf.constant(images))["mean"].numpy()
    shares = np.linspace(0, 1, steps, dtype=np.float32)[:, None]
    codes = means[0] + shares * (means[1] - means[0])
    decoded: Images = loaded.signatures["decode"](codes=tf.constant(codes))["images"].numpy()
    return decoded


def differences(first: Any, second: Any) -> Any:
    return np.abs(np.asarray(first).astype(int) - np.asarray(second).astype(int))


@pytest.mark.parametrize(("crop", "margin"), [("none", 0), ("baked", 4), ("fresh", 4)])
def test_an_image_is_prepared_as_for_evaluate(crop: str, margin: int, photos: tuple[Path, Path]) -> None:
    preprocess = PreprocessSettings.model_validate(
        {"height": MIXED_SIZE, "width": MIXED_SIZE, "channels": 3, "crop": crop, "crop_margin": 0.5}
    )
    prepared = mixing.read_image(photos[0], preprocess)
    stored = MIXED_SIZE + margin
    with Image.open(photos[0]) as image:  # 30 × 20: the middle 20 × 20
        whole = np.asarray(image.resize((stored, stored), Image.Resampling.BICUBIC, box=(5, 0, 25, 20)))
    edge = margin // 2
    np.testing.assert_array_equal(prepared, whole[edge : edge + MIXED_SIZE, edge : edge + MIXED_SIZE])


def test_a_transparent_image_is_laid_on_the_background(tmp_path: Path) -> None:
    Image.new("RGBA", (9, 9), (1, 2, 3, 0)).save(tmp_path / "glass.png")
    pixels = mixing.read_image(tmp_path / "glass.png", PreprocessSettings(channels=1, background=(7, 7, 7)))
    assert (pixels == 7).all()


def test_an_image_beyond_max_pixels_is_not_decoded(photos: tuple[Path, Path]) -> None:
    with pytest.raises(UsageError, match=r"one\.png: expected an image, found none that can be used \(too_large: 30 ×"):
        mixing.read_image(photos[0], PreprocessSettings(max_pixels=500))


def test_an_animation_goes_there_and_back_and_rests_at_the_ends() -> None:
    images = np.arange(4, dtype=np.uint8)[:, None, None, None] * np.ones((1, 20, 30, 3), np.uint8)
    frames, times = mixing.animation_frames(images)
    assert [frame.getpixel((0, 0))[0] for frame in frames] == [0, 1, 2, 3, 2, 1]
    assert {frame.size for frame in frames} == {(240, 160)}  # eight times as large
    assert times == [640, 80, 80, 640, 80, 80]

    frames, times = mixing.animation_frames(np.zeros((2, 300, 300, 1), np.uint8))
    assert [frame.size for frame in frames] == [(300, 300)] * 2
    assert times == [640, 640]


@pytest.mark.parametrize(("height", "width", "channels"), [(8, 8, 1), (40, 24, 3), (100, 400, 3)])
def test_a_mix_shows_five_images_in_a_row(height: int, width: int, channels: int, tmp_path: Path) -> None:
    from components.reporting.style import save

    def flat(*values: int) -> np.ndarray[Any, Any]:
        return np.array(values, np.uint8)[:, None, None, None] * np.ones((1, height, width, channels), np.uint8)

    figure = mixing.mix_figure(flat(10, 200), flat(50, 100, 150), names=("one.png", "two.png"))
    save(figure, tmp_path / "mix.png")
    with Image.open(tmp_path / "mix.png") as image:
        pixels = np.asarray(image.convert("L"))
    factor = max(1, round(1500 / (5 * width)))
    for value in (10, 50, 100, 150, 200):
        # Each pixel a square of whole pixels. Letters may have a value, too, but not along half a side.
        block = pixels == value
        rows, columns = (
            np.flatnonzero(block.sum(axis) >= factor * side / 2) for axis, side in ((1, width), (0, height))
        )
        assert (len(rows), len(columns)) == (height * factor, width * factor)
        assert block[np.ix_(rows, columns)].all()
    row = pixels[rows[len(rows) // 2]]
    order = [int(row[place]) for place in np.flatnonzero(np.diff(row, prepend=255)) if row[place] != 255]
    assert order == [10, 50, 100, 150, 200]


def test_names_in_any_script_and_of_any_length_can_be_drawn(tmp_path: Path) -> None:
    from components.reporting.style import save

    images = np.zeros((3, MIXED_SIZE, MIXED_SIZE, 1), np.uint8)
    sizes = []
    for names in (("one.png", "two.png"), ("$x_$ ^ котик.png", "猫" * 99)):
        save(mixing.mix_figure(images[:2], images, names=names), tmp_path / "mix.png")
        with Image.open(tmp_path / "mix.png") as image:
            sizes.append(image.size)
    assert sizes[0] == sizes[1]


@pytest.mark.process
def test_the_command_writes_a_strip_and_an_animation_and_one_line(
    command: Callable[..., tuple[int, str, str]],
    home: Path,
    photos: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, err = command("interpolate", *photos, "--steps", "5", "--gif")
    assert (status, err) == (0, "")
    assert out == "wrote interpolate-one-two.png and interpolate-one-two.gif\n"
    assert {path.name for path in tmp_path.iterdir()} == {
        "one.png",
        "two.jpg",
        "interpolate-one-two.png",
        "interpolate-one-two.gif",
    }

    expected = expected_images(home, "grey", photos, steps=5, channels=1)[..., 0]  # [5, H, W]
    assert (expected[0] != expected[4]).any()
    with Image.open(tmp_path / "interpolate-one-two.gif") as animation:
        assert animation.n_frames == 8
        assert animation.info["loop"] == 0
        for number, place in enumerate((0, 1, 2, 3, 4, 3, 2, 1)):
            animation.seek(number)
            assert animation.info["duration"] == (640 if number in (0, 4) else 80)
            frame = np.asarray(animation.convert("L"))
            assert frame.shape == (256, 256)
            assert differences(frame, expected[place].repeat(32, axis=0).repeat(32, axis=1)).max() <= 1
    with Image.open(tmp_path / "interpolate-one-two.png") as strip:
        pixels = np.asarray(strip.convert("L"))
    cell = (strip.width - 4) // 5  # an image and the gap after it
    factor = (cell - 4) // MIXED_SIZE
    assert strip.size == (5 * cell + 4, cell + 4)
    for place in range(5):
        middles = 4 + factor // 2 + factor * np.arange(MIXED_SIZE)
        assert differences(pixels[np.ix_(middles, middles + place * cell)], expected[place]).max() <= 1


@pytest.mark.usefixtures("stages_in_this_process")
def test_a_mix_goes_into_the_current_folder_and_replaces_an_older_one(
    command: Callable[..., tuple[int, str, str]],
    home: Path,
    photos: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mix-one-two.png").write_bytes(b"of yesterday")
    drawn: list[Images] = []
    draw = mixing.mix_figure

    def watched(originals: Images, decoded: Images, **names: Any) -> Any:
        drawn.append(decoded)
        return draw(originals, decoded, **names)

    monkeypatch.setattr(mixing, "mix_figure", watched)
    assert command("mix", *photos, recipe="colour") == (0, "replaced mix-one-two.png\n", "")
    with Image.open("mix-one-two.png") as image:
        assert image.width > 1500
    # Its ends are the reconstructions, and halfway is the decoded mean of both codes.
    [decoded] = drawn
    expected = expected_images(home, "colour", photos, steps=3, channels=3)
    assert differences(decoded, expected).max() <= 1


@pytest.mark.usefixtures("stages_in_this_process")
def test_a_label_decides_what_a_conditional_generator_decodes(
    command: Callable[..., tuple[int, str, str]], photos: tuple[Path, Path], tmp_path: Path
) -> None:
    strips = []
    for label in ("cat", "dog"):
        out = tmp_path / f"{label}.png"
        arguments = ["interpolate", *photos, "--steps", "2", "--label", label, "--out", out]
        assert command(*arguments, recipe="labelled") == (0, f"wrote {out}\n", "")
        strips.append(out.read_bytes())
    assert strips[0] != strips[1]
    status, _, err = command("mix", *photos, "--label", "bird", recipe="labelled")
    assert (status, err) == (2, "error: generate.label: expected one of cat, dog, found bird\n")
