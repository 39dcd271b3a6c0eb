"""What identifies a stage's code: its own folder, and what it shares with others."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pipeline.core.chain import STAGES
from schemas.stage import Stage

ROOT = Path(__file__).resolve().parents[2]
SUFFIXES = (".py", ".j2", ".css", ".js")


def code_digest(stage: Stage) -> str:
    """Sha256 (hex) over names and content of all code below schemas/, models/ and components/, other stages' folders left out.

    No stage imports another, so theirs cannot matter.
    """
    others = {other.name for other in STAGES} - {stage.name}
    digest = hashlib.sha256()
    paths = [path for top in ("schemas", "models", "components") for path in (ROOT / top).rglob("*")]
    for path in sorted(path for path in paths if path.suffix in SUFFIXES):
        name = path.relative_to(ROOT)
        if name.parts[0] == "components" and name.parts[1] in others:
            continue
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{name.as_posix()} {content}\n".encode())
    return digest.hexdigest()
