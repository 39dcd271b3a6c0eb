"""Arrays, tables, Parquet files and tars of samples as people have them, which other tools were reported to misread.

Each function writes one below a folder, and returns the path that a person would give as SOURCE.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import struct
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from helpers.small_images import jpg, pixels, png, put
from numpy.typing import NDArray


def hub_cache(root: Path) -> Path:
    """Write a snapshot in the cache of Hugging Face's hub, which is made of links."""
    hub = root / "datasets--me--blobs"
    data = hub / "snapshots" / "0123abcd" / "data"
    data.mkdir(parents=True)
    for split, numbers in (("train", range(48)), ("test", range(48, 60))):
        rows = {"image": [{"bytes": png(n), "path": f"{n}.png"} for n in numbers], "label": [n % 3 for n in numbers]}
        blob = hub / "blobs" / f"{split}beef"
        blob.parent.mkdir(exist_ok=True)
        pq.write_table(pa.table(rows), blob)
        (data / f"{split}-00000-of-00001.parquet").symlink_to(f"../../../blobs/{blob.name}")
    return data.parent


def _idx(values: NDArray[Any], code: int) -> bytes:
    return gzip.compress(struct.pack(f">{1 + values.ndim}I", code << 8 | values.ndim, *values.shape) + values.tobytes())


def emnist(root: Path) -> Path:
    """Write EMNIST's names of files."""
    for split, numbers in (("train", range(60)), ("test", range(60, 75))):
        images, labels = np.stack([pixels(n) for n in numbers]), np.array([n % 3 for n in numbers], np.uint8)
        put(root / f"emnist-letters-{split}-images-idx3-ubyte.gz", _idx(images, 8))
        put(root / f"emnist-letters-{split}-labels-idx1-ubyte.gz", _idx(labels, 8))
    put(root / "emnist-letters-mapping.txt", "1 65 97\n")
    return root


def qmnist(root: Path) -> Path:
    """Write QMNIST's names of files, and its labels of eight numbers."""
    for split, numbers in (("train", range(60)), ("test", range(60, 75))):
        images = np.stack([pixels(n) for n in numbers])
        labels = np.array([[n % 3, 0, 0, 0, 0, 0, 0, 0] for n in numbers], ">i4")
        put(root / f"qmnist-{split}-images-idx3-ubyte.gz", _idx(images, 8))
        put(root / f"qmnist-{split}-labels-idx2-int.gz", _idx(labels, 12))
    return root


def kmnist(root: Path) -> Path:
    """Write KMNIST's pairs of files with one array each."""
    for split, numbers in (("train", range(60)), ("test", range(60, 75))):
        np.savez(root / f"kmnist-{split}-imgs.npz", np.stack([pixels(n) for n in numbers]))
        np.savez(root / f"kmnist-{split}-labels.npz", np.array([n % 3 for n in numbers], np.uint8))
    return root


def two_unnamed_arrays(root: Path) -> Path:
    """Write what `np.savez(file, images, labels)` writes."""
    np.savez(
        root / "both.npz", np.stack([pixels(n) for n in range(60)]), np.array([n % 3 for n in range(60)], np.uint8)
    )
    return root / "both.npz"


def pairs_of_arrays(root: Path) -> Path:
    """Write Keras's names, each array in a file of its own."""
    for split, numbers in (("train", range(45)), ("test", range(45, 60))):
        np.save(root / f"x_{split}.npy", np.stack([pixels(n, colour=True) for n in numbers]))
        np.save(root / f"y_{split}.npy", np.array([n % 3 for n in numbers]))
    return root


def _hub_parquet(path: Path, columns: dict[str, Any], classes: dict[str, list[str]], image: str) -> Path:
    features: dict[str, Any] = {name: {"names": names, "_type": "ClassLabel"} for name, names in classes.items()}
    features[image] = {"_type": "Image"}
    metadata = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    pq.write_table(pa.table(columns).replace_schema_metadata(metadata), path)
    return path


def cifar10(root: Path) -> Path:
    """Write CIFAR-10 as the hub has it."""
    columns = {"img": [{"bytes": png(n), "path": None} for n in range(60)], "label": [n % 3 for n in range(60)]}
    return _hub_parquet(root / "cifar10.parquet", columns, {"label": ["airplane", "bird", "cat"]}, "img")


