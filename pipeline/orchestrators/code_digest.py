"""The digest of a stage's code: of its own folder, and of the code that stages share."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pipeline.core.chain import STAGES
from schemas.stage import Stage

ROOT = Path(__file__).resolve().parents[2]
SUFFIXES = (".py", ".j2", ".css", ".js")


def code_digest(stage: Stage) -> str:
    """Return the sha256 (hex) of all code below schemas/, models/ and components/, without the other stages' folders.

    No stage imports another one, so their code cannot change its output.
    """
    other_stages = {other.name for other in STAGES} - {stage.name}
    digest = hashlib.sha256()
    paths = [path for top in ("schemas", "models", "components") for path in (ROOT / top).rglob("*")]
    for path in sorted(path for path in paths if path.suffix in SUFFIXES):
        name = path.relative_to(ROOT)
        if name.parts[0] == "components" and name.parts[1] in other_stages:
            continue
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{name.as_posix()} {content}\n".encode())
    return digest.hexdigest()
