"""Says which files are images of a kind that is not read here, so that they are not taken for broken ones or for no images."""

from __future__ import annotations

import io

from PIL import TiffImagePlugin

from components.images import jpeg_segments

HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs")
AVIF_BRANDS = (b"avif", b"avis")
JPEG_XL = (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")
SAMPLE_FORMATS = {2: "signed ", 3: "floating-point ", 5: "complex ", 6: "complex "}  # of a TIFF; 1 is unsigned


def modern_format(raw: bytes) -> str | None:
    """Return HEIC, AVIF or JPEG XL if a file begins like one of these, else None."""
    if raw.startswith(JPEG_XL):
        return "JPEG XL"
    if raw[4:8] != b"ftyp":
        return None
    size = min(int.from_bytes(raw[:4], "big"), 256)
    brands = [raw[8:12], *(raw[at : at + 4] for at in range(16, size, 4))]
    for name, own in (("AVIF", AVIF_BRANDS), ("HEIC", HEIC_BRANDS)):
        if any(brand in own for brand in brands):
            return name
    return None


def unsupported_kind(name: str, raw: bytes, *, limited: io.BytesIO) -> str | None:
    """Return what a file is that may be whole although Pillow cannot read it; None if nothing is known but that it is broken.

    Args:
        name: Pillow's name of the format that it begins like.
        raw: The file.
        limited: The same file, of which only so much can be read that a hostile header does no harm.
    """
    if name == "JPEG":
        return jpeg_segments.unsupported_kind(raw)
    return _tiff_kind(limited) if name == "TIFF" else None


def _tiff_kind(file: io.BytesIO) -> str | None:
    tag = TiffImagePlugin
    header = file.read(8)
    try:
        directory = tag.ImageFileDirectory_v2(header + (file.read(8) if 43 in header[2:4] else b""))
        file.seek(directory.next)
        directory.load(file)
        width, height = directory[tag.IMAGEWIDTH], directory[tag.IMAGELENGTH]
        bits = directory.get(tag.BITSPERSAMPLE, (1,))
        samples = int(directory.get(tag.SAMPLESPERPIXEL, len(bits)))
        sample_format = directory.get(tag.SAMPLEFORMAT, (1,))[0]
        compression = int(directory.get(tag.COMPRESSION, 1))
        photometric = int(directory.get(tag.PHOTOMETRIC_INTERPRETATION, 0))
    except Exception:  # it is broken
        return None
    if not (min(width, height) > 0 and 0 < samples <= 1024 and all(0 < number <= 64 for number in bits)):
        return None
    if compression not in tag.COMPRESSION_INFO:
        return f"a TIFF of compression {compression}"
    kind = SAMPLE_FORMATS.get(sample_format, "")
    bits_text = "/".join(map(str, sorted(set(bits))))
    return f"a TIFF of {samples} channel{'s'[: samples > 1]} of {kind}{bits_text} bits, photometric interpretation {photometric}"
