"""Decoding in the test's own process, where `recipe` starts another one that survives a decoder's crash."""

from __future__ import annotations

from typing import Self

from components.images.decode import Decoder


class DecoderHere(Decoder):
    """A decoder like `components.workers.isolated.IsolatedDecoder`, without the process, which takes a second to start."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass
