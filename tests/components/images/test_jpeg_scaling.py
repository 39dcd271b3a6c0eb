"""A JPEG that becomes small is decoded at a fraction of its size, without a visible difference."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from helpers.paths import SHARED
from PIL import Image

from components.images.decode import MARGIN, decode
from components.images.geometry import Cover, Fit, Geometry, Pad, Stretch
from components.images.rejected import Rejected
from schemas.artifacts.tables import Reason
from schemas.recipe.preprocess import PreprocessSettings

Array = np.ndarray[Any, Any]
CLOTHING = SHARED / "clothing"
KINDS = (Cover, Fit, Pad, Stretch)
RGB, GREY = PreprocessSettings(channels=3), PreprocessSettings(channels=1)


def photograph(width: int, height: int, *, seed: int = 0) -> Image.Image:
    """Something smooth with edges in it, in colour, that no turn maps to itself."""
    small = np.random.default_rng(seed).integers(0, 256, (7, 5, 3), dtype=np.uint8)
    image = Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)
    image.paste((250, 20, 20), (width // 8, height // 8, width // 3, height // 4))
    return image


def jpeg(image: Image.Image, **options: Any) -> bytes:
    """Encode an image as a JPEG of good quality."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **{"quality": 95, **options})
    return buffer.getvalue()


def psnr(first: Array, second: Array) -> float:
    """Peak signal-to-noise ratio of 8-bit images, in dB."""
    error = np.square(first.astype(np.float64) - second.astype(np.float64)).mean()
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


@pytest.fixture
def decoded_sizes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Width and height of every image that is handed to Pillow's resize."""
    sizes: list[tuple[int, int]] = []
    resize = Image.Image.resize

    def spying(image: Image.Image, *args: Any, **options: Any) -> Image.Image:
        sizes.append(image.size)
        return resize(image, *args, **options)

    monkeypatch.setattr(Image.Image, "resize", spying)
    return sizes


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(1603, 1201), (1201, 1603), (2048, 257), (640, 640), (641, 250)], ids=str)
@pytest.mark.parametrize("settings", [RGB, GREY], ids=["RGB", "grey"])
def test_the_result_is_that_of_full_decoding(
    kind: type[Geometry], size: tuple[int, int], settings: PreprocessSettings
) -> None:
    data, geometry = jpeg(photograph(*size)), kind(48, 64)
    full = Image.open(io.BytesIO(data)).convert("L" if settings.channels == 1 else "RGB")
    assert psnr(decode(data, settings, geometry=geometry), geometry.map(full)) > 38


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_of_a_turned_photo_every_pixel_is_where_it_belongs(kind: type[Geometry], orientation: int) -> None:
    # 1603 and 1202 leave part-filled pixels at 1/8; which sides they end up on depends on the turn.
    upright = photograph(1202, 1603)
    undo = {
        1: (),
        2: (Image.Transpose.FLIP_LEFT_RIGHT,),
        3: (Image.Transpose.ROTATE_180,),
        4: (Image.Transpose.FLIP_TOP_BOTTOM,),
        5: (Image.Transpose.TRANSPOSE,),
        6: (Image.Transpose.ROTATE_90,),
        7: (Image.Transpose.TRANSVERSE,),
        8: (Image.Transpose.ROTATE_270,),
    }[orientation]
    stored = upright
    for turn in undo:
        stored = stored.transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    geometry = kind(96, 64)
    pixels = decode(jpeg(stored, exif=exif), RGB, geometry=geometry)
    assert psnr(pixels, geometry.map(upright)) > 38


def test_the_picture_ends_within_its_last_pixels_and_is_not_shifted() -> None:
    edge = np.zeros((1001, 1001), np.uint8)
    edge[:, 500:] = 255  # in the middle but for half a pixel
    data, geometry = jpeg(Image.fromarray(edge)), Cover(100, 100)
    line = decode(data, GREY, geometry=geometry)[50, :, 0].astype(float)
    exact = geometry.map(Image.fromarray(edge))[50, :, 0].astype(float)
    assert line.sum() / 255 == pytest.approx(exact.sum() / 255, abs=0.02)  # where the edge is, in pixels


