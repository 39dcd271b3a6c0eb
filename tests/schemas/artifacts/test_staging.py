"""An artifact grows beside its final name and takes it when it is whole, whatever is killed on the way."""

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
    """Fills and seals an artifact."""
    artifact.path.joinpath("statistics.json").write_text(content)
    artifact.seal(
        inputs={}, settings={}, counts={}, recipe={}, versions={}, duration_seconds=0.0, created="2024-01-01T00:00:00"
    )


def publish(final: Path, content: str, fingerprint: str = FINGERPRINT) -> None:
    """Stages an artifact and gives it its final name."""
    staging = Staging(final, fingerprint)
    seal(staging.open(Examples), content)
    staging.publish()


def content(final: Path) -> str:
    """What stands in an artifact, which must be whole."""
    Examples(final).check(thorough=True)
    return Examples(final).statistics_path.read_text()


@pytest.fixture
def final(tmp_path: Path) -> Path:
    """Where the artifact shall be."""
    return tmp_path / "runs" / "examples"


def test_what_an_interrupted_run_left_is_found_again(final: Path) -> None:
    first = Staging(final, FINGERPRINT).open(Examples)
    (first.path / "shard").write_bytes(b"done")
    (first.work / "trial").write_bytes(b"half")
    second = Staging(final, FINGERPRINT).open(Examples)
    assert (second.path / "shard").read_bytes() == b"done"
    assert (second.work / "trial").read_bytes() == b"half"
    assert not final.exists()


def test_another_fingerprint_starts_afresh(final: Path) -> None:
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
    Staging(final, "f" * 64).open(Examples)  # a run with other settings that never ended
    publish(final, "new")
    assert content(final) == "new"
    assert list(final.parent.iterdir()) == [final]


def test_publishing_leaves_the_neighbours_alone(final: Path) -> None:
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
    final.replace(final.with_name(".previous-examples"))  # what publish does first; then the power fails
    assert not final.exists()
    recover(final)
    assert content(final) == "former"
    staging.publish()
    assert content(final) == "new"
    assert list(final.parent.iterdir()) == [final]


def test_recovering_changes_nothing_where_nothing_is_broken(final: Path) -> None:
    final.parent.mkdir()
    recover(final)
    assert not final.exists()
    publish(final, "whole")
    recover(final)
    assert content(final) == "whole"


def test_a_crash_after_the_second_rename_keeps_the_new_artifact(final: Path) -> None:
    publish(final, "former")
    final.rename(final.with_name(".previous-examples"))
    publish(final.with_name("made"), "new")
    final.with_name("made").rename(final)  # what publish does second; the former one is still there
    recover(final)
    assert content(final) == "new"
    publish(final, "newer")
    assert content(final) == "newer"
    assert list(final.parent.iterdir()) == [final]


# Publishes again and again, saying each time which content is now the last that was published for sure.
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
            said = process.stdout.read().split()
        assert process.returncode == -signal.SIGKILL
        recover(final)
        assert int(content(final)) >= max(published - 1, *map(int, said), 0)


def test_what_a_killed_writer_left_is_no_part_of_the_artifact(final: Path) -> None:
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
