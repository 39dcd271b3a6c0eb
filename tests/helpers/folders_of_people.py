"""Folders and archives of images as people have them, which other tools were reported to misread.

Each function writes one below a folder, and returns the path that a person would give as SOURCE.
"""

from __future__ import annotations

import json
import struct
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from helpers.small_images import file, jpg, pet, pixels, png, put
from PIL import PngImagePlugin


def imagefolder_csv(root: Path) -> Path:
    """Write images and `metadata.csv`, as Hugging Face's imagefolder has them."""
    for number in range(60):
        put(root / f"{number:04d}.png", png(number, colour=True))
    put(root / "metadata.csv", "file_name,label\n" + "".join(f"{n:04d}.png,{pet(n)}\n" for n in range(60)))
    return root


def imagefolder_jsonl(root: Path) -> Path:
    """Write images and `metadata.jsonl`."""
    imagefolder_csv(root)
    (root / "metadata.csv").unlink()
    rows = [{"file_name": f"{number:04d}.png", "label": pet(number)} for number in range(60)]
    put(root / "metadata.jsonl", "".join(f"{json.dumps(row)}\n" for row in rows))
    return root


def metadata_csv_itself(root: Path) -> Path:
    """Write images and their table; only the table is given."""
    return imagefolder_csv(root) / "metadata.csv"


def metadata_jsonl_itself(root: Path) -> Path:
    """Write images and their table; only the table is given."""
    return imagefolder_jsonl(root) / "metadata.jsonl"


def zipped_folder(root: Path) -> Path:
    """Write a zip of a folder, packed by macOS."""
    with zipfile.ZipFile(root / "pets.zip", "w") as archive:
        for number in range(60):
            archive.writestr(f"pets/{pet(number)}/{number:04d}.png", png(number))
        archive.writestr("__MACOSX/pets/cat/._0000.png", b"\0\5\x16\7 no image")
        archive.writestr("pets/.DS_Store", b"\0\0\0\1Bud1")
    return root / "pets.zip"


def zipped_splits(root: Path) -> Path:
    """Write a zip of a folder with its own splits."""
    with zipfile.ZipFile(root / "split.zip", "w") as archive:
        for number in range(60):
            split = "test" if number >= 45 else "train"
            archive.writestr(f"pets/{split}/{pet(number)}/{number:04d}.png", png(number))
    return root / "split.zip"


def training_testing(root: Path) -> Path:
    """Write splits spelled as in many sets on Kaggle."""
    for number in range(60):
        split = "Testing" if number >= 45 else "Training"
        put(root / split / ("glioma", "no tumor", "pituitary")[number % 3] / f"{number}.jpg", jpg(number, size=40))
    return root


def train_val_test(root: Path) -> Path:
    """Write three splits, each with folders of classes."""
    for number in range(90):
        split = "test" if number >= 75 else "val" if number >= 60 else "train"
        put(root / split / ("king", "pawn", "queen")[number % 3] / f"{number}.png", png(number))
    return root


def img2dataset(root: Path, *, tables: bool = True) -> Path:
    """Write shards of photographs with captions and facts beside them, as img2dataset writes folders."""
    for shard in range(2):
        rows = []
        for number in range(30):
            key = f"{shard:05d}{number:04d}"
            row = {"url": f"https://example.org/{key}.jpg", "caption": "a blob", "key": key}
            put(root / f"{shard:05d}" / f"{key}.jpg", jpg(number + 30 * shard))
            put(root / f"{shard:05d}" / f"{key}.txt", "a blob")
            put(root / f"{shard:05d}" / f"{key}.json", json.dumps(row))
            rows.append(row)
        if tables:
            pq.write_table(pa.Table.from_pylist(rows), root / f"{shard:05d}.parquet")
            put(root / f"{shard:05d}_stats.json", '{"count": 30}')
    return root


def img2dataset_without_tables(root: Path) -> Path:
    """Write the same, without the tables beside the shards."""
    return img2dataset(root, tables=False)


def captions(root: Path) -> Path:
    """Write a text beside every image."""
    for number in range(40):
        put(root / f"{number}.png", png(number))
        put(root / f"{number}.txt", "a blob, red")
    return root


