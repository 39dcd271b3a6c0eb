"""A decoder in processes of its own gives what the usual one gives, and survives a crash."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Iterator

import numpy as np
import pytest
from helpers.paths import ROOT
from PIL import Image

from components.images.decode import Decoder
from components.images.geometry import Cover, Fit, Pad, Stretch
from components.images.rejected import Rejected
from components.sources import RawImage
from components.workers.isolated import IsolatedDecoder, open_decoder
from schemas.artifacts.tables import Reason
from schemas.errors import DataError
from schemas.recipe.preprocess import PreprocessSettings

pytestmark = pytest.mark.process

SETTINGS = PreprocessSettings(channels=3, background=(1, 2, 3), height=32, width=24)
PIXELS = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)


def png(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height)).save(buffer, "PNG")
    return buffer.getvalue()


def jpeg(**options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, "JPEG", **options)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def isolated() -> Iterator[IsolatedDecoder]:
    """Return a decoder that crashes at images of 13 × 17 pixels."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CRASH_AT", "13x17")
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "tests" / "helpers" / "crash_at")]))
        decoder = IsolatedDecoder(SETTINGS)
    with decoder:
        yield decoder


RAW: dict[str, RawImage] = {
    "JPEG": jpeg(),
    "pixels": PIXELS,
    "grey pixels": PIXELS[:, :, 0],
    "broken profile": jpeg(icc_profile=b"broken"),
}


@pytest.mark.parametrize("raw", RAW.values(), ids=RAW.keys())
@pytest.mark.parametrize("geometry", [None, Cover(8, 9), Fit(80, 90, (5, 6, 7)), Pad(8, 9), Stretch(8, 9)], ids=str)
def test_it_gives_the_same(isolated: IsolatedDecoder, raw: RawImage, geometry: Cover | None) -> None:
    usual = Decoder(SETTINGS)
    assert isolated.read_header(raw) == usual.read_header(raw)
    ours, theirs = isolated.decode(raw, geometry=geometry), usual.decode(raw, geometry=geometry)
    np.testing.assert_array_equal(ours.pixels, theirs.pixels)
    assert ours.profile_ignored == theirs.profile_ignored


def test_it_rejects_the_same(isolated: IsolatedDecoder) -> None:
    for raw in (b"", b"Dear reader", jpeg()[:300]):
        with pytest.raises(Rejected) as ours:
            isolated.decode(raw)
        with pytest.raises(Rejected) as theirs:
            Decoder(SETTINGS).decode(raw)
        assert (ours.value.reason, ours.value.detail) == (theirs.value.reason, theirs.value.detail)


def test_a_crash_costs_one_image(isolated: IsolatedDecoder) -> None:
    for _ in range(2):
        with pytest.raises(Rejected) as caught:
            isolated.decode(png(13, 17))
        assert (caught.value.reason, caught.value.detail) == (Reason.CRASHED, "the decoder ended by SIGSEGV")
        assert isolated.decode(png(17, 13)).pixels.shape == (13, 17, 3)


def test_a_process_that_is_killed_costs_no_image(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when memory runs out: the image may be good."""
    monkeypatch.setenv("CRASH_AT", "13x17")
    monkeypatch.setenv("CRASH_BY", "SIGKILL")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "tests" / "helpers" / "crash_at")]))
    with (
        open_decoder(SETTINGS, isolated=True) as decoder,
        pytest.raises(DataError, match=r"^beam\.workers: .* found it ended \(signal 9\), as when memory runs out"),
    ):
        decoder.decode(png(13, 17))


def test_a_server_that_is_killed_is_one_line() -> None:
    with IsolatedDecoder(SETTINGS) as decoder:
        decoder.decode(jpeg())
        os.kill(decoder.process.pid, signal.SIGKILL)
        with pytest.raises(DataError, match=r"found it ended \(signal 9\)"):
            decoder.decode(jpeg())


def test_the_usual_decoder_starts_no_process() -> None:
    with open_decoder(SETTINGS, isolated=False) as decoder:
        assert not isinstance(decoder, IsolatedDecoder)
