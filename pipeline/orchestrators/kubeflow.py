"""Compiles the stages for Kubeflow Pipelines 2 and Vertex AI: each `Stage` record becomes a container step of one image.

It uses Kubeflow's own SDK, kfp. TFX's Kubeflow runner gives a step the URIs of a bucket, where our stages read and write
folders, and the light TFX does not include it. With kfp a step gets paths: the engine copies the folders.

As under TFX, everything that decides a step's output is a parameter, which the engine's cache compares; the recipe, which also
decides how a step runs, is in its environment. Needs the extra ``tfx`` (docs/tfx.md).
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kfp import __version__ as kfp_version
from kfp import compiler, components, dsl

from pipeline.core.chain import STAGES, used_inputs
from pipeline.orchestrators.code_digest import code_digest
from pipeline.orchestrators.container_step import RECIPE
from schemas import atomic
from schemas.errors import DataError, UsageError
from schemas.recipe.recipe import Recipe
from schemas.stage import Stage

# Types that the engine knows; it shows every other artifact as a plain one.
KINDS = {"Examples": dsl.Dataset, "Model": dsl.Model, "Generator": dsl.Model, "ImageSet": dsl.Dataset}
PARAMETERS = ("settings", "external", "code")
SOURCE = "source"


def compile_pipeline(recipe: Recipe, *, image: str, path: Path) -> list[str]:
    """Write the pipeline's file, and let the SDK's loader read it again.

    Args:
        recipe: With overrides applied. The engine copies a source whose path is a URI (``gs://…``, ``s3://…``); any other path
            must exist in the container.
        image: The container image that holds this project.
        path: The file, YAML.

    Returns:
        Lines that say what the loader read.

    Raises:
        UsageError: Such a pipeline cannot do what the recipe asks for.
        DataError: The loader read something else than what was written.
    """
    uris = [uri for source in recipe.sources if "://" in (uri := getattr(source, "path", None) or "")]
    if uris and len(recipe.sources) > 1:
        raise UsageError(f"sources: expected one where its path is a URI, found {len(recipe.sources)}")

    def pipeline() -> None:
        outputs: dict[str, Any] = {}
        for stage in STAGES:
            inputs = {kind.TYPE: outputs[kind.TYPE] for kind in used_inputs(stage, recipe)}
            external = None if uris and "sources" in stage.settings.KEYS else _external(stage, recipe)
            if external is None and uris:
                inputs[SOURCE] = dsl.importer(artifact_uri=uris[0], artifact_class=dsl.Artifact, reimport=True).output
            parameters = {
                "settings": json.dumps(stage.settings.of(recipe).content(), sort_keys=True),
                "external": json.dumps(external, sort_keys=True),
                "code": code_digest(stage),
            }
            task = _component(stage, list(inputs), image=image)(**parameters, **inputs)
            task.set_display_name(stage.name)
            task.set_env_variable(RECIPE, recipe.model_dump_json())
            task.set_caching_options(enable_caching=external is not None)  # the images may have changed
            outputs[stage.output.TYPE] = task.outputs[stage.output.TYPE]

    pipeline.__annotations__.clear()  # kfp would read the text "None" as an artifact
    graph = dsl.pipeline(name=recipe.name.replace("_", "-"), description=recipe.title or recipe.name)(pipeline)
    with atomic.replacing(path) as temporary:
        file = temporary.with_suffix(".yaml")  # the compiler decides by the ending
        compiler.Compiler().compile(graph, str(file))
        file.rename(temporary)
    return _read_again(path, image)


def _component(stage: Stage, input_names: list[str], *, image: str) -> Callable[..., Any]:
    """Return a container component. kfp reads inputs and outputs from a function's signature, so one is made here."""
    inputs = {name: dsl.Input[KINDS.get(name, dsl.Artifact)] for name in input_names}
    output = {stage.output.TYPE: dsl.Output[KINDS.get(stage.output.TYPE, dsl.Artifact)]}
    annotations: Mapping[str, Any] = dict.fromkeys(PARAMETERS, str) | inputs | output

    def step(*values: Any) -> dsl.ContainerSpec:
        placeholders = dict(zip(annotations, values, strict=True))
        arguments = ["--stage", stage.name]
        for name in PARAMETERS:
            arguments += [f"--{name}", placeholders[name]]
        for name in inputs:
            arguments += [*(["--source"] if name == SOURCE else ["--input", name]), placeholders[name].path]
        arguments += ["--output", placeholders[stage.output.TYPE].path]
        return dsl.ContainerSpec(
            image=image, command=["python", "-m", "pipeline.orchestrators.container_step"], args=arguments
        )

    step.__name__ = stage.name
    step.__doc__ = stage.doc
    step.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=annotation)
            for name, annotation in annotations.items()
        ]
    )
    component: Callable[..., Any] = dsl.container_component(step)
    return component


def _external(stage: Stage, recipe: Recipe) -> dict[str, str] | None:
    """Return digests of the external data that a stage reads; None if only the machine of the step has it."""
    if stage.external is None:
        return {}
    try:
        digests = dict(stage.external(stage.settings.of(recipe)))
    except UsageError:
        return None
    known = {name: digest for name, digest in digests.items() if digest is not None}
    return known if len(known) == len(digests) else None


def _read_again(path: Path, image: str) -> list[str]:
    loaded = components.load_component_from_file(str(path))
    spec = loaded.pipeline_spec
    containers = {
        name: executor["container"]
        for name, executor in spec.deployment_spec["executors"].items()
        if "container" in executor
    }
    steps = [name.removeprefix("exec-") for name in containers]
    if sorted(steps) != sorted(stage.name for stage in STAGES):
        raise DataError(f"{path}: expected a step per stage, found {', '.join(steps) or 'none'}")
    for name, container in containers.items():
        if container["image"] != image:
            raise DataError(f"{path}: expected image {image} in {name}, found {container['image']}")
    return [
        f"wrote   {path}, {path.stat().st_size:,} bytes",
        f"loader  kfp {kfp_version}: pipeline {loaded.name}, schema {spec.schema_version}",
        *(
            f"step    {name:<9} needs {', '.join(spec.root.dag.tasks[name].dependent_tasks) or 'nothing'}"
            for name in (stage.name for stage in STAGES)
        ),
    ]
