"""`make fetch`: a recipe's public data set is downloaded whole and with the right digest, or not at all."""

from __future__ import annotations

import gzip
import hashlib
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from helpers.web_server import Server, serving

from pipeline.cli.app import app, guarded
from pipeline.recipes import fetch as module
from pipeline.recipes.fetch import fetch
from pipeline.recipes.load import load_recipe
from schemas.errors import DataError, UsageError
from schemas.recipe.recipe import Recipe

IMAGES = os.urandom(200_000)  # several pieces
LABELS = b"labels"
ABOUT = "Tiny set, CC0, example.org/tiny"


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hide this machine's proxies and data packages."""
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(module, "LOCAL", tmp_path / "none")


@pytest.fixture
def server() -> Iterator[Server]:
    """Serve both files."""
    with serving() as running:
        running.files = {"images.gz": IMAGES, "labels.gz": LABELS}
        yield running


def download(url: str, name: str, content: bytes) -> dict[str, str]:
    """Return an entry of `data.files`, for a file with this content."""
    return {"url": url, "name": name, "sha256": hashlib.sha256(content).hexdigest()}


def recipe_with(*files: dict[str, str], about: str = ABOUT, kind: str = "idx") -> Recipe:
    """Return a small recipe with a data section."""
    return Recipe.model_validate(
        {
            "name": "tiny",
            "sources": [{"kind": kind}],
            "data": {"about": about, "files": files},
            "model": {"network": "dense"},
            "loss": {"likelihood": "mse"},
        }
    )


def both(server: Server) -> Recipe:
    """Return a recipe that names the server's two files."""
    return recipe_with(
        download(f"{server.url}/images.gz", "images.gz", IMAGES),
        download(f"{server.url}/labels.gz", "labels.gz", LABELS),
    )


def error_of(recipe: Recipe, into: Path, kind: type[Exception] = DataError) -> str:
    """Return the line that a person sees."""
    with pytest.raises(kind) as caught:
        fetch(recipe, into=into)
    line = str(caught.value)
    assert "\n" not in line
    return line


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file of a folder, hidden ones too."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# --- what arrives ------------------------------------------------------------------------------------------------------


def test_files_are_downloaded_and_each_gets_a_line(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    into = tmp_path / "data" / "tiny"
    assert fetch(both(server), into=into) == into
    assert contents(into) == {"images.gz": IMAGES, "labels.gz": LABELS}
    assert capsys.readouterr().out.splitlines() == [
        f"  {into}/images.gz  downloaded, 200,000 bytes",
        f"  {into}/labels.gz  downloaded, 6 bytes",
    ]


def test_a_file_that_exists_is_not_downloaded_again(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "labels.gz").write_bytes(LABELS)
    fetch(both(server), into=tmp_path)
    assert server.requests == ["images.gz"]
    assert f"{tmp_path}/labels.gz  already downloaded" in capsys.readouterr().out
    fetch(both(server), into=tmp_path)
    assert server.requests == ["images.gz"]


def test_another_file_of_that_name_is_replaced_and_the_line_says_so(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "labels.gz").write_bytes(b"half")
    fetch(both(server), into=tmp_path)
    assert (tmp_path / "labels.gz").read_bytes() == LABELS
    was = hashlib.sha256(b"half").hexdigest()[:12]
    assert f"labels.gz  downloaded, 6 bytes, replacing a file with sha256 {was}…" in capsys.readouterr().out


def test_a_file_that_the_system_has_is_copied_from_there(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder, content in (("another", b"another file of that name"), ("tiny/deep", LABELS)):
        (tmp_path / "local" / folder).mkdir(parents=True)
        (tmp_path / "local" / folder / "labels.gz").write_bytes(content)
    monkeypatch.setattr(module, "LOCAL", tmp_path / "local")
    into = tmp_path / "into"
    fetch(both(server), into=into)
    assert contents(into) == {"images.gz": IMAGES, "labels.gz": LABELS}
    assert server.requests == ["images.gz"]
    assert f"labels.gz  copied from {tmp_path}/local/tiny/deep/labels.gz" in capsys.readouterr().out


def test_a_gz_file_is_compared_by_its_unpacked_content(server: Server, tmp_path: Path) -> None:
    server.files["images.gz"] = gzip.compress(IMAGES, compresslevel=9, mtime=1_500_000_000)
    (tmp_path / "labels.gz").write_bytes(gzip.compress(LABELS, compresslevel=1, mtime=0))
    fetch(both(server), into=tmp_path)
    assert server.requests == ["images.gz"]
    assert {name: gzip.decompress(data) for name, data in contents(tmp_path).items()} == {
        "images.gz": IMAGES,
        "labels.gz": LABELS,
    }


def test_a_url_may_be_that_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "shelf").write_bytes(LABELS)
    fetch(recipe_with(download(f"file://{tmp_path}/shelf", "labels.gz", LABELS)), into=tmp_path / "into")
    assert contents(tmp_path / "into") == {"labels.gz": LABELS}


def test_source_is_the_archive_where_the_recipe_reads_one(server: Server, tmp_path: Path) -> None:
    recipe = recipe_with(download(f"{server.url}/images.gz", "images.zip", IMAGES), kind="zip")
    assert fetch(recipe, into=tmp_path) == tmp_path / "images.zip"


# --- what does not -----------------------------------------------------------------------------------------------------


def test_a_file_with_another_hash_is_not_kept(server: Server, tmp_path: Path) -> None:
    server.files["images.gz"] = b"<html>Please log in</html>"
    expected, actual = (hashlib.sha256(data).hexdigest()[:12] for data in (IMAGES, server.files["images.gz"]))
    line = error_of(both(server), tmp_path)
    assert line == f"{server.url}/images.gz: expected sha256 {expected}…, found {actual}…; the file was removed"
    assert contents(tmp_path) == {}


def test_a_file_with_another_hash_replaces_nothing(server: Server, tmp_path: Path) -> None:
    (tmp_path / "images.gz").write_bytes(b"mine")
    server.files["images.gz"] = b"another"
    error_of(both(server), tmp_path)
    assert contents(tmp_path) == {"images.gz": b"mine"}


def test_an_unreachable_server_is_one_line_with_another_way(tmp_path: Path) -> None:
    with serving() as server:
        recipe = both(server)
    assert error_of(recipe, tmp_path) == (
        f"{server.url}/images.gz: expected a download, found Connection refused; "
        f"download it by hand: {ABOUT}; put it into {tmp_path}"
    )
    assert contents(tmp_path) == {}


def test_a_file_that_the_server_has_not_is_named_with_its_answer(server: Server, tmp_path: Path) -> None:
    del server.files["labels.gz"]
    line = error_of(both(server), tmp_path)
    assert line.startswith(
        f"{server.url}/labels.gz: expected a download, found HTTP 404 Not Found; download it by hand: "
    )
    assert contents(tmp_path) == {"images.gz": IMAGES}  # what had arrived stays


def test_a_download_that_ends_early_leaves_nothing_and_the_next_one_is_whole(server: Server, tmp_path: Path) -> None:
    server.cut["images.gz"] = 150_000
    line = error_of(both(server), tmp_path)
    assert f"{server.url}/images.gz: expected a download, found 150,000 of 200,000 bytes; download it by hand: " in line
    assert contents(tmp_path) == {}
    server.cut.clear()
    fetch(both(server), into=tmp_path)
    assert contents(tmp_path) == {"images.gz": IMAGES, "labels.gz": LABELS}


def test_a_silent_server_times_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TIMEOUT", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/images.gz"
        line = error_of(recipe_with(download(url, "images.gz", IMAGES)), tmp_path)
    assert line.startswith(f"{url}: expected a download, found timed out; ")
    assert contents(tmp_path) == {}


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("file:///nowhere/images.gz", "No such file or directory"),
        ("http://localhost:port/", "nonnumeric port: 'port'"),
        ("https://[::1/images.gz", "Invalid IPv6 URL"),
    ],
)
def test_a_url_that_leads_nowhere_is_one_line_too(url: str, reason: str, tmp_path: Path) -> None:
    line = error_of(recipe_with(download(url, "images.gz", IMAGES)), tmp_path)
    assert line.startswith(f"{url}: expected a download, found {reason}; ")