def cifar100(root: Path) -> Path:
    """Write CIFAR-100 as the hub has it: fine labels, and coarse ones that are all the same."""
    images = [{"bytes": png(n), "path": None} for n in range(60)]
    columns = {"img": images, "fine_label": [n % 3 for n in range(60)], "coarse_label": [0] * 60}
    classes = {"fine_label": ["airplane", "bird", "cat"], "coarse_label": ["all"]}
    return _hub_parquet(root / "cifar100.parquet", columns, classes, "img")


def captioned_parquet(root: Path) -> Path:
    """Write images with a text each, every one another."""
    texts = [f"a drawing of a thing, number {n}, with big eyes and a smile on its face" for n in range(60)]
    rows = {"image": [{"bytes": png(n), "path": None} for n in range(60)], "text": texts}
    pq.write_table(pa.table(rows), root / "train-00000-of-00001.parquet")
    return root / "train-00000-of-00001.parquet"


def _tar(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def dotted_samples(root: Path) -> Path:
    """Write WebDataset with dots in the names of its samples."""
    members = {}
    for number in range(60):
        name = f"set/track {number:03d} v2.0 (clean)"
        members |= {f"{name}.jpg": jpg(number), f"{name}.cls": str(number % 3).encode()}
    return _tar(root / "dots.tar", members)


def capital_samples(root: Path) -> Path:
    """Write WebDataset with endings in capitals."""
    members = {}
    for number in range(60):
        members |= {f"IMG_{number:04d}.JPG": jpg(number), f"IMG_{number:04d}.CLS": str(number % 3).encode()}
    return _tar(root / "upper.tar", members)


def _table(root: Path, name: str, text: str | bytes) -> Path:
    for number in range(60):
        put(root / "p" / f"{number:04d}.png", png(number))
    put(root / name, text)
    return root / name


ROWS = [(f"p/{number:04d}.png", number % 3) for number in range(60)]


def pandas_csv(root: Path) -> Path:
    """Write what pandas writes where some labels are missing: numbers with a point."""
    rows = "".join(f"{n},{path},{'' if n % 10 == 9 else float(label)}\n" for n, (path, label) in enumerate(ROWS))
    return _table(root, "pandas_float.csv", f",path,label\n{rows}")


def excel_csv(root: Path) -> Path:
    """Write what Excel writes where commas are decimal: a mark, semicolons, and two signs at each end of a line."""
    rows = "".join(f"{path};{label}\r\n" for path, label in ROWS)
    return _table(root, "excel.csv", f"\ufeffpath;label\r\n{rows}")


def backslash_csv(root: Path) -> Path:
    """Write paths of Windows."""
    rows = "".join("{},{}\r\n".format(path.replace("/", "\\"), label) for path, label in ROWS)
    return _table(root, "backslash.csv", f"path,label\r\n{rows}")


def capital_csv(root: Path) -> Path:
    """Write columns in capitals."""
    return _table(root, "capital.csv", "Path,Label\n" + "".join(f"{path},{label}\n" for path, label in ROWS))


def missing_csv(root: Path) -> Path:
    """Write three of its images were never there."""
    rows = "".join(f"{path if n % 20 else f'{path}.gone'},{label}\n" for n, (path, label) in enumerate(ROWS))
    return _table(root, "missing.csv", f"path,label\n{rows}")


def contradicting_csv(root: Path) -> Path:
    """Write two of its images have two labels."""
    rows = "".join(f"{path},{label}\n" for path, label in ROWS)
    return _table(root, "twice.csv", f"path,label\n{rows}p/0000.png,2\np/0001.png,0\n")


def odd_names_csv(root: Path) -> Path:
    """Write labels with slashes, dots, spaces, other letters, and a long one."""
    labels = ["a/b", "../up", "no tumor", "Ünï 猫", "x" * 300]
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow(["path", "label"])
    for number in range(100):
        put(root / "p" / f"{number}.png", png(number))
        writer.writerow([f"p/{number}.png", labels[number % 5]])
    put(root / "list.csv", stream.getvalue())
    return root / "list.csv"
