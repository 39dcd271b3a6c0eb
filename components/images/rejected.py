"""The one exception that bad images raise, and how a source's own becomes one."""

from __future__ import annotations

from components.sources import RawImage, ReadError
from schemas.artifacts.tables import Reason


class Rejected(Exception):
    """An image that cannot be used, with a reason of the closed list."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def usable(raw: RawImage | OSError | ReadError) -> RawImage:
    """An image that a source found.

    Raises:
        Rejected: It could not be read.
    """
    if isinstance(raw, FileNotFoundError):
        raise Rejected(Reason.VANISHED, "listed, then gone")
    if isinstance(raw, OSError | ReadError):
        raise Rejected(Reason.UNREADABLE, str(raw))
    return raw
