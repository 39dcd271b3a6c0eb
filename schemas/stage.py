"""A stage's declaration: its inputs, output and settings, from which the pipeline chains, checks and runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schemas.artifacts.manifest import Artifact
from schemas.recipe.settings import StageSettings


@dataclass(frozen=True)
class Stage:
    """One step of the pipeline.

    Attributes:
        name: The make target.
        doc: One line for help.
        inputs: Types of the artifacts that it reads.
        output: Type of the artifact that it writes.
        settings: The class that selects the recipe keys that it reads.
        run: The stage itself. It is called with the inputs, the output and the settings, in this order, and returns counts for
            the manifest.
        optional: Further inputs. A function of the stage's settings says whether the stage reads each. `run` gets None for an
            input that it does not read, or that does not exist for the other inputs.
        external: A function of the stage's settings that returns digests of what the stage reads from outside the pipeline, by
            the name under which the manifest lists them; None for a path that the recipe does not set.
        after_crash: A function of the output's work folder, called when the stage's process, or a worker process of it, has
            crashed. It returns what another attempt will do, in words, and the stage then runs again; or None if it would
            crash again.
        packages: Packages whose versions the manifest records.
    """

    name: str
    doc: str
    inputs: tuple[type[Artifact], ...]
    output: type[Artifact]
    settings: type[StageSettings]
    run: Callable[..., dict[str, int]]
    optional: Mapping[type[Artifact], Callable[[Any], bool]] = field(default_factory=dict)
    external: Callable[[Any], Mapping[str, str | None]] | None = None
    after_crash: Callable[[Path], str | None] | None = None
    packages: tuple[str, ...] = ("numpy",)
