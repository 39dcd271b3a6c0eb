"""Examples of real images, for benchmarks."""

from __future__ import annotations

from pathlib import Path

from pipeline.core import chain
from pipeline.core.run import run_stages
from pipeline.recipes.load import load_recipe
from schemas.artifacts.kinds import Examples


def examples_of(data: Path, recipe: str, runs: Path) -> Examples:
    """The Examples themselves, or what ingest makes of a source."""
    if (data / "manifest.json").exists():
        return Examples(data)
    loaded = load_recipe(recipe, source=str(data))
    [artifact] = run_stages(loaded, chain.stages_for("ingest"), runs=runs, dry_run=False, verbose=False)
    return Examples(artifact.path)
