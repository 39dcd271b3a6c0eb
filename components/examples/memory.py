"""The memory of this machine."""

from __future__ import annotations

import os
from pathlib import Path

# The limit of a container, in Linux's control groups, version 2 and version 1.
LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def memory_bytes() -> int:
    """Return the memory of the machine, or of the container if that has less."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for path in LIMITS:
        limit = path.read_text(encoding="utf-8").strip() if path.exists() else "max"
        if limit.isdigit():
            memory = min(memory, int(limit))
    return memory
