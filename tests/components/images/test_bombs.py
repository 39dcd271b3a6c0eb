"""Small files that would fill memory or take hours are rejected fast, in little memory."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.paths import SHARED
from helpers.png_chunk import png_chunk
from helpers.waits import PATIENCE
from PIL import Image

HOSTILE = SHARED / "hostile"


def encoded(name: str, **options: Any) -> bytes:
    """Return a small file of a format."""
    buffer = io.BytesIO()
    Image.new("RGB", (16, 8)).save(buffer, name, **options)
    return buffer.getvalue()


def png(*chunks: bytes, side: int = 8) -> bytes:
    """Return a grey PNG file with more chunks before its pixels."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    content = zlib.compress(bytes(side * (side + 1)))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + png_chunk(b"IDAT", content) + png_chunk(b"IEND", b"")


def segment(marker: int, content: bytes) -> bytes:
    """One segment of a JPEG file."""
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def riff_chunk(kind: bytes, content: bytes) -> bytes:
    """One chunk of a WebP file."""
    return kind + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def directory(*entries: tuple[int, int, int, int], next_offset: int = 0) -> bytes:
    """Return a TIFF directory: (tag, type, count, value or place), and where the next one is."""
    rows = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    return struct.pack("<H", len(entries)) + rows + struct.pack("<I", next_offset)


def tiff(*entries: tuple[int, int, int, int], rest: bytes = b"", followed: bool = False) -> bytes:
    """Return a TIFF of one directory, 8×8 grey pixels by default, and right after it `rest`.

    A value of -1 is where `rest` begins; with `followed`, so is the next directory.
    """
    grey = {256: (4, 1, 8), 257: (4, 1, 8), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1), 277: (3, 1, 1)}
    grey |= {273: (4, 1, 8), 279: (4, 1, 64)} | {tag: (kind, count, value) for tag, kind, count, value in entries}
    after = 8 + len(directory()) + 12 * len(grey)
    rows = [(tag, kind, count, after if value < 0 else value) for tag, (kind, count, value) in grey.items()]
    return b"II*\0" + struct.pack("<I", 8) + directory(*rows, next_offset=after if followed else 0) + rest


def echo(copies: int = 3_000, length: int = 1_000_000) -> bytes:
    """Return a megabyte of metadata that every one of many entries points to: together gigabytes."""
    return tiff(*((1_000 + tag, 1, length, -1) for tag in range(copies)), rest=bytes(length))


def jpeg_of_four_gigapixels() -> bytes:
    data = encoded("JPEG")
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", 65_500, 65_500) + data[at + 4 :]


def jpeg_with_echoing_exif() -> bytes:
    block, data = echo(), encoded("JPEG")
    parts = (block[at : at + 65_000] for at in range(0, len(block), 65_000))
    # Without JFIF's segment, which has the resolution: for that Pillow then looks in EXIF.
    return data[:2] + b"".join(segment(0xE1, b"Exif\0\0" + part) for part in parts) + data[20:]


