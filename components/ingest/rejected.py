"""The one exception that bad images raise."""

from __future__ import annotations

from schemas.tables import Reason


class Rejected(Exception):
    """An image that cannot be used, with a reason of the closed list."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
