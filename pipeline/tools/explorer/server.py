"""Serves the explorer's folder to this machine alone."""

from __future__ import annotations

import contextlib
import functools
import http.server
import sys
from pathlib import Path
from typing import Any

from components.reporting.console import console
from schemas.errors import UsageError

HOST = "127.0.0.1"
TIMEOUT = 60.0  # seconds that a connection may wait for its next bytes, in either direction
# A browser allows shared memory, and so threads, only for a page that is isolated from other origins.
HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def serve(folder: Path, *, port: int) -> None:
    """Serve a folder to this machine's browsers until interrupted.

    Raises:
        UsageError: The port is taken.
    """
    try:
        server = server_of(folder, port=port)
    except OSError as error:
        raise UsageError(f"--port: expected a free port, found {port} taken ({error.strerror}); set PORT=…") from None
    with server, contextlib.suppress(KeyboardInterrupt):
        console.print(f"explore   http://{HOST}:{server.server_port}/  (stop with Ctrl-C)", markup=False)
        console.file.flush()
        server.serve_forever()


def server_of(folder: Path, *, port: int) -> http.server.ThreadingHTTPServer:
    """Return a server of one folder on the loopback interface; port 0: any free port."""
    return _Server((HOST, port), functools.partial(_Handler, directory=str(folder.resolve())))


class _Server(http.server.ThreadingHTTPServer):
    """Does not mind a browser that goes away."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing where the browser closed a tab, or did not go on in time."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Handler(http.server.SimpleHTTPRequestHandler):
    """Serves the folder's files only: no listings, and no requests under another host name."""

    timeout = TIMEOUT
    extensions_map = {  # noqa: RUF012  as in the base class
        **http.server.SimpleHTTPRequestHandler.extensions_map,
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
        ".webp": "image/webp",
        ".onnx": "application/octet-stream",
    }

    def send_head(self) -> Any:
        """Refuse requests under another host name, and paths that lead out of the folder."""
        host = self.headers.get("Host", "").rpartition(":")[0] or self.headers.get("Host", "")
        if host not in (HOST, "localhost"):  # DNS rebinding: another site whose name points to this machine
            self.send_error(403, "expected this machine's own name")
            return None
        if self._has(self.path):
            with contextlib.suppress(ValueError):  # a URL that cannot be taken apart
                return super().send_head()
        self.send_error(404)
        return None

    def _has(self, name: str) -> bool:
        """Return whether the name is of a file of the folder."""
        try:
            path = Path(self.translate_path(name)).resolve()
            return path.is_relative_to(self.directory) and (path / "index.html" if path.is_dir() else path).is_file()
        except (OSError, ValueError):  # a name that no file can have: too long, or with a zero byte
            return False

    def end_headers(self) -> None:
        """Add the headers of every response."""
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: the terminal is the user's."""
