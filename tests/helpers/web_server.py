"""A web server of this machine, for tests of downloads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any


class Server:
    """A web server of this machine, with the files of a test."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.files: dict[str, bytes] = {}
        self.cut: dict[str, int] = {}  # bytes of a file after which the connection ends
        self.requests: list[str] = []


@contextmanager
def serving() -> Iterator[Server]:
    """Run a server in a thread."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.removeprefix("/")
            server.requests.append(name)
            if name not in server.files:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(server.files[name])))
            self.end_headers()
            self.wfile.write(server.files[name][: server.cut.get(name)])

        def log_message(self, *_: Any) -> None:
            """Print nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as http:
        server = Server(f"http://127.0.0.1:{http.server_port}")
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()
