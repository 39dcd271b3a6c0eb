"""An artifact describes itself, and reports every later change."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from schemas.artifacts.kinds import ARTIFACTS, Examples, Model, open_artifact
from schemas.artifacts.manifest import MANIFEST, Artifact, Manifest
from schemas.errors import DataError
from schemas.hashing import sha256_of

NAMES = ("statistics.json", "Split-train/data_tfrecord-00000-of-00001", "logs/train/events", "figures/é 図.png")
Files = dict[str, bytes]
some_files = st.dictionaries(st.sampled_from(NAMES), st.binary(max_size=64), min_size=1)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def seal(artifact: Artifact, **changes: Any) -> Manifest:
    """Seal an artifact with any manifest that has these changes."""
    fields: dict[str, Any] = {
        "inputs": {"Examples": "5eed"},
        "settings": {"seed": 0, "train": {"epochs": 10}},
        "counts": {"images": 3},
        "recipe": {"name": "photos"},
        "versions": {"numpy": "2.0"},
        "duration_seconds": 1.5,
        "created": "2024-01-01T00:00:00+00:00",
    }
    return artifact.seal(**{**fields, **changes})


@contextmanager
def sealed(files: Files, *, kind: type[Artifact] = Examples, **changes: Any) -> Iterator[Artifact]:
    """Yield a sealed artifact with these files."""
    with TemporaryDirectory() as folder:
        artifact = kind(Path(folder) / "artifact")
        for name, content in files.items():
            path = artifact.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        artifact.path.mkdir(exist_ok=True)
        seal(artifact, **changes)
        yield artifact


def digest_of(files: Files, *, kind: type[Artifact] = Examples, **changes: Any) -> str:
    """Return the digest of an artifact with these files."""
    with sealed(files, kind=kind, **changes) as artifact:
        return artifact.digest


def edit_manifest(artifact: Artifact, **changes: Any) -> None:
    """Change values in a manifest, as with an editor."""
    path = artifact.path / MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@given(files=some_files)
def test_a_sealed_artifact_exists_and_is_undamaged(files: Files) -> None:
    with sealed(files) as artifact:
        assert artifact.exists
        assert artifact.damage(thorough=True) == []
        artifact.check(thorough=True)
        listed = artifact.manifest.files
        assert {name: entry.size for name, entry in listed.items()} == {name: len(files[name]) for name in files}
        assert all(entry.sha256 == sha256_of(artifact.path / name) for name, entry in listed.items())


def test_without_a_manifest_an_artifact_does_not_exist(tmp_path: Path) -> None:
    artifact = Examples(tmp_path / "examples")
    assert not artifact.exists
    artifact.path.mkdir()
    artifact.statistics_path.write_text("{}")
    assert not artifact.exists
    with pytest.raises(DataError) as caught:
        artifact.check(thorough=False)
    assert str(caught.value) == f"{artifact.path / MANIFEST}: expected the manifest of Examples, found no file"


@given(settings=st.dictionaries(st.text(), json_values, max_size=4))
def test_the_manifest_keeps_any_settings(settings: dict[str, Any]) -> None:
    with sealed({}, settings=settings) as artifact:
        assert artifact.manifest.settings == settings
        artifact.check(thorough=True)


@given(files=some_files, data=st.data())
def test_a_changed_byte_is_found_by_the_thorough_check(files: Files, data: st.DataObject) -> None:
    assume(any(files.values()))
    with sealed(files) as artifact:
        name = data.draw(st.sampled_from(sorted(name for name in files if files[name])))
        content = bytearray(files[name])
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
        (artifact.path / name).write_bytes(content)
        [line] = artifact.damage(thorough=True)
        assert line.startswith(f"{artifact.path / name}: expected sha256")
        assert artifact.damage(thorough=False) == [], "the cheap check reads no bytes"


@given(files=some_files, data=st.data())
def test_a_truncated_file_is_found_by_the_cheap_check_too(files: Files, data: st.DataObject) -> None:
    assume(any(files.values()))
    with sealed(files) as artifact:
        name = data.draw(st.sampled_from(sorted(name for name in files if files[name])))
        size = data.draw(st.integers(0, len(files[name]) - 1))
        (artifact.path / name).write_bytes(files[name][:size])
        for thorough in (False, True):
            expected = f"{artifact.path / name}: expected {len(files[name]):,} bytes, found {size:,}"
            assert artifact.damage(thorough=thorough) == [expected]


@given(files=some_files, more=st.binary(min_size=1, max_size=8), data=st.data())
def test_a_file_that_grew_is_found_by_the_cheap_check_too(files: Files, more: bytes, data: st.DataObject) -> None:
    with sealed(files) as artifact:
        name = data.draw(st.sampled_from(sorted(files)))
        (artifact.path / name).write_bytes(files[name] + more)
        assert len(artifact.damage(thorough=False)) == len(artifact.damage(thorough=True)) == 1


@given(files=some_files, data=st.data())
def test_a_removed_file_is_found_by_the_cheap_check_too(files: Files, data: st.DataObject) -> None:
    with sealed(files) as artifact:
        name = data.draw(st.sampled_from(sorted(files)))
        (artifact.path / name).unlink()
        for thorough in (False, True):
            [line] = artifact.damage(thorough=thorough)
            assert line.startswith(f"{artifact.path / name}: expected a file of")


@given(files=some_files, content=st.binary(max_size=8))
def test_an_added_file_is_found(files: Files, content: bytes) -> None:
    with sealed(files) as artifact:
        added = artifact.path / "Split-train" / MANIFEST  # only the manifest at the top is the manifest
        added.parent.mkdir(exist_ok=True)
        added.write_bytes(content)
        assert artifact.damage(thorough=True) == [f"{added}: expected no such file, the manifest does not list it"]


@pytest.mark.parametrize(
    "changes",
    [
        {"inputs": {"Examples": "another"}},
        {"inputs": {}},
        {"settings": {"seed": 1, "train": {"epochs": 10}}},
        {"settings": {"seed": 0, "train": {"epochs": 11}}},
        {"digest": "0" * 64},
    ],
)
def test_an_edited_manifest_is_found_by_the_cheap_check_too(changes: dict[str, Any]) -> None:
    with sealed({"statistics.json": b"{}"}) as artifact:
        edit_manifest(artifact, **changes)
        for thorough in (False, True):
            [line] = artifact.damage(thorough=thorough)
            assert line.startswith(f"{artifact.path / MANIFEST}: expected digest")


def test_the_error_names_the_first_difference_the_number_of_others_and_the_remedy() -> None:
    with sealed({"statistics.json": b"{}", "schema.pbtxt": b"", "logs/a": b"1"}) as artifact:
        schema = artifact.path / "schema.pbtxt"
        schema.unlink()
        artifact.path.joinpath("statistics.json").unlink()
        with pytest.raises(DataError) as caught:
            artifact.check(thorough=False)
        message = f"{schema}: expected a file of 0 bytes, found none (and 1 more); "
        assert str(caught.value) == message + f"to make it again, remove {artifact.path}"


@given(
    duration=st.floats(0, 1e6), created=st.text(), versions=st.dictionaries(st.text(), st.text()), events=st.binary()
)
def test_times_and_versions_are_no_part_of_the_digest(
    duration: float, created: str, versions: dict[str, str], events: bytes
) -> None:
    files = {"vae.keras": b"weights", "logs/train/events": b"at noon"}
    later = {"vae.keras": b"weights", "logs/train/events": events}
    changes = {"duration_seconds": duration, "created": created, "versions": versions}
    assert digest_of(files, kind=Model) == digest_of(later, kind=Model, **changes)


def test_files_inputs_settings_and_type_are_part_of_the_digest() -> None:
    files = {"vae.keras": b"weights", "logs/train/events": b"at noon"}
    digests = [
        digest_of(files, kind=Model),
        digest_of({**files, "vae.keras": b"Weights"}, kind=Model),
        digest_of({"renamed": b"weights", "logs/train/events": b"at noon"}, kind=Model),
        digest_of({**files, "more": b""}, kind=Model),
        digest_of(files, kind=Model, inputs={"Examples": "another"}),
        digest_of(files, kind=Model, settings={"seed": 1}),
        digest_of(files, kind=Examples),
    ]
    assert len(set(digests)) == len(digests)


def test_volatile_files_are_verified_like_the_others() -> None:
    with sealed({"vae.keras": b"weights", "logs/train/events": b"at noon"}, kind=Model) as artifact:
        (artifact.path / "logs/train/events").write_bytes(b"at dusk")
        assert len(artifact.damage(thorough=True)) == 1


def test_sealing_again_lists_the_files_that_are_there_now() -> None:
    with sealed({"schema.pbtxt": b"a"}) as artifact:
        artifact.path.joinpath("statistics.json").write_text("{}")
        seal(artifact)
        assert set(artifact.manifest.files) == {"schema.pbtxt", "statistics.json"}
        artifact.check(thorough=True)


def test_an_artifact_of_many_files_lists_all_of_them() -> None:
    files = {f"{number % 7}/{number}.png": bytes([number % 256]) for number in range(300)}
    with sealed(files) as artifact:
        artifact.check(thorough=True)
        assert set(artifact.manifest.files) == set(files)


def test_an_artifact_of_another_type_is_an_error_that_names_it() -> None:
    with sealed({}, kind=Examples) as artifact:
        expected = f"{artifact.path / MANIFEST}: expected an artifact of type Model, found Examples"
        for read in (lambda: Model(artifact.path).digest, lambda: Model(artifact.path).check(thorough=False)):
            with pytest.raises(DataError) as caught:
                read()
            assert str(caught.value) == expected


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_truncated_manifest_is_an_error(share: float) -> None:
    with sealed({"schema.pbtxt": b""}) as artifact:
        path = artifact.path / MANIFEST
        whole = path.read_bytes()
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(DataError, match="expected the manifest of Examples, found something else"):
            artifact.check(thorough=False)
        with pytest.raises(DataError, match="expected a manifest, found something else"):
            open_artifact(artifact.path)


@given(garbage=st.binary(max_size=32) | json_values.map(lambda value: json.dumps(value).encode()))
def test_a_manifest_of_garbage_is_an_error(garbage: bytes) -> None:
    with sealed({}) as artifact:
        (artifact.path / MANIFEST).write_bytes(garbage)
        with pytest.raises(DataError, match=re.escape(str(artifact.path / MANIFEST))):
            artifact.check(thorough=False)
        with pytest.raises(DataError, match=re.escape(str(artifact.path / MANIFEST))):
            open_artifact(artifact.path)


@pytest.mark.parametrize("kind", ARTIFACTS, ids=lambda kind: kind.TYPE)
def test_a_folder_opens_as_the_type_in_its_manifest(kind: type[Artifact]) -> None:
    with sealed({"file": b"1"}, kind=kind) as artifact:
        assert type(open_artifact(artifact.path)) is kind


def test_opening_a_folder_that_is_no_artifact_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected an artifact, found no manifest\.json"):
        open_artifact(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"file: expected the folder of an artifact, found a file"):
        open_artifact(tmp_path / "file")
    (tmp_path / MANIFEST).write_text('{"type": "Painting"}')
    with pytest.raises(DataError, match=r"expected a type among Examples, .*ImageSet, found 'Painting'"):
        open_artifact(tmp_path)


def test_shards_come_in_order(tmp_path: Path) -> None:
    examples = Examples(tmp_path)
    for number in (2, 0, 10, 1):
        path = examples.split("train") / f"data_tfrecord-{number:05d}-of-00011"
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert [int(path.name[14:19]) for path in examples.shards("train")] == [0, 1, 2, 10]
    assert examples.shards("test") == []
