"""Opens image files and checks limits before any decoder runs; there is no other way to open one.

Limits on bytes, pixels, frames and formats are settings of `preprocess`. The work of merely reading a header is limited
here too: metadata can point to the same bytes again and again, and there can be endless tiles and scans.
"""

from __future__ import annotations

import io
import warnings

from PIL import Image, TiffImagePlugin, TiffTags, UnidentifiedImageError, features

from components.images import jpeg_segments
from components.images.frames import count_frames
from components.images.heif import register_heif
from components.images.png_chunks import without_large_metadata
from components.images.profiles import TOO_LARGE
from components.images.rejected import Rejected
from components.images.truncated import ends_early
from components.images.unsupported import modern_format, unsupported_kind
from components.sources.git_lfs import POINTER, is_pointer
from schemas.artifacts.tables import Reason
from schemas.recipe.preprocess import PreprocessSettings

# A progressive JPEG needs about ten scans. Each takes only some bytes of the file, but a pass over the whole image.
MAX_SCANS = 200
# EXIF of at most this many bytes cannot unfold to much, however often it points to itself.
SMALL_EXIF = 1 << 17

# Only for files that begin like one of them, because Pillow loads all of its plugins to know them.
MODERN = ("AVIF", "HEIF")

# preprocess.max_pixels is checked instead; Pillow's limit would only warn.
Image.MAX_IMAGE_PIXELS = None


