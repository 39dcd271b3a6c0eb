"""The commands ``tfx run | lineage | compile``: the pipeline for TFX and for Kubeflow. They need the extra ``tfx``."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from components.reporting.console import console
from pipeline.cli.options import (
    RUNS,
    InceptionPath,
    Overrides,
    RecipeName,
    RunsFolder,
    SettingList,
    SourcePath,
    Verbose,
    all_overrides,
)
from pipeline.recipes.load import load_recipe
from schemas.errors import UsageError

app = typer.Typer(help="The same stages under TFX, and compiled for Kubeflow.", no_args_is_help=True)


@app.command("run")
def run_pipeline(
    recipe: RecipeName = "demo",
    source: SourcePath = None,
    overrides: Overrides = [],  # noqa: B006  typer copies it
    settings: SettingList = "",
    inception: InceptionPath = None,
    runs: RunsFolder = RUNS,
    verbose: Verbose = False,
) -> None:
    """Run all six stages under TFX's LocalDagRunner, recorded in ML Metadata."""
    _expect("tfx")
    with contextlib.nullcontext() if verbose else _stderr_closed():
        from pipeline.orchestrators import tfx

    overrides = all_overrides(overrides, settings=settings, inception=inception)
    loaded = load_recipe(recipe, source=source, overrides=overrides)
    tfx.run(loaded, runs=runs, verbose=verbose)


@app.command()
def lineage(
    path: Annotated[Path | None, typer.Argument(help="An artifact's folder. Default: the newest.")] = None,
    recipe: RecipeName = "demo",
    runs: RunsFolder = RUNS,
) -> None:
    """Print an artifact's ancestors from ML Metadata, and compare them with the manifests."""
    _expect("ml_metadata")
    from pipeline.orchestrators import tfx_lineage

    metadata = runs / load_recipe(recipe).name / "tfx" / "metadata.sqlite"
    record = tfx_lineage.record_of(metadata, path)
    for line in tfx_lineage.lineage_lines(record):
        console.print(line, markup=False)
    console.print(f"the manifests of all {tfx_lineage.check(record)} artifacts agree; every file was hashed again")


@app.command("compile")
def compile_pipeline(
    image: Annotated[str, typer.Option("--image", help="The container image of every step (docs/tfx.md).")],
    recipe: RecipeName = "demo",
    source: SourcePath = None,
    overrides: Overrides = [],  # noqa: B006
    out: Annotated[Path | None, typer.Option("--out", help="The file. Default: <recipe>.kfp.yaml.")] = None,
) -> None:
    """Write the pipeline as a file for Kubeflow Pipelines 2 or Vertex AI, and read it again with the SDK's loader."""
    _expect("kfp")
    from pipeline.orchestrators import kubeflow

    loaded = load_recipe(recipe, source=source, overrides=overrides)
    path = out or Path(f"{loaded.name}.kfp.yaml")
    for line in kubeflow.compile_pipeline(loaded, image=image, path=path):
        console.print(line, markup=False)


def _expect(package: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise UsageError(f"tfx: expected the extra tfx, found no package {package}; run make setup-tfx (docs/tfx.md)")


@contextlib.contextmanager
def _stderr_closed() -> Iterator[None]:
    """Discard standard error while TFX and TensorFlow are imported: TensorFlow lists there the libraries that it did not find."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.filterwarnings("ignore", category=FutureWarning, module="google.api_core")
    from absl import logging

    logging.set_verbosity(logging.FATAL)  # an error is printed once, by this project
    stderr = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
