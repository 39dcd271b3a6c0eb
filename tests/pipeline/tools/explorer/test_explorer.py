"""The explorer's folder and its server: built from what there is, whole, and for this machine alone."""

from __future__ import annotations

import hashlib
import http.client
import json
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from helpers.paths import ROOT
from helpers.waits import PATIENCE, wait_until

from pipeline.tools.explorer import data, folder, server
from schemas.errors import DataError, UsageError


def test_the_built_page_is_of_these_sources() -> None:
    """A change in explorer/ needs a new build: make explorer."""
    sources = ROOT / "explorer"
    names = [sources / name for name in ("index.html", "package-lock.json", "vite.config.ts", "tsconfig.json")]
    paths = [*names, *(path for path in (sources / "src").rglob("*") if path.is_file())]
    digest = hashlib.sha256()
    for path in sorted(paths, key=lambda path: path.relative_to(sources).as_posix()):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(sources).as_posix()} {content}\n".encode())
    assert json.loads((folder.PAGE / "build.json").read_text())["sources"] == digest.hexdigest()


def test_the_page_asks_no_other_host() -> None:
    for path in folder.PAGE.rglob("*.html"):
        text = path.read_text()
        assert "http" not in text.replace("http-equiv", "")
        assert "default-src 'none'" in text


def test_without_a_generator_there_is_one_line(make: object, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"generator: expected a Generator, found none; run make export RECIPE=photos"):
        folder.build(make(), runs=tmp_path, out=None)  # type: ignore[operator]


class Ask:
    """Sends requests to a server of a folder that has a secret file beside it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.threads = len(threading.enumerate())  # with that of the server, and without those of requests

    def __call__(self, path: str, *, host: str | None = None) -> tuple[int, bytes, dict[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        connection.putrequest("GET", path, skip_host=True)
        connection.putheader("Host", f"127.0.0.1:{self.port}" if host is None else host)
        connection.endheaders()
        response = connection.getresponse()
        answer = response.status, response.read(), dict(response.getheaders())
        connection.close()
        return answer


@pytest.fixture
def ask(tmp_path: Path) -> Iterator[Ask]:
    home = tmp_path / "explorer"
    (home / "data").mkdir(parents=True)
    (home / "index.html").write_text("the page")
    (home / "data" / "codes.f32").write_bytes(b"codes")
    (tmp_path / "secret").write_text("secret")
    (home / "way_out").symlink_to(tmp_path / "secret")
    with server.server_of(home, port=0) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield Ask(serving.server_port)
        serving.shutdown()


def test_it_serves_its_folder_with_the_headers_of_isolation(ask: Ask) -> None:
    status, body, headers = ask("/")
    assert (status, body) == (200, b"the page")
    assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    assert ask("/data/codes.f32")[:2] == (200, b"codes")


@pytest.mark.parametrize("path", ["/%00", "/a%00b", "/" + "a" * 5000, "/" + "a/" * 5000, "x://[/../..", "/%ff", "/*"])
def test_a_name_that_no_file_can_have_is_not_found(ask: Ask, path: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(path)[0] == 404
    assert capsys.readouterr().err == ""


def test_a_browser_that_goes_away_leaves_no_message(
    ask: Ask, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "explorer" / "large").write_bytes(bytes(1 << 26))  # more than the system takes without a reader
    with socket.create_connection(("127.0.0.1", ask.port)) as browser:
        browser.sendall(f"GET /large HTTP/1.1\r\nHost: 127.0.0.1:{ask.port}\r\n\r\n".encode())
        browser.recv(1000)
        browser.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closes with a reset
    wait_until(lambda: len(threading.enumerate()) == ask.threads, "the request's thread to end")
    assert ask("/")[0] == 200
    assert capsys.readouterr().err == ""


def test_a_connection_that_sends_nothing_is_closed(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(server._Handler, "timeout", 0.1)
    with socket.create_connection(("127.0.0.1", ask.port), timeout=PATIENCE) as silent:
        silent.sendall(b"GET / HT")
        assert silent.recv(1000) == b""
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "path", ["/../secret", "/%2e%2e/secret", "/data/../../secret", "//secret", "/way_out", "/data/"]
)
def test_it_serves_no_file_outside_its_folder(ask: Ask, path: str) -> None:
    status, body, _ = ask(path)
    assert status == 404
    assert b"secret" not in body


def test_it_refuses_requests_under_another_host_name(ask: Ask) -> None:
    """DNS rebinding: another site's name can point to this machine."""
    assert ask("/", host=f"localhost:{ask.port}")[0] == 200
    for host in ("evil.example", f"evil.example:{ask.port}", "127.0.0.1.evil.example", ""):
        assert ask("/", host=host)[0] == 403, host


def test_it_listens_on_loopback_only(ask: Ask) -> None:
    with socket.socket() as outside:  # another address of this machine
        outside.settimeout(2)
        with pytest.raises(OSError):
            outside.connect((_address(), ask.port))


def _address() -> str:
    """Return this machine's address in the network; no packet is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("needs a network interface besides loopback")
        return str(probe.getsockname()[0])


def test_a_taken_port_is_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UsageError, match=r"--port: expected a free port, found \d+ taken"):
            server.serve(tmp_path, port=taken.getsockname()[1])


def test_principal_directions_are_those_of_the_covariance() -> None:
    rng = np.random.default_rng(0)
    codes = (rng.normal(size=(400, 3)) * (3, 1, 0.2)).astype(np.float32)
    principal = data.principal_directions(codes)
    values, _ = np.linalg.eigh(np.cov(codes.T))
    assert np.allclose(principal.deviations, np.sqrt(values[::-1]), rtol=1e-4)
    assert np.allclose(principal.components @ principal.components.T, np.eye(3), atol=1e-6)
    assert np.isclose(principal.explained.sum(), 1)


@pytest.mark.parametrize(("dims", "kinds"), [(1, ["latent"]), (2, ["latent"]), (5, ["principal", "tsne"])])
def test_a_map_is_the_latent_space_itself_up_to_two_dimensions(dims: int, kinds: list[str]) -> None:
    codes = np.random.default_rng(0).normal(size=(40, dims)).astype(np.float32)
    maps = data.maps_of(codes, data.principal_directions(codes))
    assert list(maps) == kinds
    assert {places.shape for places in maps.values()} == {(40, 2)}
    if dims == 2:
        assert np.allclose(maps["latent"], codes)


def test_the_sheet_has_every_image_in_its_cell() -> None:
    images = np.arange(40, dtype=np.uint8)[:, None, None, None].repeat(8, 1).repeat(8, 2) * 5
    sheet = np.asarray(data.sheet(images))
    assert sheet.shape == (2 * 8, 32 * 8, 3)
    for number in (0, 31, 32, 39):
        row, column = divmod(number, 32)
        assert (sheet[row * 8 : row * 8 + 8, column * 8 : column * 8 + 8] == number * 5).all()


@pytest.mark.process
def test_ctrl_c_ends_it_without_a_message(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("the page")
    code = (
        "import signal, sys; from pathlib import Path; from pipeline.tools.explorer.server import serve;"
        # As in a terminal: processes that a shell starts in the background ignore SIGINT.
        "signal.signal(signal.SIGINT, signal.default_int_handler);"
        "serve(Path(sys.argv[1]), port=0)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("explore   http://127.0.0.1:")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (0, "")
