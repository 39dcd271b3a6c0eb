"""The exception for images that cannot be used, the conversion of a source's errors to it, and which files are no images."""

from __future__ import annotations

from components.sources import LeftOutError, MissingError, RawImage, ReadError
from components.sources.endings import is_camera_raw, is_image, is_other
from schemas.artifacts.tables import Reason


class Rejected(Exception):
    """An image cannot be used, for a reason of the closed list."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class NotLookedAt(Rejected):
    """The source leaves the file out; the detail says why."""


def require_image(raw: RawImage | OSError | ReadError, *, key: str = "") -> RawImage:
    """Return the image that a source has read.

    Args:
        raw: What the source has read.
        key: Its name.

    Raises:
        Rejected: The source has an error in its place, or the ending of its name says that it is a camera's raw file.
    """
    if isinstance(raw, LeftOutError):
        raise NotLookedAt(Reason.UNREADABLE, str(raw))
    if isinstance(raw, FileNotFoundError):
        raise Rejected(Reason.VANISHED, "listed, then gone")
    if isinstance(raw, MissingError):
        raise Rejected(Reason.MISSING, str(raw))
    if isinstance(raw, OSError | ReadError):
        raise Rejected(Reason.UNREADABLE, str(raw))
    if is_camera_raw(key):
        ending = f".{key.rpartition('.')[2]}"
        raise Rejected(
            Reason.UNSUPPORTED,
            f"a camera raw file ({ending}), of which only a small preview could be read: convert it to JPEG or PNG, or leave "
            f'it out by sources.leave_out=["*{ending}"]',
        )
    return raw


def is_beside(key: str, error: Rejected) -> bool:
    """Return whether a file that cannot be used is no image at all, by its ending and its first bytes, or is left out."""
    if isinstance(error, NotLookedAt):
        return True
    if is_image(key):
        return False
    return error.reason in (Reason.UNKNOWN_FORMAT, Reason.EMPTY) or is_other(key)