def curated_links(root: Path) -> Path:
    """Write a folder of links to images elsewhere."""
    for number in range(60):
        put(root / "originals" / f"{number}.png", png(number))
        link = root / "curated" / pet(number) / f"{number}.png"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(f"../../originals/{number}.png")
    return root / "curated"


def files_and_links(root: Path) -> Path:
    """Write a folder of files and of links."""
    for number in range(60):
        path = root / "mixed" / pet(number) / f"{number}.png"
        put(root / "originals" / f"{number}.png" if number >= 40 else path, png(number))
        if number >= 40:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(f"../../originals/{number}.png")
    return root / "mixed"


def png_metadata(root: Path) -> Path:
    """Write PNGs with 3 MB of text or a profile of 2 MB, as renderers leave them."""
    for number in range(60):
        info, options = PngImagePlugin.PngInfo(), {}
        if number % 6 == 0:
            info.add_text("workflow", "".join(f"node {n} -> {n * 7}; " for n in range(180_000)), zip=True)
        elif number % 6 == 3:
            options["icc_profile"] = bytes(2_000_000)
        put(root / f"{number}.png", file(pixels(number, colour=True), pnginfo=info, **options))
    return root


def five(root: Path) -> Path:
    """Write five images."""
    for number in range(5):
        put(root / f"{number}.png", png(number))
    return root


def odd_folders(root: Path) -> Path:
    """Write hidden files, thumbnails, an empty class, wrong endings and none."""
    for number in range(66):
        label = ("1", "10", "2")[number % 3]
        name = (f"{number}.JPG", f"{number}.png", f"{number}")[number % 3]
        put(root / label / name, png(number) if number % 2 else jpg(number))
    for label in ("1", "10", "2"):
        put(root / label / "Thumbs.db", b"\xd0\xcf\x11\xe0 thumbs")
        put(root / label / ".DS_Store", b"\0\0\0\1Bud1")
        put(root / label / "._0001.png", b"\0\5\x16\7")
    (root / "3").mkdir()
    return root


def two_labels(root: Path) -> Path:
    """Write two images that stand in two folders of classes."""
    for number in range(120):
        put(root / ("early", "late")[number % 2] / f"{number}.png", png(number))
    for number in (0, 2):
        put(root / "late" / f"again{number}.png", png(number))
    return root


def lossless_jpeg(root: Path) -> Path:
    """Write sixty photographs, and one flat lossless JPEG (SOF3) that libjpeg cannot decode at a fraction."""

    def segment(marker: int, body: bytes) -> bytes:
        return b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body

    tables = segment(0xC4, bytes([0, 1] + [0] * 15 + [0]))
    frame = segment(0xC3, struct.pack(">BHHBBBB", 8, 480, 640, 1, 1, 0x11, 0))
    scan = segment(0xDA, bytes([1, 1, 0, 1, 0, 0])) + bytes(640 * 480 // 8)
    for number in range(60):
        put(root / f"{number}.jpg", jpg(number, size=256, colour=True))
    put(root / "lossless.jpg", b"\xff\xd8" + tables + frame + scan + b"\xff\xd9")
    return root


def white_is_zero(root: Path) -> Path:
    """Write sixty images, and a 16-bit TIFF in which 0 is white."""
    side, data = 64, struct.pack("<H", 1000) * 64 * 64
    entries = [(256, 4, side), (257, 4, side), (258, 3, 16), (259, 3, 1), (262, 3, 0), (273, 4, 8), (277, 3, 1)]
    entries += [(278, 4, side), (279, 4, len(data))]
    directory = struct.pack("<H", len(entries))
    for tag, kind, value in entries:
        directory += struct.pack("<HHI", tag, kind, 1)
        directory += struct.pack("<HH", value, 0) if kind == 3 else struct.pack("<I", value)
    put(root / "w16.tif", b"II*\0" + struct.pack("<I", 8 + len(data)) + data + directory + bytes(4))
    for number in range(60):
        put(root / f"{number}.png", png(number, size=64))
    return root