def open_image(raw: bytes, limits: PreprocessSettings) -> Image.Image:
    """Open an image without decoding it; afterwards format, size and metadata are known.

    Raises:
        Rejected: It is empty, of no format of `formats`, beyond a limit, or its header is broken.
    """
    if not raw:
        raise Rejected(Reason.EMPTY, "0 bytes")
    if len(raw) > limits.max_bytes:
        raise Rejected(Reason.TOO_LARGE, f"{len(raw):,} bytes, more than {limits.max_bytes:,}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about odd metadata
            image = _open(raw, limits)
            check_pixels(image.width, image.height, limits)
            _check_work(image, raw, limits)
    except Exception as error:  # parsers of headers raise errors of any type
        raise rejection(error, raw) from None
    frames = count_frames(image, raw, limit=limits.max_frames)
    if frames > limits.max_frames:
        raise Rejected(Reason.TOO_LARGE, f"more than {limits.max_frames:,} frames")
    if frames > 1 and limits.animated == "reject":
        raise Rejected(Reason.ANIMATED, f"{frames:,} frames")
    return image


def begins_like_image(raw: bytes, limits: PreprocessSettings) -> bool:
    """Return whether a file begins like an image, so that `open_image` takes it for one, if a broken one.

    Args:
        raw: Its first bytes, 256 or more if there are so many.
        limits: Its `formats` count.
    """
    Image.init()
    return modern_format(raw) is not None or any(_begins_like(name, raw) for name in limits.formats)


def _begins_like(name: str, raw: bytes) -> bool:
    accepts = Image.OPEN[name][1] if name in Image.OPEN else None
    return bool(raw) and accepts is not None and accepts(raw[:16]) is True


def check_pixels(width: int, height: int, limits: PreprocessSettings) -> None:
    """Check the size of an image.

    Raises:
        Rejected: There are no pixels, or more than `max_pixels`.
    """
    if not width * height:
        raise Rejected(Reason.EMPTY, f"{width} × {height} pixels")
    if width * height > limits.max_pixels:
        raise Rejected(Reason.TOO_LARGE, f"{width} × {height} pixels, more than {limits.max_pixels:,}")


def read_exif(image: Image.Image) -> Image.Exif:
    """Read an opened image's EXIF; the result is empty if it is damaged.

    Raises:
        Rejected: It unfolds to much more than its size.
    """
    try:
        _check_exif(image.info.get("exif", b""))
        if (
            len(image.info.get("Raw profile type exif", "")) > 2 * SMALL_EXIF
        ):  # in hexadecimal, as ImageMagick writes it
            return Image.Exif()
        return image.getexif()
    except Rejected:
        raise
    except Exception:
        return Image.Exif()


def rejection(error: Exception, raw: bytes) -> Rejected:
    """Convert a decoder's exception to a reason for rejecting the file."""
    if isinstance(error, Rejected):
        return error
    text = f"{type(error).__name__}: {error}"[:200]
    if raw[:3] == b"\xff\xd8\xff" and (kind := jpeg_segments.unsupported_kind(raw)):
        return Rejected(Reason.UNSUPPORTED, kind)
    truncated = isinstance(error, EOFError) or "truncated" in text.lower() or "EOF" in text or ends_early(raw)
    return Rejected(Reason.TRUNCATED if truncated else Reason.CORRUPT, text)


class _ReadOnce(io.BytesIO):
    """A file that can be read once: little more than its size, in all reads together.

    An entry of a TIFF directory or of EXIF names a place and a length, and Pillow copies the bytes there. Thousands of
    entries that name the same megabyte would make gigabytes.

    Attributes:
        remaining: Bytes that may still be read.
        ended_early: Whether the file had fewer bytes than a read asked for.
    """

    def __init__(self, raw: bytes) -> None:
        super().__init__(raw)
        self.remaining: float = len(raw) + (1 << 20)
        self.ended_early = False

    def read(self, size: int | None = -1, /) -> bytes:
        """Read like `io.BytesIO.read`, as long as bytes remain."""
        data = super().read(size)
        self.ended_early |= len(data) < (size or 0)
        self.remaining -= len(data)
        if self.remaining < 0:
            raise Rejected(Reason.CORRUPT, "a header that unfolds to more than the file")
        return data


def _open(raw: bytes, limits: PreprocessSettings) -> Image.Image:
    if raw[:3] == b"\xff\xd8\xff" and len(raw) > SMALL_EXIF:
        _check_exif(_jpeg_exif(raw))  # Pillow reads it while it opens a JPEG
    modern = modern_format(raw)
    if modern:
        _check_modern(modern, limits)
    raw, profile_left_out = without_large_metadata(raw)
    file = _ReadOnce(raw)
    try:
        image = Image.open(file, formats=[name for name in limits.formats if name not in MODERN or modern])
    except (UnidentifiedImageError, KeyError) as error:  # a KeyError is about a TIFF's compression
        raise _unopened(raw, limits, ended_early=file.ended_early) from error
    if profile_left_out:
        image.info["icc_profile"] = TOO_LARGE
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        exif = (
            image.getexif()
        )  # Pillow would read it while decoding; here the reads are limited, and it keeps the result
        for group in TiffTags.TAGS_V2_GROUPS:
            if group in exif:
                exif.get_ifd(group)
    file.remaining = float("inf")
    return image


def _unopened(raw: bytes, limits: PreprocessSettings, *, ended_early: bool) -> Rejected:
    """Return why Pillow did not open a file."""
    if is_pointer(raw):
        return Rejected(Reason.UNKNOWN_FORMAT, POINTER)
    for name in limits.formats:
        if _begins_like(name, raw):
            if ended_early or ends_early(raw):
                return Rejected(Reason.TRUNCATED, f"a broken header of {name}")
            kind = unsupported_kind(name, raw, limited=_ReadOnce(raw))
            return Rejected(*((Reason.UNSUPPORTED, kind) if kind else (Reason.CORRUPT, f"a broken header of {name}")))
    return Rejected(Reason.UNKNOWN_FORMAT, f"not one of {', '.join(limits.formats)}")


def _check_modern(name: str, limits: PreprocessSettings) -> None:
    """Check that a file that begins like HEIC, AVIF or JPEG XL can be read here.

    Raises:
        Rejected: It cannot; the message says what to do.
    """
    if name == "JPEG XL":
        raise Rejected(Reason.UNSUPPORTED, "a JPEG XL image: convert it, such as to PNG")
    pillow_name = "HEIF" if name == "HEIC" else name
    if pillow_name not in limits.formats:
        raise Rejected(Reason.UNKNOWN_FORMAT, f"{name}, not one of {', '.join(limits.formats)}")
    if name == "HEIC" and not register_heif():
        raise Rejected(
            Reason.UNSUPPORTED,
            "a HEIC image: install the extra heif (.venv/bin/pip install pillow-heif), or convert it to JPEG",
        )
    if name == "AVIF" and not features.check("avif"):
        raise Rejected(Reason.UNSUPPORTED, "an AVIF image: install a Pillow that reads it, or convert it to JPEG")


def _check_work(image: Image.Image, raw: bytes, limits: PreprocessSettings) -> None:
    """Check tiles and scans, which can make much work of few pixels."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        tile = [image.tag_v2.get(tag, 0) for tag in (TiffImagePlugin.TILEWIDTH, TiffImagePlugin.TILELENGTH)]
        if all(isinstance(length, int) for length in tile) and tile[0] * tile[1] > limits.max_pixels:
            raise Rejected(Reason.TOO_LARGE, f"tiles of {tile[0]} × {tile[1]} pixels, more than {limits.max_pixels:,}")
    if image.info.get("progressive") and raw.count(b"\xff\xda") > MAX_SCANS:
        raise Rejected(Reason.TOO_LARGE, f"more than {MAX_SCANS} scans")


def _check_exif(block: bytes) -> None:
    if len(block) <= SMALL_EXIF:
        return
    while block.startswith(b"Exif\0\0"):
        block = block[6:]
    file = _ReadOnce(block)
    try:
        directory = TiffImagePlugin.ImageFileDirectory_v2(file.read(8))
        file.seek(directory.next)
        directory.load(file)
    except Rejected:
        raise
    except Exception:  # it is damaged; Pillow ignores it too
        return


def _jpeg_exif(raw: bytes) -> bytes:
    """Return all EXIF segments of a JPEG, joined."""
    blocks = (raw[segment.start : segment.end] for segment in jpeg_segments.segments(raw) if segment.marker == 0xFFE1)
    return b"".join(block[6:] for block in blocks if block.startswith(b"Exif\0\0"))
