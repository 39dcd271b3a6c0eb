"""Runs the stages as a TFX pipeline: each `Stage` record becomes a component, run locally and recorded in ML Metadata.

TFX's cache reuses an output if the component ran before with the same inputs and parameters. So everything that decides a
stage's output is a parameter: its settings, digests of the external data that it reads, its code, and its packages' versions.
What only decides how it runs (paths, Beam's options) is no parameter: it reaches the executor in the environment, with the
whole recipe.

Needs the extra ``tfx`` (docs/tfx.md).
"""

from __future__ import annotations

import functools
import importlib.util
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.metadata import sqlite_metadata_connection_config
from tfx.orchestration.pipeline import Pipeline
from tfx.types import artifact as tfx_artifact
from tfx.types import standard_artifacts
from tfx.types.artifact import Property, PropertyType
from tfx.types.channel import Channel
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.reporting.console import console
from pipeline.core.chain import STAGES, kinds_of, used_inputs
from pipeline.core.run import run_process
from pipeline.core.stage_process import task_for, versions_of
from pipeline.orchestrators.code_digest import code_digest
from pipeline.orchestrators.container_step import RECIPE, recipe_in_environment
from pipeline.recipes.summary import print_recipe
from schemas.artifacts.manifest import Artifact
from schemas.errors import UsageError
from schemas.recipe.recipe import Recipe
from schemas.stage import Stage

FOLDER = "tfx"  # below a recipe's runs
METADATA = "metadata.sqlite"
VERBOSE = "LATENT_MILL_VERBOSE"  # beside RECIPE, in the executor's environment
PARAMETERS = ("stage", "settings", "external", "code", "versions")


def tfx_type(kind: type[Artifact]) -> type[tfx_artifact.Artifact]:
    """Return the TFX type of an artifact: TFX's own type of that name if the full tfx is installed, otherwise one of ours."""
    full = importlib.util.find_spec("tfx.extensions") is not None  # without it, creating a standard type raises
    standard: type[tfx_artifact.Artifact] | None = getattr(standard_artifacts, kind.TYPE, None) if full else None
    return _own_type(kind.TYPE) if standard is None else standard


@functools.cache
def _own_type(name: str) -> type[tfx_artifact.Artifact]:
    # TFX's own types do not have this property.
    content = {"TYPE_NAME": name, "PROPERTIES": {"digest": Property(type=PropertyType.STRING)}}
    return type(name, (tfx_artifact.Artifact,), content)


def _is_own(kind: type[tfx_artifact.Artifact]) -> bool:
    return "digest" in (kind.PROPERTIES or {})


class StageExecutor(BaseExecutor):
    """Runs a stage as `make` does: in a child process, from checked inputs to a sealed artifact."""

    def Do(  # noqa: N802  TFX's name
        self,
        input_dict: Mapping[str, list[tfx_artifact.Artifact]],
        output_dict: Mapping[str, list[tfx_artifact.Artifact]],
        exec_properties: Mapping[str, Any],
    ) -> None:
        """Run the stage.

        Args:
            input_dict: The input artifacts, by their names in the stage's manifest.
            output_dict: The artifact to write; its digest becomes a property.
            exec_properties: `PARAMETERS`.

        Raises:
            UsageError: The parameters were made from another recipe than the one in the environment.
            StageFailed: The stage ended without its artifact.
        """
        stage = next(stage for stage in STAGES if stage.name == exec_properties["stage"])
        recipe = recipe_in_environment(stage, exec_properties["settings"])
        artifacts = {
            name: kind(Path(input_dict[name][0].uri)) if input_dict.get(name) else None
            for name, kind in kinds_of(stage).items()
        }
        digests = {name: artifact.digest for name, artifact in artifacts.items() if artifact is not None}
        digests |= json.loads(exec_properties["external"])
        [output] = output_dict[stage.output.TYPE]
        # In the parent folder, which all attempts of the component share, so that an interrupted one is resumed.
        folder = Path(output.uri).parent
        console.print(f"[bold]{stage.name:<9}[/bold] runs")
        run_process(
            task_for(stage, recipe, artifacts=artifacts, digests=digests, final=folder / "whole"),
            log_path=folder / f"{stage.name}.log",
            verbose=VERBOSE in os.environ,
        )
        os.replace(folder / "whole", output.uri)  # TFX made an empty folder there
        digest = stage.output(Path(output.uri)).digest
        if _is_own(type(output)):
            output.digest = digest
        else:
            output.set_string_custom_property("digest", digest)


