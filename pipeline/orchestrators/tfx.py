"""The same stages as a TFX pipeline: a component made from each `Stage` record, run locally, recorded in ML Metadata.

TFX's cache asks whether a component ran before with the same inputs and parameters. So what decides a stage's output is its
parameters: its settings, the content of what it reads from outside, its code, and the versions of its packages. How it runs
(paths, Beam's options) is none of them; it reaches the executor in the environment, with the whole recipe.

Needs the extra ``tfx`` (docs/tfx.md), whose packages are named by absolute imports; this module is
``pipeline.orchestrators.tfx``.
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
from pipeline.core.chain import STAGES, kinds_of, wanted
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
    """The TFX artifact type of one of ours: TFX's own where it has one of that name and the full tfx is installed."""
    full = importlib.util.find_spec("tfx.extensions") is not None  # without it, constructing a standard type raises
    standard: type[tfx_artifact.Artifact] | None = getattr(standard_artifacts, kind.TYPE, None) if full else None
    return _own_type(kind.TYPE) if standard is None else standard


@functools.cache
def _own_type(name: str) -> type[tfx_artifact.Artifact]:
    # The property also tells it from TFX's type of the same name, which raises without the full tfx.
    content = {"TYPE_NAME": name, "PROPERTIES": {"digest": Property(type=PropertyType.STRING)}}
    return type(name, (tfx_artifact.Artifact,), content)


def _is_own(kind: type[tfx_artifact.Artifact]) -> bool:
    return "digest" in (kind.PROPERTIES or {})


class StageExecutor(BaseExecutor):
    """Runs a stage, as `make` does: in a process of its own, from checked inputs to a sealed artifact."""

    def Do(  # noqa: N802  TFX's name
        self,
        input_dict: Mapping[str, list[tfx_artifact.Artifact]],
        output_dict: Mapping[str, list[tfx_artifact.Artifact]],
        exec_properties: Mapping[str, Any],
    ) -> None:
        """Runs it.

        Args:
            input_dict: An artifact by the name that the stage's manifest has for it; none where there is none.
            output_dict: The artifact to be made; its digest becomes a custom property.
            exec_properties: `PARAMETERS`.

        Raises:
            UsageError: The recipe in the environment is not the one that the parameters were made from.
            StageFailed: The stage ended without its artifact.
        """
        stage = next(stage for stage in STAGES if stage.name == exec_properties["stage"])
        recipe = recipe_in_environment(stage, exec_properties["settings"])
        given = {
            name: kind(Path(input_dict[name][0].uri)) if input_dict.get(name) else None
            for name, kind in kinds_of(stage).items()
        }
        inputs = {name: artifact.digest for name, artifact in given.items() if artifact is not None}
        inputs |= json.loads(exec_properties["external"])
        [made] = output_dict[stage.output.TYPE]
        # It grows beside all of the component's outputs, and not where only this attempt looks: an interrupted one is continued.
        folder = Path(made.uri).parent
        console.print(f"[bold]{stage.name:<9}[/bold] runs")
        run_process(
            task_for(stage, recipe, given=given, inputs=inputs, final=folder / "whole"),
            log_path=folder / f"{stage.name}.log",
            verbose=VERBOSE in os.environ,
        )
        os.replace(folder / "whole", made.uri)  # TFX made an empty folder there
        digest = stage.output(Path(made.uri)).digest
        if _is_own(type(made)):
            made.digest = digest
        else:
            made.set_string_custom_property("digest", digest)


def component_of(stage: Stage) -> type[BaseComponent]:
    """The TFX component of a stage."""
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
    """What decides a stage's output beside its inputs.

    Raises:
        UsageError: What it reads from outside is not there.
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
    """The six stages as a TFX pipeline, below ``<runs>/<recipe>/tfx``.

    Args:
        recipe: With overrides applied.
        runs: Folder of all runs.

    Raises:
        UsageError: What a stage reads from outside is not there.
    """
    root = (runs / recipe.name / FOLDER).resolve()
    made: dict[str, Channel] = {}
    nodes: list[Any] = []
    for stage in STAGES:
        channels = {kind.TYPE: made[kind.TYPE] for kind in wanted(stage, recipe)}
        component = component_of(stage)
        outputs = {stage.output.TYPE: Channel(type=tfx_type(stage.output))}
        spec = component.SPEC_CLASS(**parameters_of(stage, recipe), **channels, **outputs)
        node = component(spec).with_id(stage.name)
        nodes.append(node)
        made[stage.output.TYPE] = node.outputs[stage.output.TYPE]
    return Pipeline(
        pipeline_name=recipe.name,
        pipeline_root=str(root),
        metadata_connection_config=sqlite_metadata_connection_config(str(root / METADATA)),
        components=nodes,
        enable_cache=True,
    )


def run(recipe: Recipe, *, runs: Path, verbose: bool) -> None:
    """Runs the pipeline in this process and its children; prints what ran and what TFX's cache had.

    Raises:
        UsageError: What a stage reads from outside is not there.
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
