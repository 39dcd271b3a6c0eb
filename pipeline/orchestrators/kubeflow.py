"""The same stages for Kubeflow Pipelines 2 and Vertex AI: a container step from each `Stage` record, all of one image.

Made with Kubeflow's own SDK, kfp, and not with TFX's Kubeflow runner: that one hands a step the URIs of a bucket, where our
stages read and write folders, and the light TFX does not bring it. A step of kfp gets paths: the engine brings the folders.

As under TFX, what decides a step's output is its parameters, by which the engine's cache goes; the recipe itself, which also
says how a step runs, is in its environment. Needs the extra ``tfx`` (docs/tfx.md).
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kfp import __version__ as kfp_version
from kfp import compiler, components, dsl

from pipeline.core.chain import STAGES, wanted
from pipeline.orchestrators.code_digest import code_digest
from pipeline.orchestrators.container_step import RECIPE
from schemas import atomic
from schemas.errors import DataError, UsageError
from schemas.recipe.recipe import Recipe
from schemas.stage import Stage

# The engine shows these by kinds of its own; whatever is not here is a plain artifact to it.
KINDS = {"Examples": dsl.Dataset, "Model": dsl.Model, "Generator": dsl.Model, "ImageSet": dsl.Dataset}
PARAMETERS = ("settings", "external", "code")
SOURCE = "source"


def compile_pipeline(recipe: Recipe, *, image: str, path: Path) -> list[str]:
    """Writes the pipeline and has the SDK's loader read it again.

    Args:
        recipe: With overrides applied. A source whose path is a URI (``gs://…``, ``s3://…``) is brought by the engine; another
            path must be there in the container.
        image: The container image that holds this project.
        path: The file, YAML.

    Returns:
        What the loader found, in a few lines.

    Raises:
        UsageError: The recipe asks for what such a pipeline has not.
        DataError: What the loader found is not what was meant.
    """
    uris = [uri for source in recipe.sources if "://" in (uri := getattr(source, "path", None) or "")]
    if uris and len(recipe.sources) > 1:
        raise UsageError(f"sources: expected one where its path is a URI, found {len(recipe.sources)}")

    def pipeline() -> None:
        made: dict[str, Any] = {}
        for stage in STAGES:
            given = {kind.TYPE: made[kind.TYPE] for kind in wanted(stage, recipe)}
            external = None if uris and "sources" in stage.settings.KEYS else _external(stage, recipe)
            if external is None and uris:
                given[SOURCE] = dsl.importer(artifact_uri=uris[0], artifact_class=dsl.Artifact, reimport=True).output
            parameters = {
                "settings": json.dumps(stage.settings.of(recipe).content(), sort_keys=True),
                "external": json.dumps(external, sort_keys=True),
                "code": code_digest(stage),
            }
            task = _component(stage, list(given), image=image)(**parameters, **given)
            task.set_display_name(stage.name)
            task.set_env_variable(RECIPE, recipe.model_dump_json())
            task.set_caching_options(enable_caching=external is not None)  # what is not known here may have changed
            made[stage.output.TYPE] = task.outputs[stage.output.TYPE]

    pipeline.__annotations__.clear()  # kfp would take the text "None" for an artifact
    graph = dsl.pipeline(name=recipe.name.replace("_", "-"), description=recipe.title or recipe.name)(pipeline)
    with atomic.replacing(path) as temporary:
        file = temporary.with_suffix(".yaml")  # the compiler goes by the ending
        compiler.Compiler().compile(graph, str(file))
        file.rename(temporary)
    return _read_again(path, image)


def _component(stage: Stage, given: list[str], *, image: str) -> Callable[..., Any]:
    """A container component of kfp, which reads inputs and outputs off a function's signature: so it is given one."""

    inputs = {name: dsl.Input[KINDS.get(name, dsl.Artifact)] for name in given}
    output = {stage.output.TYPE: dsl.Output[KINDS.get(stage.output.TYPE, dsl.Artifact)]}
    annotations: Mapping[str, Any] = dict.fromkeys(PARAMETERS, str) | inputs | output

    def step(*values: Any) -> dsl.ContainerSpec:
        placeholders = dict(zip(annotations, values, strict=True))
        arguments = ["--stage", stage.name]
        for name in PARAMETERS:
            arguments += [f"--{name}", placeholders[name]]
        for name in inputs:
            arguments += [*(["--source"] if name == SOURCE else ["--given", name]), placeholders[name].path]
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
    made: Callable[..., Any] = dsl.container_component(step)
    return made


def _external(stage: Stage, recipe: Recipe) -> dict[str, str] | None:
    """Digests of what a stage reads from outside; None where that is not here but where the step will run."""
    if stage.external is None:
        return {}
    try:
        found = dict(stage.external(stage.settings.of(recipe)))
    except UsageError:
        return None
    known = {name: digest for name, digest in found.items() if digest is not None}
    return known if len(known) == len(found) else None


def _read_again(path: Path, image: str) -> list[str]:
    loaded = components.load_component_from_file(str(path))
    spec = loaded.pipeline_spec
    found = {
        name: executor["container"]
        for name, executor in spec.deployment_spec["executors"].items()
        if "container" in executor
    }
    steps = [name.removeprefix("exec-") for name in found]
    if sorted(steps) != sorted(stage.name for stage in STAGES):
        raise DataError(f"{path}: expected a step per stage, found {', '.join(steps) or 'none'}")
    for name, container in found.items():
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
