"""How much memory there is."""

from __future__ import annotations

import os
from pathlib import Path

# What a container may take: of Linux's control groups, version 2 and version 1.
LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def memory_bytes() -> int:
    """Of the machine, or of the container where that has less."""
    found = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for path in LIMITS:
        said = path.read_text().strip() if path.exists() else "max"
        if said.isdigit():
            found = min(found, int(said))
    return found
