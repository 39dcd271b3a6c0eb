"""WebDataset as a source: samples of files beside each other in tar archives, with labels in .cls or .json."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from helpers.read_through import images_of, items_of, read_all
from helpers.tars import pack
from helpers.webdatasets import SAMPLES, labels, source_at
from hypothesis import given
from hypothesis import strategies as st

from schemas.artifacts.kinds import Examples
from schemas.artifacts.records import Statistics
from schemas.artifacts.tables import IMAGES, read_table
from schemas.errors import DataError, UsageError
from schemas.recipe.sources import WebDatasetSource

samples = st.dictionaries(
    st.text("abc%é/0", min_size=1, max_size=20).filter(lambda name: not any(not part for part in name.split("/"))),
    st.tuples(
        st.binary(max_size=600),
        st.sampled_from(["jpg", "PNG", "webp", "tif"]),
        st.none() | st.sampled_from(["0", "cat"]),
    ),
    max_size=6,
)


def label_or_reason(folder: Path, files: dict[str, bytes], **settings: object) -> str | None:
    """Return the label of the only image of an archive, or why the image is rejected."""
    ((item, raw),) = read_all(source_at(pack(folder / "one.tar", files), **settings))
    return str(raw) if isinstance(raw, Exception) else item.label


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz"])
@given(samples=samples, data=st.data())
def test_samples_are_read_for_any_order_of_their_files(
    suffix: str, samples: dict[str, tuple[bytes, str, str | None]], data: st.DataObject
) -> None:
    files = []
    for sample, (image, extension, label) in samples.items():
        beside = [
            (f"{sample}.{extension}", image),
            (f"{sample}.txt", b"words"),
            (f"{sample}.mask.png", b"no image of it"),
        ]
        beside += [] if label is None else [(f"{sample}.cls", label.encode()), (f"{sample}.json", b"not looked at")]
        files += data.draw(st.permutations(beside))
    with TemporaryDirectory() as folder:
        source = source_at(pack(Path(folder) / f"train{suffix}", files))
        key = {sample: sample.replace("%", "%25") for sample in samples}
        assert images_of(source) == {key[sample]: image for sample, (image, _, _) in samples.items()}
        assert labels(source) == {key[sample]: label for sample, (_, _, label) in samples.items()}
        if suffix == ".tar":
            assert all(source.read(item.place or "") == raw for item, raw in read_all(source))


@pytest.mark.parametrize(
    ("fields", "label"),
    [
        ({"label": "golden retriever"}, "golden retriever"),
        ({"label": 7}, "7"),
        ({"label": 7.0}, "7"),
        ({"label": True}, "true"),
        ({"label": " 犬 "}, "犬"),
        ({"label": None}, None),
        ({"caption": "a dog"}, None),
        ([1, 2, 3], None),
    ],
)
def test_a_field_of_the_json_is_the_label(tmp_path: Path, fields: object, label: str | None) -> None:
    assert label_or_reason(tmp_path, {"0.jpg": b"x", "0.json": json.dumps(fields).encode()}) == label


def test_the_recipe_names_the_field(tmp_path: Path) -> None:
    files = {"0.jpg": b"x", "0.json": b'{"label": ["a", "list"], "breed": "collie"}'}
    assert label_or_reason(tmp_path, files, label_field="breed") == "collie"


@pytest.mark.parametrize(
    ("annotations", "reason"),
    [
        ({"0.json": b'{"label": '}, "its .json: Expecting value"),
        ({"0.json": b"\xff"}, "its .json: 'utf-8' codec can't decode"),
        ({"0.json": b"[" * 100_000}, "its .json: maximum recursion depth"),
        ({"0.json": b'{"label": [1, 2]}'}, "its .json: expected a word or a whole number in label, found [1, 2]"),
        ({"0.json": b'{"label": 0.5}'}, "its .json: expected a word or a whole number in label, found 0.5"),
        ({"0.json": rb'{"label": "\ud800"}'}, r"its .json: expected a word or a whole number in label, found '\ud800'"),
        ({"0.cls": b""}, "its .cls: expected a word or a whole number in it, found ''"),
        ({"0.cls": b"\x07\0\0\0"}, r"its .cls: expected a word or a whole number in it, found '\x07\x00\x00\x00'"),
        ({"0.cls": b"\xff"}, "its .cls: 'utf-8' codec can't decode"),
    ],
)
def test_an_image_whose_label_cannot_be_read_is_rejected(
    tmp_path: Path, annotations: dict[str, bytes], reason: str
) -> None:
    assert (label_or_reason(tmp_path, {"0.jpg": b"x", **annotations}) or "").startswith(reason)


def test_a_second_image_of_a_sample_is_rejected(tmp_path: Path) -> None:
    source = source_at(pack(tmp_path / "train.tar", {"0.jpg": b"x", "0.png": b"y"}))
    assert [(item.key, str(raw)) for item, raw in read_all(source)] == [
        ("0", "b'x'"),
        ("0", "a second image of its sample"),
    ]


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz"])
def test_files_of_a_sample_in_two_places_are_an_error(tmp_path: Path, suffix: str) -> None:
    path = pack(tmp_path / f"train{suffix}", {"0.jpg": b"x", "1.jpg": b"y", "0.cls": b"7", "1.cls": b"8"})
    with pytest.raises(DataError, match=rf"^{path}: expected the files of a sample beside each other, found 0 in two"):
        read_all(source_at(path))


@pytest.mark.parametrize("path", ["train-{000..001}.tar", "train-*.tar", ".", "{train-000,train-001}.tar"])
def test_shards_are_named_by_braces_a_pattern_or_their_folder(tmp_path: Path, path: str) -> None:
    for number in range(2):
        pack(tmp_path / f"train-00{number}.tar", SAMPLES)
    (tmp_path / "readme.txt").write_text("words")
    source = source_at(tmp_path / path)
    assert labels(source) == {
        "train-000.tar/000": "7",
        "train-000.tar/001": "3",
        "train-001.tar/000": "7",
        "train-001.tar/001": "3",
    }
    assert [part.names for part in source.parts()] == [["train-000.tar"], ["train-001.tar"]]


def test_a_shard_that_is_missing_is_named(tmp_path: Path) -> None:
    pack(tmp_path / "train-09.tar", SAMPLES)
    with pytest.raises(UsageError, match=rf"found nothing at {tmp_path}/train-10\.tar; check SOURCE="):
        source_at(tmp_path / "train-{09..11}.tar")


def test_shards_whose_names_match_are_the_sources_own_test_split(tmp_path: Path) -> None:
    for name in ("photos-train-0.tar", "photos-val-0.tar"):
        pack(tmp_path / name, SAMPLES)
    source = source_at(tmp_path, test=["*-val-*"])
    assert [(item.key, item.split) for item in items_of(source)] == [
        ("photos-train-0.tar/000", "train"),
        ("photos-train-0.tar/001", "train"),
        ("photos-val-0.tar/000", "test"),
        ("photos-val-0.tar/001", "test"),
    ]


def test_a_folder_without_archives_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=rf"kind webdataset expects \.tar archives, found none in {tmp_path}"):
        source_at(tmp_path)


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz"])
def test_shards_become_examples_with_their_labels(
    tmp_path: Path, write_photos: Callable[..., Path], ingest_into: Callable[..., tuple[Examples, object]], suffix: str
) -> None:
    files: dict[str, bytes] = {}
    for path in sorted(write_photos(tmp_path / "photos", 30).iterdir()):
        files |= {path.name: path.read_bytes(), f"{path.stem}.json": json.dumps({"label": int(path.stem) % 3}).encode()}
    files["029.json"] = b"{"
    source = WebDatasetSource(kind="webdataset", path=str(pack(tmp_path / f"train{suffix}", files)))
    examples, _ = ingest_into(tmp_path / "run", source)
    assert Statistics.model_validate_json(examples.statistics_path.read_text()).labels == ["0", "1", "2"]
    rows = read_table(examples.images_path, IMAGES).to_pylist()
    assert {row["key"]: row["label"] for row in rows} == {f"{number:03d}": str(number % 3) for number in range(29)}


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz"])
def test_a_sample_may_have_two_images_and_a_setting_takes_one(tmp_path: Path, suffix: str) -> None:
    files: dict[str, bytes] = {}
    for number in range(3):
        sides = {f"{number}.left.jpg": b"l%d" % number, f"{number}.right.jpg": b"r%d" % number}
        files |= {**sides, f"{number}.depth.png": b"no image", f"{number}.json": b'{"label": 1}'}
    source = source_at(pack(tmp_path / f"stereo{suffix}", files))
    assert images_of(source) == {
        f"{n}.{side}": b"%c%d" % (side.encode()[0], n) for n in range(3) for side in ("left", "right")
    }
    assert set(labels(source).values()) == {"1"}
    assert source.remarks() == [
        "A sample has 2 images, `left.jpg` and `right.jpg`, and each was taken; `image: left.jpg` takes one."
    ]
    left = source_at(tmp_path / f"stereo{suffix}", image="LEFT.jpg")
    assert images_of(left) == {str(n): b"l%d" % n for n in range(3)}
    assert (set(labels(left).values()), left.remarks()) == ({"1"}, [])


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz"])
def test_of_a_sample_with_very_many_images_the_rest_is_rejected(tmp_path: Path, suffix: str) -> None:
    files = {f"a.{number:03d}.jpg": b"x" for number in range(70)} | {"a.json": b"{}"}
    path = pack(tmp_path / f"many{suffix}", dict(sorted(files.items(), key=lambda file: file[0] != "a.json")))
    raws = [raw for _, raw in read_all(source_at(path))]
    assert raws[:64] == [b"x"] * 64
    assert [str(raw) for raw in raws[64:]] == ["more than 64 images in its sample"] * 6


def test_captions_beside_images_are_no_labels(tmp_path: Path) -> None:
    files = {"0.jpg": b"x", "0.txt": b"a blob", "0.json": b'{"caption": "a blob", "url": "u", "status": "success"}'}
    source = source_at(pack(tmp_path / "00000.tar", files))
    assert labels(source) == {"0": None}
    assert source.remarks() == [
        "No image has a label: the .json have no `label`; `label_field: …` takes one, of `caption`, `url`, `status`."
    ]


def test_a_label_under_another_name_is_said(tmp_path: Path) -> None:
    files = {"0.jpg": b"x", "0.json": b'{"breed": "collie", "boxes": []}', "1.jpg": b"y", "1.json": b"{"}
    path = pack(tmp_path / "00000.tar.gz", files)
    (remark,) = source_at(path).remarks()
    assert remark.endswith("`label_field: …` takes one, of `breed`.")
    assert source_at(path, label_field="breed").remarks() == []
    assert source_at(pack(tmp_path / "cls.tar", {**files, "0.cls": b"7"})).remarks() == []


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["imagenet-train-000.tar", "imagenet-validation-000.tar"], ["train", "validation"]),
        (["Training/0.tar", "Testing/0.tar"], ["test", "train"]),
        (["train-0.tar", "eval-0.tar"], ["test", "train"]),
        (["train-0.tar", "train-1.tar"], [None, None]),
        (["train-0.tar", "test-0.tar", "unlabeled-0.tar"], ["test", "train", "train"]),
    ],
)
def test_archives_and_folders_keep_the_splits_in_their_names(
    tmp_path: Path, names: list[str], expected: list[str | None]
) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        pack(tmp_path / name, {"0.jpg": b"x"})
    source = source_at(tmp_path)
    assert [item.split for item in items_of(source)] == expected
    remarks = {
        "eval-0.tar": "`eval` was taken as the test split; `test: [...]` names other test images.",
        "unlabeled-0.tar": "The images of unlabeled-0.tar, beside `test`, `train`, are taken for training; "
        "`test: [...]` names other test images.",
    }
    assert source.remarks() == [remark for name, remark in remarks.items() if name in names]
    assert {item.split for item in items_of(source_at(tmp_path, test=["*train*", "*Train*"]))} >= {"test"}
    assert {item.split for item in items_of(source_at(tmp_path, validation=["*"]))} == {"validation"}


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz"])
def test_folders_in_the_only_archive_keep_the_splits_in_their_names(tmp_path: Path, suffix: str) -> None:
    names = ["set/train/0", "set/train/1", "set/Test/0", "set/eval/0"]
    files = {"readme.txt": b"", **{f"{name}.{ending}": b"7" for name in names for ending in ("jpg", "cls")}}
    source = source_at(pack(tmp_path / f"all{suffix}", files))
    assert {item.key: item.split for item in items_of(source)} == dict(
        zip(names, ["train", "train", "test", "validation"], strict=True)
    )
    assert source.remarks() == ["`eval` was taken as the validation split; `test: [...]` names other test images."]
    assert {item.split for item in items_of(source_at(tmp_path / f"all{suffix}", validation=["*"]))} == {"validation"}
    extra = pack(tmp_path / f"extra{suffix}", {f"{name}/0.jpg": b"x" for name in ("train", "test", "extra")})
    assert [item.split for item in items_of(source_at(extra))] == ["train", "test", "train"]
    assert source_at(extra).remarks() == [
        "The images of other folders, beside `test`, `train`, are taken for training; `test: [...]` names other test images.",
    ]
    only = pack(tmp_path / f"only{suffix}", {f"train/{n}.jpg": b"x" for n in range(3)})
    assert {item.split for item in items_of(source_at(only))} == {None}


def test_labels_that_are_not_taken_are_said_with_what_takes_them(tmp_path: Path) -> None:
    fields = b'{"class": "cat", "width": 9}'
    files = {f"{name}.{ending}": fields for name in ("cat/0", "dog/1") for ending in ("jpg", "json")}
    source = source_at(pack(tmp_path / "classes.tar", files))
    folders = "The folders in the archive are not taken as labels; `kind: tar` takes them."
    assert source.remarks() == [
        "No image has a label: the .json have no `label`; `label_field: class` takes this one.",
        folders,
    ]
    assert source_at(tmp_path / "classes.tar", label_field="class").remarks() == []
    empty = {name: b"{}" if name.endswith("json") else b"x" for name in files}
    assert source_at(pack(tmp_path / "empty.tar", empty)).remarks() == [folders]
