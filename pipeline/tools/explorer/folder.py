"""Builds the explorer's folder: the page and the data of one generator. Any web host can serve it."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path

from components.reporting.console import console
from pipeline.core.chain import artifact_path
from pipeline.core.child_process import run_module
from pipeline.core.trust import expect_trusted
from schemas import atomic
from schemas.artifacts.kinds import Examples, Generator
from schemas.errors import DataError, UsageError
from schemas.recipe.recipe import Recipe

PAGE = Path(__file__).parent / "page"  # built from explorer/ (docs/explorer.md)
DESCRIPTION = "data/explorer.json"


def build(recipe: Recipe, *, runs: Path, out: Path | None, trust: bool = False) -> Path:
    """Write the explorer of a recipe's generator, unless it is up to date; return its folder.

    Args:
        recipe: The recipe; its Generator and Examples must exist.
        runs: Folder of all runs.
        out: The folder. Default: ``explorer`` in the recipe's folder of runs.
        trust: Load the generator, even if this machine did not make it.

    Raises:
        UsageError: `out` is a folder that holds something else, or the generator is not trusted.
        DataError: The generator does not exist, has no ONNX files, or differs from its manifest.
        StageFailed: The process that encodes the test images ended without a result.
    """
    generator = Generator(artifact_path(recipe, Generator, runs=runs))
    examples = Examples(artifact_path(recipe, Examples, runs=runs))
    for artifact in (generator, examples):
        if not artifact.exists:
            raise DataError(
                f"{artifact.path}: expected a {artifact.TYPE}, found none; run make export RECIPE={recipe.name}"
            )
        artifact.check(thorough=True)
    if not (generator.path / "onnx" / "decode.onnx").is_file():
        raise DataError(
            f"{generator.path}: expected ONNX files, which browsers run, found none; "
            f'run make export RECIPE={recipe.name} SET="export.formats=[onnx]"'
        )
    # Also where the page is there already: who made the one may have made the other.
    expect_trusted(generator, trust=trust)
    folder = runs / recipe.name / "explorer" if out is None else out
    made_from = {"generator": generator.digest, "examples": examples.digest, "page": page_digest()}
    if _made_from(folder) == made_from:
        return folder
    if folder.exists() and any(folder.iterdir()) and not (folder / DESCRIPTION).is_file():
        raise UsageError(f"{folder}: expected an explorer or an empty folder, found something else")
    folder.parent.mkdir(parents=True, exist_ok=True)
    console.print("explore   builds the page from the generator and up to 1,000 test images", markup=False)
    with tempfile.TemporaryDirectory(prefix=".explorer-", dir=folder.parent) as temporary:
        new_folder = Path(temporary, "explorer")
        _copy_page(new_folder)
        _encode(
            generator,
            examples,
            new_folder / "data",
            made_from,
            log_path=generator.path.parent / ".logs" / "explorer.log",
        )
        new_folder.chmod(0o755)
        if folder.exists():
            os.replace(folder, Path(temporary, "before"))
        os.replace(new_folder, folder)
        atomic.fsync(folder.parent)
    return folder


def page_digest() -> str:
    """Return the sha256 (hex) of the built page, names and content."""
    digest = hashlib.sha256()
    for path in sorted(path for path in PAGE.rglob("*") if path.is_file()):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(PAGE).as_posix()} {content}\n".encode())
    return digest.hexdigest()


def _made_from(folder: Path) -> dict[str, str] | None:
    """Return the digests that an explorer was made from; None if there is no explorer in the folder."""
    try:
        digests: dict[str, str] = json.loads((folder / DESCRIPTION).read_bytes())["made_from"]
        return digests
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _copy_page(folder: Path) -> None:
    shutil.copytree(PAGE, folder, ignore=shutil.ignore_patterns("*.gz", "build.json"))
    for packed in PAGE.rglob("*.gz"):
        target = folder / packed.relative_to(PAGE).with_suffix("")
        with gzip.open(packed) as source, target.open("wb") as file:
            shutil.copyfileobj(source, file)


def _encode(
    generator: Generator, examples: Examples, folder: Path, made_from: dict[str, str], *, log_path: Path
) -> None:
    """Run `pipeline.tools.explorer.data` in a child process, whose log goes to a file."""
    with console.status("encoding test images"):
        run_module(
            "pipeline.tools.explorer.data",
            [generator.path, examples.path, folder],
            name="explore",
            stdin=json.dumps(made_from).encode(),
            log_path=log_path,
        )