@pytest.mark.parametrize(
    ("size", "geometry", "expected"),
    [
        ((800, 1200), Cover(80, 80), (100, 150)),  # 1/8: what survives is 800 wide
        ((799, 1200), Cover(80, 80), (200, 300)),  # 1/8 would be less than MARGIN times 80
        ((1200, 800), Cover(80, 80), (150, 100)),
        ((8000, 800), Cover(80, 80), (1000, 100)),  # the height decides
        ((8000, 800), Pad(80, 80), (1000, 100)),  # the width decides
        ((8000, 800), Stretch(80, 80), (1000, 100)),
        ((400, 400), Cover(80, 80), (100, 100)),
        ((200, 200), Cover(80, 80), (100, 100)),
        ((199, 199), Cover(80, 80), (199, 199)),
        ((60, 40), Cover(80, 80), (60, 40)),
        ((10_000, 1), Pad(28, 28), (10_000, 1)),  # one pixel cannot be halved
    ],
)
def test_a_photo_is_decoded_no_smaller_than_needed(
    size: tuple[int, int], geometry: Geometry, expected: tuple[int, int], decoded_sizes: list[tuple[int, int]]
) -> None:
    assert MARGIN == 1.25
    decode(jpeg(Image.new("RGB", size)), RGB, geometry=geometry)
    assert decoded_sizes == [expected]


def test_the_size_of_a_rotated_photo_is_its_upright_size(decoded_sizes: list[tuple[int, int]]) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = jpeg(Image.new("RGB", (800, 200)), exif=exif)  # upright: 200 wide, 800 high
    decode(stored, RGB, geometry=Stretch(height=80, width=80))
    decode(stored, RGB, geometry=Stretch(height=80, width=20))
    assert decoded_sizes == [(100, 400), (25, 100)]


def test_without_a_geometry_every_pixel_is_decoded() -> None:
    assert decode(jpeg(photograph(333, 222)), RGB).shape == (222, 333, 3)


def test_a_photo_that_fits_exactly_is_not_touched() -> None:
    data = jpeg(photograph(28, 28))
    full = np.asarray(Image.open(io.BytesIO(data)))
    np.testing.assert_array_equal(decode(data, RGB, geometry=Cover(28, 28)), full)


@pytest.mark.parametrize("options", [{"progressive": True}, {"subsampling": 0}, {"subsampling": 1}, {"keep_rgb": True}])
@pytest.mark.parametrize("settings", [RGB, GREY], ids=["RGB", "grey"])
def test_every_kind_of_jpeg_is_scaled_alike(options: dict[str, Any], settings: PreprocessSettings) -> None:
    image, geometry = photograph(803, 601), Cover(32, 32)
    pixels = decode(jpeg(image, **options), settings, geometry=geometry)
    mode = "L" if settings.channels == 1 else "RGB"
    assert psnr(pixels, geometry.map(image.convert(mode))) > 38


def test_cmyk_is_decoded_whole_and_converted_before_it_is_made_smaller() -> None:
    image = photograph(803, 601).convert("CMYK")
    geometry = Cover(32, 32)
    target = geometry.map(image.convert("RGB"))
    assert psnr(decode(jpeg(image), RGB, geometry=geometry), target) > 38


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9, 0.999])
@pytest.mark.parametrize("progressive", [False, True], ids=["baseline", "progressive"])
def test_a_truncated_photo_is_rejected_at_any_scale(share: float, progressive: bool) -> None:
    data = jpeg(photograph(803, 601), progressive=progressive)
    for geometry in (None, Cover(300, 300), Cover(32, 32)):
        with pytest.raises(Rejected) as caught:
            decode(data[: int(share * len(data))], RGB, geometry=geometry)
        assert caught.value.reason == Reason.TRUNCATED


@pytest.mark.shared
def test_photos_of_clothes_come_out_as_if_decoded_whole() -> None:
    if not CLOTHING.is_dir():
        pytest.skip(f"the real images are not at {CLOTHING}")
    files = sorted(CLOTHING.rglob("*.jpg"))[::11]  # some 300 of 3,409
    geometry = Cover(128, 128)
    decibels = []
    for path in files:
        data = path.read_bytes()
        full = geometry.map(Image.open(io.BytesIO(data)).convert("RGB"))
        decibels.append(psnr(decode(data, RGB, geometry=geometry), full))
    assert len(decibels) > 300
    assert np.median(decibels) >= 38
    assert np.percentile(decibels, 1) >= 30
    assert min(decibels) < 100  # some were decoded at a fraction
