"""What the licence field of a recipe forbids, as far as its name says."""

from __future__ import annotations

import re

# `ND` between the parts of a Creative Commons identifier, or the condition in words.
_NO_DERIVATIVES = re.compile(r"(?<![a-z])nd(?![a-z])|\bno[ -]?deriv", re.IGNORECASE)


def forbids_derivatives(licence: str) -> bool:
    """Return whether a licence forbids works made from it, such as CC-BY-ND-4.0 or `CC BY-NC-ND`.

    Of an SPDX expression with OR one may choose: then all of them have to.
    """
    return all(_NO_DERIVATIVES.search(choice) for choice in re.split(r"\s+OR\s+", licence))
