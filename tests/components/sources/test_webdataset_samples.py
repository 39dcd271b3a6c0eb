"""The files of a tar archive become samples by their names."""

from __future__ import annotations

from pathlib import Path

from helpers.read_through import images_of
from helpers.tars import pack
from helpers.webdatasets import SAMPLES, labels, source_at

from components.sources.webdataset_samples import holds_samples


def test_samples_are_told_from_other_archives_by_what_is_beside_the_images(tmp_path: Path) -> None:
    assert holds_samples(str(pack(tmp_path / "samples.tar", SAMPLES)))
    assert not holds_samples(str(pack(tmp_path / "photos.tar", {"000.jpg": b"x", "about.json": b"{}"})))


def test_dots_within_names_divide_no_sample(tmp_path: Path) -> None:
    files: dict[str, bytes] = {}
    for number in range(40):
        name = f"set/track {number % 2} v{number}.0 (clean)"
        files |= {f"{name}.jpg": b"%d" % number, f"{name}.cls": b"%d" % (number % 3), f"{name}.mask.png": b"no image"}
    path = pack(tmp_path / "dots.tar", files)
    names = [f"set/track {number % 2} v{number}.0 (clean)" for number in range(40)]
    assert labels(source_at(path)) == {name: str(number % 3) for number, name in enumerate(names)}
    assert list(images_of(source_at(path)).values()) == [b"%d" % number for number in range(40)]
    assert holds_samples(str(path))


def test_frames_numbered_after_a_dot_are_images(tmp_path: Path) -> None:
    path = pack(tmp_path / "frames.tar", {f"frame.{number:04d}.PNG": b"x" for number in range(100)})
    assert list(images_of(source_at(path))) == [f"frame.{number:04d}" for number in range(100)]
    assert set(labels(source_at(path)).values()) == {None}


def test_endings_may_be_in_capitals(tmp_path: Path) -> None:
    path = pack(
        tmp_path / "upper.tar", {"IMG_0.JPG": b"zero", "IMG_0.CLS": b"7", "IMG_1.JPG": b"one", "IMG_1.CLS": b"3"}
    )
    assert labels(source_at(path)) == {"IMG_0": "7", "IMG_1": "3"}
    assert holds_samples(str(path))
