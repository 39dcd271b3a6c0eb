"""Decodes each image in a process of its own, so that a crash of a decoder costs no more than that image.

A server process without threads of ours, ``python -m components.workers.isolated``, forks for each image; forking a worker
itself, with Beam's threads, could deadlock. A decoder that spoils its memory spoils no other image's.
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import IO, Any, NoReturn, Self

import numpy as np
from PIL import Image

from components.images.decode import Decoded, Decoder, Header
from components.images.geometry import Cover, Fit, Geometry, Pad, Stretch
from components.images.rejected import Rejected
from components.sources import RawImage
from components.workers.child import CRASHES, start_child
from schemas.artifacts.tables import Reason
from schemas.errors import DataError
from schemas.recipe.preprocess import PreprocessSettings

GEOMETRIES: dict[str, type[Cover | Fit | Pad | Stretch]] = {kind.__name__: kind for kind in (Cover, Fit, Pad, Stretch)}


class IsolatedDecoder(Decoder):
    """A decoder that survives a crash: the image is then rejected as `crashed`. Use it as a context manager.

    Attributes:
        process: The server.
    """

    def __init__(self, preprocess: PreprocessSettings) -> None:
        super().__init__(preprocess)
        self._settings = preprocess.model_dump(mode="json")
        # With one thread, because a fork copies no others.
        threads = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        self._child = start_child(__name__, stdin=subprocess.PIPE, stdout=subprocess.PIPE, environment=threads)
        self.process = self._child.process
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._requests, self._answers = self.process.stdin, self.process.stdout

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(BrokenPipeError):
            self._requests.close()
        self._answers.close()
        self._child.errors.close()
        self.process.wait()

    def read_header(self, raw: RawImage) -> Header:
        """Read format and size of an image; see `components.images.decode.read_header`.

        Raises:
            Rejected: It cannot be used, or crashed the process that read it.
        """
        answer, _ = self._ask(raw, operation="header")
        return Header(**answer["header"])

    def decode(self, raw: RawImage, *, geometry: Geometry | None = None) -> Decoded:
        """Decode one image; see `components.images.decode.decode`.

        Raises:
            Rejected: It cannot be used, or crashed the process that decoded it.
        """
        kind = None if geometry is None else [type(geometry).__name__, dataclasses.asdict(geometry)]
        answer, data = self._ask(raw, operation="decode", geometry=kind)
        pixels = np.frombuffer(data, np.uint8).reshape(answer["shape"])
        return Decoded(pixels, answer["profile_ignored"], answer["frames"])

    def _ask(self, raw: RawImage, **request: Any) -> tuple[dict[str, Any], bytes]:
        data = raw if isinstance(raw, bytes) else np.ascontiguousarray(raw).tobytes()
        shape = None if isinstance(raw, bytes) else raw.shape
        try:
            _send(self._requests, {**request, "preprocess": self._settings, "raw_shape": shape}, data)
            answer, content = _receive(self._answers)
        except (EOFError, BrokenPipeError):
            raise _killed(self._child.ending()) from None
        if "rejected" in answer:
            reason, detail = answer["rejected"]
            raise Rejected(Reason(reason), detail)
        if number := answer.get("signal"):
            if number not in CRASHES:
                raise _killed(f"signal {number}")
            raise Rejected(Reason.CRASHED, f"the decoder ended by {signal.Signals(number).name}")
        return answer, content


@contextmanager
def open_decoder(preprocess: PreprocessSettings, *, isolated: bool) -> Iterator[Decoder]:
    """Yield a decoder that decodes in this process, or one that survives a crash."""
    if not isolated:
        yield Decoder(preprocess)
        return
    with IsolatedDecoder(preprocess) as decoder:
        yield decoder


def _killed(ending: str) -> DataError:
    return DataError(
        f"beam.workers: expected the process that decodes image by image to go on, found it ended ({ending}), as when memory "
        "runs out; set fewer workers; run the same command again: it resumes"
    )


def _send(file: IO[bytes], message: dict[str, Any], data: bytes) -> None:
    file.write(json.dumps({**message, "bytes": len(data)}).encode() + b"\n")
    file.write(data)
    file.flush()


def _receive(file: IO[bytes]) -> tuple[dict[str, Any], bytes]:
    line = file.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    message: dict[str, Any] = json.loads(line)
    data = file.read(message["bytes"])
    if len(data) < message["bytes"]:
        raise EOFError
    return message, data


def _serve() -> None:
    """Answer requests on standard input until it ends, each in a forked process."""
    Image.init()  # loads Pillow's plugins once, and not in each process
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    while True:
        try:
            request, data = _receive(requests)
        except EOFError:
            return
        reading, writing = os.pipe()
        process = os.fork()
        if not process:
            os.close(reading)
            _answer_and_exit(writing, request, data)
        os.close(writing)
        with os.fdopen(reading, "rb") as file:
            answer = file.read()
        status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        if status < 0:
            _send(answers, {"signal": -status}, b"")
        elif status:
            return  # an error of this program, which is in the log
        else:
            answers.write(answer)
            answers.flush()


def _answer_and_exit(pipe: int, request: dict[str, Any], data: bytes) -> NoReturn:
    """Write the answer to a pipe, and end this process in any case."""
    try:
        with os.fdopen(pipe, "wb") as file:
            _send(file, *_answer(request, data))
        os._exit(0)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def _answer(request: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
    decoder = Decoder(PreprocessSettings.model_validate(request["preprocess"]))
    shape = request["raw_shape"]
    raw: RawImage = data if shape is None else np.frombuffer(data, np.uint8).reshape(shape)
    try:
        if request["operation"] == "header":
            return {"header": dataclasses.asdict(decoder.read_header(raw))}, b""
        geometry = request["geometry"]
        pixels, profile_ignored, frames = decoder.decode(raw, geometry=geometry and _geometry(*geometry))
    except Rejected as error:
        return {"rejected": [error.reason, error.detail]}, b""
    return {"shape": pixels.shape, "profile_ignored": profile_ignored, "frames": frames}, pixels.tobytes()


def _geometry(kind: str, fields: dict[str, Any]) -> Geometry:
    return GEOMETRIES[kind](**{**fields, "background": tuple(fields["background"])})


if __name__ == "__main__":
    # Python 3.12 warns of a fork beside threads: those of pyarrow, which is not used here.
    warnings.simplefilter("ignore")
    _serve()