def test_ctrl_c_leaves_nothing_half_written(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def pressed(*_: Any, **__: Any) -> Iterator[Callable[[int], None]]:
        def tell(done: int) -> None:
            assert list(tmp_path.glob(".images.gz.*.tmp"))
            raise KeyboardInterrupt

        yield tell

    monkeypatch.setattr(module, "bar", pressed)
    with pytest.raises(KeyboardInterrupt):
        fetch(both(server), into=tmp_path)
    assert contents(tmp_path) == {}


def test_the_next_download_removes_files_of_a_killed_one(server: Server, tmp_path: Path) -> None:
    (tmp_path / ".images.gz.123.tmp").write_bytes(IMAGES[:9])
    fetch(both(server), into=tmp_path)
    assert contents(tmp_path) == {"images.gz": IMAGES, "labels.gz": LABELS}


# --- recipes and the command -------------------------------------------------------------------------------------------


def test_a_recipe_without_files_says_how_to_get_them(tmp_path: Path) -> None:
    line = error_of(recipe_with(about="Tiny set, CC0,\n  example.org/tiny"), tmp_path / "into", UsageError)
    assert line == (
        f"RECIPE=tiny: expected files to fetch under data.files, found none; download the images by hand: {ABOUT}"
    )
    assert not (tmp_path / "into").exists()


def test_a_recipe_without_a_data_set_says_so(tmp_path: Path) -> None:
    line = error_of(load_recipe("demo"), tmp_path / "into", UsageError)
    assert line == "RECIPE=demo: expected files to fetch under data.files, found none"


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("data.abuot=x", "--set data.abuot: expected a key that exists (did you mean about?), found abuot"),
        ("data.files.0.urll=x", "--set data.files.0.urll: expected a key that exists (did you mean url?), found urll"),
    ],
)
def test_a_misspelt_key_of_the_section_gets_a_hint(override: str, line: str) -> None:
    good = ["data.about=x", f"data.files=[{{url: 'file:///x', sha256: {'a' * 64}, name: x}}]"]
    with pytest.raises(UsageError) as caught:
        load_recipe("demo", overrides=[*good, override])
    assert str(caught.value) == line


def test_the_command_fetches_into_a_folder_of_the_recipes_name_and_says_what_is_next(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(both(server).model_dump_json())  # JSON is YAML
    assert guarded(lambda: app(["fetch", "--recipe", "tiny.yaml"])) == 0
    assert contents(tmp_path / "data" / "tiny") == {"images.gz": IMAGES, "labels.gz": LABELS}
    assert capsys.readouterr().out.splitlines()[-1] == "next: make all RECIPE=tiny.yaml SOURCE=data/tiny"


def test_the_commands_errors_are_a_line_and_a_status(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "tiny.yaml"
    server.files.clear()
    recipe.write_text(both(server).model_dump_json())
    assert guarded(lambda: app(["fetch", "--recipe", str(recipe), "--into", str(tmp_path / "into")])) == 1
    assert guarded(lambda: app(["fetch", "--recipe", "demo"])) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.startswith("error: ") for line in lines] == [True, True]
