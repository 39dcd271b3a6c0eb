"""Search files for words, also within archives, tables and compressed members. No test is here."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow.parquet as pq
from PIL import Image


def traces(folder: Path, words: Sequence[str]) -> list[str]:
    """Return a line for each file below a folder whose name or content has one of the words."""
    lines = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        for place, content in [(name, name.encode()), *_contents(name, path.read_bytes())]:
            lines += [f"{place}: {word}" for word in words if word.encode() in content]
    return lines


def _contents(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the bytes of a file, and what is in it in another form."""
    yield name, data
    if data[:4] == b"PAR1":
        table = pq.read_table(io.BytesIO(data))
        yield f"{name}, schema", str(table.schema).encode()
        yield f"{name}, rows", "\n".join(_text(table.to_pylist())).encode()
    elif data[:2] == b"\x1f\x8b":
        yield from _contents(f"{name}, unpacked", gzip.decompress(data))
    elif data[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for member in archive.namelist():
                yield f"{name}/{member}", member.encode()
                yield from _contents(f"{name}/{member}", archive.read(member))
    elif data[:4] in (b"\x89PNG", b"RIFF"):
        with Image.open(io.BytesIO(data)) as image:
            yield f"{name}, notes", str(image.info).encode()


def _text(values: Iterable[object]) -> Iterator[str]:
    for value in values:
        if isinstance(value, dict):
            yield from _text(value.values())
        elif isinstance(value, list):
            yield from _text(value)
        elif isinstance(value, str):
            yield value
