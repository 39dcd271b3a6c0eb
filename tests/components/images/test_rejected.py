"""What a source has read is an image, or is rejected by its error, or by an ending that no decoder here reads."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from components.images.rejected import Rejected, is_beside, require_image
from components.sources import MissingError, RawImage, ReadError
from schemas.artifacts.tables import Reason


def verdict(raw: RawImage | OSError | ReadError, key: str) -> Rejected:
    """Return the reason why something that was read is no image."""
    with pytest.raises(Rejected) as caught:
        require_image(raw, key=key)
    return caught.value


def preview() -> bytes:
    """Return what most camera raw files are to Pillow: a TIFF of a small image."""
    file = io.BytesIO()
    Image.new("RGB", (16, 12), (9, 99, 5)).save(file, "TIFF")
    return file.getvalue()


@pytest.mark.parametrize(
    "name", ["DSC_0001.NEF", "day/IMG_1.CR2", "IMG_1.dng", "_DSC1.ARW", "a.orf", "a.RAF", "a.Rw2", "a.pef"]
)
def test_a_camera_raw_file_is_unsupported_and_not_read_as_its_preview(name: str) -> None:
    error = verdict(preview(), name)
    ending = name[name.rindex(".") :]
    assert (error.reason, error.detail) == (
        Reason.UNSUPPORTED,
        f"a camera raw file ({ending}), of which only a small preview could be read: convert it to JPEG or PNG, or leave it out "
        f'by sources.leave_out=["*{ending}"]',
    )
    assert not is_beside(name, error)


@pytest.mark.parametrize("name", ["a.tif", "a.TIFF", "nef", "a.nef/b", "train.parquet#000001", ""])
def test_other_names_are_read(name: str) -> None:
    assert require_image(preview(), key=name) == preview()


def test_an_error_goes_before_the_ending() -> None:
    assert verdict(FileNotFoundError(), "a.nef").reason == Reason.VANISHED
    assert verdict(MissingError("no such file"), "a.nef").reason == Reason.MISSING
    assert verdict(ReadError("closed"), "a.nef").reason == Reason.UNREADABLE