def component_of(stage: Stage) -> type[BaseComponent]:
    """Return the TFX component of a stage."""
    optional = {kind.TYPE for kind in stage.optional}
    spec = type(
        f"{stage.name.capitalize()}Spec",
        (ComponentSpec,),
        {
            "PARAMETERS": {name: ExecutionParameter(type=str) for name in PARAMETERS},
            "INPUTS": {
                name: ChannelParameter(type=tfx_type(kind), optional=name in optional)
                for name, kind in kinds_of(stage).items()
            },
            "OUTPUTS": {stage.output.TYPE: ChannelParameter(type=tfx_type(stage.output))},
        },
    )
    component: type[BaseComponent] = type(
        stage.name.capitalize(),
        (BaseComponent,),
        {"__doc__": stage.doc, "SPEC_CLASS": spec, "EXECUTOR_SPEC": ExecutorClassSpec(StageExecutor)},
    )
    return component


def parameters_of(stage: Stage, recipe: Recipe) -> dict[str, str]:
    """Return everything that decides a stage's output, except its inputs.

    Raises:
        UsageError: External data that it reads does not exist.
    """
    settings = stage.settings.of(recipe)
    external = {} if stage.external is None else dict(stage.external(settings))
    for name, digest in external.items():
        if digest is None:
            raise UsageError(f"{name}: expected the path of your images, found none; set SOURCE=… (or --source …)")
    return {
        "stage": stage.name,
        "settings": _json(settings.content()),
        "external": _json(external),
        "code": code_digest(stage),
        "versions": _json(versions_of(stage)),
    }


def create_pipeline(recipe: Recipe, *, runs: Path) -> Pipeline:
    """Return the six stages as a TFX pipeline, which writes below ``<runs>/<recipe>/tfx``.

    Args:
        recipe: With overrides applied.
        runs: Folder of all runs.

    Raises:
        UsageError: External data that a stage reads does not exist.
    """
    root = (runs / recipe.name / FOLDER).resolve()
    outputs_by_type: dict[str, Channel] = {}
    nodes: list[Any] = []
    for stage in STAGES:
        channels = {kind.TYPE: outputs_by_type[kind.TYPE] for kind in used_inputs(stage, recipe)}
        component = component_of(stage)
        outputs = {stage.output.TYPE: Channel(type=tfx_type(stage.output))}
        spec = component.SPEC_CLASS(**parameters_of(stage, recipe), **channels, **outputs)
        node = component(spec).with_id(stage.name)
        nodes.append(node)
        outputs_by_type[stage.output.TYPE] = node.outputs[stage.output.TYPE]
    return Pipeline(
        pipeline_name=recipe.name,
        pipeline_root=str(root),
        metadata_connection_config=sqlite_metadata_connection_config(str(root / METADATA)),
        components=nodes,
        enable_cache=True,
    )


def run(recipe: Recipe, *, runs: Path, verbose: bool) -> None:
    """Run the pipeline in this process and its children; print which components ran and which came from TFX's cache.

    Raises:
        UsageError: External data that a stage reads does not exist.
        StageFailed: A stage ended without its artifact.
    """
    from pipeline.orchestrators.tfx_lineage import last_run

    print_recipe(recipe, full=verbose)
    pipeline = create_pipeline(recipe, runs=runs)
    os.environ[RECIPE] = recipe.model_dump_json()
    if verbose:
        os.environ[VERBOSE] = "1"
    LocalDagRunner().run(pipeline)
    for line in last_run(Path(pipeline.pipeline_info.pipeline_root) / METADATA):
        console.print(line, markup=False)


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
