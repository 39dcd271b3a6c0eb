"""The exception for images that cannot be used, and the conversion of a source's errors to it."""

from __future__ import annotations

from components.sources import MissingError, RawImage, ReadError
from schemas.artifacts.tables import Reason


class Rejected(Exception):
    """An image cannot be used, for a reason of the closed list."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def require_image(raw: RawImage | OSError | ReadError) -> RawImage:
    """Return the image that a source has read.

    Raises:
        Rejected: The source has an error in its place.
    """
    if isinstance(raw, FileNotFoundError):
        raise Rejected(Reason.VANISHED, "listed, then gone")
    if isinstance(raw, MissingError):
        raise Rejected(Reason.MISSING, str(raw))
    if isinstance(raw, OSError | ReadError):
        raise Rejected(Reason.UNREADABLE, str(raw))
    return raw
