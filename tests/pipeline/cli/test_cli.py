"""What a person at the command line meets, in real processes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.paths import ROOT


def pipeline(*arguments: str, runs: Path) -> subprocess.CompletedProcess[str]:
    """Runs a command as the Makefile does."""
    command = [sys.executable, "-m", "pipeline", *arguments, "--runs", str(runs)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)


@pytest.mark.parametrize(
    ("arguments", "status", "expected"),
    [
        (
            ["train", "--set", "train.epoch=3"],
            2,
            "--set train.epoch: expected a key that exists (did you mean epochs?)",
        ),
        (["train", "--set", "train.epochs=0"], 2, "--set train.epochs: expected at least 1, found 0"),
        (["train", "--recipe", "dem"], 2, "did you mean demo?"),
        (["ingest", "--recipe", "fashion_bn"], 2, "set SOURCE="),
        (["ingest", "--recipe", "fashion_bn", "--source", "/nowhere"], 2, "found nothing at /nowhere"),
        (["verify"], 1, "expected artifacts, found none"),
        (["figures"], 1, "expected the manifest of Examples, found no file"),
    ],
)
def test_bad_input_is_one_line_and_a_status(arguments: list[str], status: int, expected: str, tmp_path: Path) -> None:
    done = pipeline(*arguments, runs=tmp_path)
    assert done.returncode == status
    assert expected in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr + done.stdout
    assert not list(tmp_path.rglob("manifest.json"))


def test_a_lying_idx_file_is_one_line_and_leaves_nothing_that_looks_finished(tmp_path: Path) -> None:
    source = tmp_path / "idx"
    source.mkdir()
    header = bytes((0, 0, 8, 3)) + (60_000).to_bytes(4, "big") + (28).to_bytes(4, "big") * 2
    (source / "train-images-idx3-ubyte").write_bytes(header + bytes(100))
    done = pipeline("ingest", "--recipe", "fashion_bn", "--source", str(source), runs=tmp_path / "runs")
    assert done.returncode == 1
    assert "train-images-idx3-ubyte: expected 47,040,000 bytes" in done.stderr
    assert "found 100" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "runs" / "fashion_bn" / "examples").exists()


def test_dry_run_says_what_would_run_and_makes_nothing(tmp_path: Path) -> None:
    done = pipeline("all", "--dry-run", runs=tmp_path)
    assert done.returncode == 0
    assert done.stdout.count("would run") == 6
    assert not list(tmp_path.iterdir())


def test_a_changed_byte_is_found_by_verify_and_stops_the_next_stage(tmp_path: Path) -> None:
    assert pipeline("ingest", runs=tmp_path).returncode == 0
    shard = next((tmp_path / "demo" / "examples" / "Split-train").iterdir())
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)

    found = pipeline("verify", runs=tmp_path)
    assert found.returncode == 1
    assert f"{shard}: expected sha256" in found.stderr

    trained = pipeline("train", runs=tmp_path)
    assert trained.returncode == 1
    assert f"{shard}: expected sha256" in trained.stderr
    assert "remove" in trained.stderr
    assert not (tmp_path / "demo" / "model").exists()


def test_a_folder_with_the_wrong_manifest_is_refused(tmp_path: Path) -> None:
    assert pipeline("ingest", runs=tmp_path).returncode == 0
    manifest = tmp_path / "demo" / "examples" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"Examples"', '"Model"', 1))
    done = pipeline("ingest", runs=tmp_path)
    assert done.returncode == 1
    assert "expected an artifact of type Examples, found Model" in done.stderr


def test_recipes_are_listed_with_their_titles(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "recipes"], capture_output=True, text=True, cwd=ROOT, check=True
    )
    begins = set()
    for name, title in (("demo", "MNIST's"), ("fashion_mnist_conditional", "Fashion-MNIST, by label")):
        line = next(line for line in done.stdout.splitlines() if line.startswith(f"{name} "))
        begins.add(line.index(title))
    assert len(begins) == 1  # titles stand below each other


def test_make_prints_help_with_targets_variables_and_values() -> None:
    done = subprocess.run(["make", "RECIPE=fashion_bn"], capture_output=True, text=True, cwd=ROOT, check=True)
    for word in ("demo", "ingest", "generate", "status", "verify", "clean", "SOURCE", "fashion_bn"):
        assert word in done.stdout


def test_a_dry_run_says_how_large_the_set_would_be_at_most(tmp_path: Path) -> None:
    done = pipeline("generate", "--dry-run", "--set", "generate.count=1000000", runs=tmp_path)
    last = done.stdout.splitlines()[-1]
    assert last.startswith("set            1,000,000 images, at most about 1,")
    assert re.search(r"; free on the disk: [0-9,]+ MB$", last)
