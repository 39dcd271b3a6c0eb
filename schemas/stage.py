"""What a stage declares of itself, so that the pipeline can chain, check and run it without knowing it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.artifacts.manifest import Artifact
from schemas.recipe.settings import StageSettings


@dataclass(frozen=True)
class Stage:
    """One step of the pipeline.

    Attributes:
        name: The make target.
        doc: One line for help.
        inputs: Artifacts that it reads.
        output: The artifact that it writes.
        settings: The keys of the recipe that it reads.
        run: Called with the inputs, the output, and the settings, in this order; returns counts for the manifest.
        optional: Further inputs, each with whether it is wanted, given the stage's settings; None where it is not, or where there
            is none for the other inputs.
        external: Digests of what the stage reads from outside the pipeline, by the manifest's names for them, given its settings;
            None of what the recipe leaves open.
        packages: Whose versions the manifest records.
    """

    name: str
    doc: str
    inputs: tuple[type[Artifact], ...]
    output: type[Artifact]
    settings: type[StageSettings]
    run: Callable[..., dict[str, int]]
    optional: Mapping[type[Artifact], Callable[[Any], bool]] = field(default_factory=dict)
    external: Callable[[Any], Mapping[str, str | None]] | None = None
    packages: tuple[str, ...] = ("numpy",)