def jpeg_with_a_thousand_scans(side: int = 9_984) -> bytes:
    """Every scan goes over all blocks, and is some dozens of bytes: a run of empty blocks after another."""
    blocks = (side // 8) ** 2
    runs = ("0" + "0" * 14) * (blocks // 16_384 + 1)
    runs += "1" * (-len(runs) % 8)
    scan = segment(0xDA, b"\1\1\0\1\x3f\0") + int(runs, 2).to_bytes(len(runs) // 8, "big").replace(b"\xff", b"\xff\0")
    return b"".join(
        [
            b"\xff\xd8" + segment(0xDB, b"\0" + b"\1" * 64),
            segment(0xC2, struct.pack(">BHHB", 8, side, side, 1) + b"\1\x11\0"),
            segment(0xC4, b"\x00\1" + bytes(15) + b"\0"),
            segment(0xC4, b"\x10\1\1" + bytes(14) + b"\xe0\0"),
            segment(0xDA, b"\1\1\0\0\0\0") + bytes(blocks // 8 + 1),
            scan * 1_000,
            b"\xff\xd9",
        ]
    )


def gif_of_a_million_frames() -> bytes:
    frame = b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x4c\x01\0"
    return b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(6) + frame * 1_000_000 + b";"


def tiff_of_a_million_pages() -> bytes:
    first = tiff(followed=True)
    return first + b"".join(directory(next_offset=len(first) + 6 * page) for page in range(1, 1_000_000))


def tiff_with_echoing_exif() -> bytes:
    entries = ((tag, 1, 1_000_000, 8) for tag in range(1_000, 4_000))
    return tiff((34_665, 4, 1, -1), rest=directory(*entries) + bytes(1_000_000))


def tiff_of_one_huge_tile() -> bytes:
    data = zlib.compress(bytes(1_000_000))
    return tiff(
        (259, 3, 1, 8), (322, 4, 1, 30_000), (323, 4, 1, 30_000), (324, 4, 1, -1), (325, 4, 1, 1_000), rest=data
    )


def png_with_a_huge_profile() -> bytes:
    return png(png_chunk(b"iCCP", b"icc\0\0" + zlib.compress(bytes(200_000_000))), png_chunk(b"IDAT", b"no pixels"))


def png_that_unfolds() -> bytes:
    data = png(side=95)
    header = struct.pack(">IIBBBBB", 95_000, 95_000, 8, 0, 0, 0, 0)
    return data[:8] + png_chunk(b"IHDR", header) + data[33:]


def webp_with_a_huge_canvas() -> bytes:
    side = struct.pack("<I", 16_383)[:3]
    frame = bytes(15) + b"\0" + encoded("WEBP", lossless=True)[12:]
    chunks = riff_chunk(b"VP8X", bytes([2, 0, 0, 0]) + side * 2)
    chunks += riff_chunk(b"ANIM", bytes(6)) + riff_chunk(b"ANMF", frame)
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks


def webp_with_echoing_exif() -> bytes:
    return encoded("WEBP", exif=b"Exif\0\0" + echo())


UNFOLDS = "corrupt: a header that unfolds to more than the file"
BOMBS: dict[str, tuple[Callable[[], bytes], str]] = {
    "a JPEG of 4 gigapixels": (jpeg_of_four_gigapixels, "too_large: 65500 × 65500 pixels, more than 100,000,000"),
    "a JPEG of a thousand scans": (jpeg_with_a_thousand_scans, "too_large: more than 200 scans"),
    "a JPEG whose EXIF echoes": (jpeg_with_echoing_exif, UNFOLDS),
    "a GIF of a million frames": (gif_of_a_million_frames, "too_large: more than 10,000 frames"),
    "a TIFF of a million pages": (tiff_of_a_million_pages, "too_large: more than 10,000 frames"),
    "a TIFF that echoes": (echo, UNFOLDS),
    "a TIFF whose EXIF echoes": (tiff_with_echoing_exif, UNFOLDS),
    "a TIFF of one huge tile": (tiff_of_one_huge_tile, "too_large: tiles of 30000 × 30000 pixels"),
    "a WebP of a huge canvas": (webp_with_a_huge_canvas, "too_large: 16384 × 16384 pixels"),
    "a WebP whose EXIF echoes": (webp_with_echoing_exif, UNFOLDS),
    "a PNG whose EXIF echoes": (lambda: png(png_chunk(b"eXIf", echo())), UNFOLDS),
    "a PNG whose profile is 200 MB": (png_with_a_huge_profile, "corrupt: "),
    "a PNG of 9 gigapixels": (png_that_unfolds, "too_large: 95000 × 95000 pixels"),
}

DECODE = """
import resource, sys
from components.images.decode import decode
from components.images.rejected import Rejected
from schemas.recipe.preprocess import PreprocessSettings

def peak():
    if sys.platform == "linux":  # where ru_maxrss counts the parent's memory too
        return next(int(line.split()[1]) >> 10 for line in open("/proc/self/status") if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 20

for path in sys.argv[1:]:
    try:
        decode(open(path, "rb").read(), PreprocessSettings(channels=3))
        outcome = "decoded"
    except Rejected as error:
        outcome = str(error)
    print(peak(), outcome)
"""


def decode_in_a_process(paths: list[Path]) -> list[tuple[int, str]]:
    """Decode files one after another; return the most memory held so far, in MiB, and the outcome, for each."""
    command = [sys.executable, "-c", DECODE, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)
    lines = (line.split(" ", 1) for line in done.stdout.splitlines())
    return [(int(peak), outcome) for peak, outcome in lines]


@pytest.fixture(scope="module")
def bombs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str]]:
    """For each bomb, the most memory held until it was rejected, and the reason; all in one process."""
    folder = tmp_path_factory.mktemp("bombs")
    paths = [folder / str(number) for number in range(len(BOMBS))]
    for path, (bomb, _) in zip(paths, BOMBS.values(), strict=True):
        path.write_bytes(bomb())
        assert path.stat().st_size < 20_000_000
    return dict(zip(BOMBS, decode_in_a_process(paths), strict=True))


@pytest.mark.process
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_rejected_in_little_memory(bombs: dict[str, tuple[int, str]], name: str) -> None:
    peak, outcome = bombs[name]
    assert outcome.startswith(BOMBS[name][1])
    assert peak < 200  # Python, numpy and Pillow are about 80


@pytest.mark.process
@pytest.mark.shared
def test_no_hostile_file_takes_a_gigabyte() -> None:
    if not HOSTILE.is_dir():
        pytest.skip(f"the real images are not at {HOSTILE}")
    paths = sorted(path for path in HOSTILE.rglob("*") if path.is_file())
    outcomes = decode_in_a_process(paths)
    assert len(outcomes) == len(paths)
    assert outcomes[-1][0] < 1_000
