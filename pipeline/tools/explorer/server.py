"""Serves the explorer's folder to this machine alone."""

from __future__ import annotations

import contextlib
import functools
import http.server
from pathlib import Path
from typing import Any

from components.reporting.console import console
from schemas.errors import UsageError

HOST = "127.0.0.1"
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
    return http.server.ThreadingHTTPServer((HOST, port), functools.partial(_Handler, directory=str(folder.resolve())))


class _Handler(http.server.SimpleHTTPRequestHandler):
    """Serves the folder's files only: no listings, and no requests under another host name."""

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
        path = Path(self.translate_path(self.path)).resolve()
        if not path.is_relative_to(self.directory) or (path.is_dir() and not (path / "index.html").is_file()):
            self.send_error(404)
            return None
        return super().send_head()

    def end_headers(self) -> None:
        """Add the headers of every response."""
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: the terminal is the user's."""
