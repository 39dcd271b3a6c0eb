"""What a stage declares of itself, so that the pipeline can chain, check and run it without knowing it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from schemas.manifest import Artifact
from schemas.settings import StageSettings


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
        optional: Inputs that are None when there are none for the other inputs.
        beside: Of another recipe, an artifact of this type that is None where there is none, and that recipe's name,
            given the stage's settings; None where none is wanted. It comes after the other inputs.
        external: Digest of what the stage reads from outside the pipeline, given its settings; None where there is none.
        packages: Whose versions the manifest records.
    """

    name: str
    doc: str
    inputs: tuple[type[Artifact], ...]
    output: type[Artifact]
    settings: type[StageSettings]
    run: Callable[..., dict[str, int]]
    optional: tuple[type[Artifact], ...] = ()
    beside: tuple[type[Artifact], Callable[[Any], str | None]] | None = None
    external: Callable[[Any], str | None] | None = None
    packages: tuple[str, ...] = ("numpy",)
