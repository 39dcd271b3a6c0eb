"""An artifact is written beside its final name and takes it when it is whole, even if processes are killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from schemas.artifacts.kinds import Examples
from schemas.artifacts.manifest import Artifact
from schemas.artifacts.staging import Staging, recover

FINGERPRINT = "0123456789abcdef"


def seal(artifact: Artifact, content: str) -> None:
    """Write an artifact's file, and seal it."""
    artifact.path.joinpath("statistics.json").write_text(content)
    artifact.seal(
        inputs={}, settings={}, counts={}, recipe={}, versions={}, duration_seconds=0.0, created="2024-01-01T00:00:00"
    )


def publish(final: Path, content: str, fingerprint: str = FINGERPRINT) -> None:
    """Write an artifact in a staging folder, and publish it."""
    staging = Staging(final, fingerprint)
    seal(staging.open(Examples), content)
    staging.publish()


def content(final: Path) -> str:
    """Return the content of an artifact's file, after a thorough check of the artifact."""
    Examples(final).check(thorough=True)
    return Examples(final).statistics_path.read_text()


@pytest.fixture
def final(tmp_path: Path) -> Path:
    """Path of the published artifact."""
    return tmp_path / "runs" / "examples"


def test_the_work_of_an_interrupted_run_is_resumed(final: Path) -> None:
    first = Staging(final, FINGERPRINT).open(Examples)
    (first.path / "shard").write_bytes(b"done")
    (first.work / "trial").write_bytes(b"half")
    second = Staging(final, FINGERPRINT).open(Examples)
    assert (second.path / "shard").read_bytes() == b"done"
    assert (second.work / "trial").read_bytes() == b"half"
    assert not final.exists()


def test_another_fingerprint_starts_with_empty_folders(final: Path) -> None:
    first = Staging(final, FINGERPRINT).open(Examples)
    (first.path / "shard").write_bytes(b"done")
    second = Staging(final, FINGERPRINT[::-1]).open(Examples)
    assert list(second.path.iterdir()) == list(second.work.iterdir()) == []


def test_the_scratch_folder_is_no_part_of_the_artifact(final: Path) -> None:
    staging = Staging(final, FINGERPRINT)
    artifact = staging.open(Examples)
    (artifact.work / "checkpoint").write_bytes(b"half")
    seal(artifact, "whole")
    staging.publish()
    assert set(Examples(final).manifest.files) == {"statistics.json"}
    assert content(final) == "whole"


def test_publishing_replaces_the_former_artifact_and_removes_every_partial(final: Path) -> None:
    publish(final, "former")
    Staging(final, "f" * 64).open(Examples)  # an unfinished run with other settings
    publish(final, "new")
    assert content(final) == "new"
    assert list(final.parent.iterdir()) == [final]


def test_publishing_does_not_touch_other_artifacts(final: Path) -> None:
    neighbours = [final.with_name(name) for name in ("examples-more", "example", "model")]
    for neighbour in neighbours:
        publish(neighbour, "mine")
        (Staging(neighbour, FINGERPRINT).open(Examples).path / "shard").touch()
    publish(final, "whole")
    for neighbour in neighbours:
        assert content(neighbour) == "mine"
        assert (Staging(neighbour, FINGERPRINT).root / "artifact" / "shard").exists()


def test_a_crash_between_the_two_renames_is_undone(final: Path) -> None:
    publish(final, "former")
    staging = Staging(final, FINGERPRINT)
    seal(staging.open(Examples), "new")
    final.replace(final.with_name(".previous-examples"))  # the first rename of publish, then a crash
    assert not final.exists()
    recover(final)
    assert content(final) == "former"
    staging.publish()
    assert content(final) == "new"
    assert list(final.parent.iterdir()) == [final]


def test_recover_changes_nothing_if_nothing_is_broken(final: Path) -> None:
    final.parent.mkdir()
    recover(final)
    assert not final.exists()
    publish(final, "whole")
    recover(final)
    assert content(final) == "whole"


def test_a_crash_after_the_second_rename_keeps_the_new_artifact(final: Path) -> None:
    publish(final, "former")
    final.rename(final.with_name(".previous-examples"))
    publish(final.with_name("new"), "new")
    final.with_name("new").rename(final)  # the second rename of publish; the former artifact is still there
    recover(final)
    assert content(final) == "new"
    publish(final, "newer")
    assert content(final) == "newer"
    assert list(final.parent.iterdir()) == [final]


# Publishes again and again, and prints each content after it is published.
PUBLISH = """
import sys
from itertools import count
from pathlib import Path
from schemas.artifacts.kinds import Examples
from schemas.artifacts.staging import Staging
final = Path(sys.argv[1])
for number in count():
    staging = Staging(final, "0123456789abcdef")
    artifact = staging.open(Examples)
    artifact.statistics_path.write_text(str(number))
    artifact.seal(inputs={}, settings={}, counts={}, recipe={}, versions={}, duration_seconds=0.0, created="")
    staging.publish()
    print(number, flush=True)
"""


@pytest.mark.kills
@pytest.mark.process
def test_a_kill_at_any_moment_leaves_a_whole_artifact(final: Path) -> None:
    final.parent.mkdir()
    for published in range(1, 9):
        command = [sys.executable, "-c", PUBLISH, str(final)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(published):
                process.stdout.readline()
            time.sleep(published / 4000)
            process.kill()
            printed = process.stdout.read().split()
        assert process.returncode == -signal.SIGKILL
        recover(final)
        assert int(content(final)) >= max(published - 1, *map(int, printed), 0)


@pytest.mark.process
def test_the_temporary_file_of_a_killed_writer_is_no_part_of_the_artifact(final: Path) -> None:
    killed = (
        "import os, signal, sys; from pathlib import Path; from schemas import atomic\n"
        "with atomic.replacing(Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_bytes(b'half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    artifact = Staging(final, FINGERPRINT).open(Examples)
    subprocess.run([sys.executable, "-c", killed, str(artifact.path / "shard")], check=False)
    resumed = Staging(final, FINGERPRINT).open(Examples)
    (resumed.path / "shard").write_bytes(b"whole")
    seal(resumed, "whole")
    assert set(resumed.manifest.files) == {"shard", "statistics.json"}
