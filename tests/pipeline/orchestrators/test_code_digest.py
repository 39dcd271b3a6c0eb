"""The digest of a stage's code changes with its own folder and with shared code, and with nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.chain_by_hand import STAGE

from pipeline.orchestrators import code_digest
from schemas.hashing import sha256_of

CODE = ("schemas/stage.py", "models/vae.py", "components/images/decode.py", "components/train/fit.py")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (*CODE, "components/tune/search.py", "pipeline/core/run.py", "components/train/notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    monkeypatch.setattr(code_digest, "ROOT", tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", CODE)
def test_its_own_and_shared_code_count(name: str, root: Path) -> None:
    before = code_digest.code_digest(STAGE["train"])
    (root / name).write_text("changed")
    assert code_digest.code_digest(STAGE["train"]) != before


@pytest.mark.parametrize("name", ["components/tune/search.py", "pipeline/core/run.py", "components/train/notes.txt"])
def test_other_stages_the_pipeline_and_other_files_do_not_count(name: str, root: Path) -> None:
    before = code_digest.code_digest(STAGE["train"])
    (root / name).write_text("changed")
    assert code_digest.code_digest(STAGE["train"]) == before
    assert len(before) == len(sha256_of(root / name))
