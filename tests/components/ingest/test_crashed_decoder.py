"""A decoder that crashes its process costs one image: the same command goes on, and names the image."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import yaml
from helpers.ingest_command import ENVIRONMENT, RECIPE, assert_same, ended, examples, ingest
from helpers.paths import ROOT
from PIL import Image

from schemas.artifacts.manifest import Manifest
from schemas.artifacts.tables import IMAGES, REJECTED, read_table

pytestmark = pytest.mark.process

CRASHING = {**ENVIRONMENT, "CRASH_AT": "13x17"}
CRASHING["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "helpers" / "crash_at")])
NAMES = ("020-bad.png", "150-bad.png")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, write_photos: Callable[..., Path]) -> Path:
    """Return a folder with a recipe, and 200 images of which two crash a decoder that has been prepared for it."""
    folder = tmp_path_factory.mktemp("home")
    write_photos(folder / "photos", 200, height=24, width=32)
    for shade, name in enumerate(NAMES):
        Image.new("RGB", (13, 17), (shade, 0, 0)).save(folder / "photos" / name)
    (folder / "photos.yaml").write_text(yaml.safe_dump(RECIPE))
    return folder


def run(home: Path, runs: str, settings: Sequence[str] = (), *, workers: int) -> str:
    """Run ingest with the crashing decoder to its end; return what it printed."""
    command = ingest(home, runs, settings, environment=CRASHING, stdout=subprocess.PIPE, workers=workers)
    printed, stderr = command.communicate()
    assert (command.returncode, stderr) == (0, "")
    return printed


def check(home: Path, runs: str) -> Manifest:
    """Check that the two images are rejected, and all others ingested."""
    made = examples(home, runs)
    rows = read_table(made.rejected_path, REJECTED).to_pylist()
    assert [(row["key"], row["reason"], row["detail"]) for row in rows] == [
        (name, "crashed", "the decoder ended by SIGSEGV") for name in NAMES
    ]
    assert read_table(made.images_path, IMAGES).num_rows == 200
    return made.manifest


@pytest.fixture(scope="module")
def one_process(home: Path) -> Manifest:
    """Return the manifest of Examples that ingest writes in one process, which crashes itself."""
    printed = run(home, "one", workers=1)
    assert "a process crashed: its images are read again, each in a process of its own" in printed
    return check(home, "one")


def test_in_one_process_the_command_goes_on_and_names_the_images(one_process: Manifest) -> None:
    assert one_process.counts["rejected"] == 2


@pytest.mark.kills
def test_in_several_processes_it_gives_the_same_bytes(home: Path, one_process: Manifest) -> None:
    run(home, "two", workers=2)
    check(home, "two")
    assert_same(examples(home, "two"), one_process)


@pytest.mark.kills
def test_a_crash_while_images_are_listed_costs_one_image_too(home: Path) -> None:
    run(home, "listed", ["preprocess.near_duplicates=2"], workers=1)
    check(home, "listed")


@pytest.mark.kills
def test_a_process_that_is_killed_is_no_crash(home: Path) -> None:
    """A person, or the system that runs out of memory, kills: the command ends, and the next one resumes."""
    command = ingest(home, "killed", environment={**CRASHING, "CRASH_BY": "SIGKILL"}, workers=1)
    status, stderr = ended(command)
    assert (status, "was interrupted (signal 9)" in stderr) == (1, True), stderr
    run(home, "killed", workers=1)
    check(home, "killed")
