"""Where a report comes from: digests, and the recipe that made the model and the report."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import yaml

from components.evaluate.report.search import Search
from schemas.artifacts.manifest import Manifest
from schemas.recipe.settings import EvaluateSettings


def trained_with(model: Manifest, search: Search | None) -> dict[str, Any]:
    """The settings that train read, with the values of the search that it took."""
    found = copy.deepcopy(model.settings)
    for key, value in ({} if search is None else search.best).items():
        *parents, last = key.split(".")
        below = found
        for parent in parents:
            below = below.setdefault(parent, {})
        below[last] = value
    return found


def resolved(examples: Manifest, model: Manifest, search: Search | None, settings: EvaluateSettings) -> dict[str, Any]:
    """The recipe with every default written out, as far as it had a part in this report.

    It is made of what the manifests' digests cover, so the same inputs give the same recipe: no paths, and nothing of the
    stages that come later.
    """
    told, trained = settings.content(), trained_with(model, search)
    if search is not None:  # its values stand in the recipe: nothing is left to search
        trained["train"] = {**trained.get("train", {}), "use_tuned": False}
    sections = {**examples.settings, **trained, **told}
    first = ("name", "title", "seed", "sources", "preprocess", "model", "loss", "train")
    return {key: sections[key] for key in (*first, *sections) if key in sections}


class _Dumper(yaml.SafeDumper):
    """Sections as blocks, lists of numbers or words in a line."""

    def represent_list(self, data: list[Any]) -> yaml.Node:
        """A list of sections stands in lines, any other in one."""
        nested = any(isinstance(item, Mapping) for item in data)
        return self.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=not nested)


_Dumper.add_representer(list, _Dumper.represent_list)


def as_yaml(recipe: Mapping[str, Any]) -> str:
    """The recipe as a file."""
    return yaml.dump(dict(recipe), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=88)


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Settings by recipe key with dots."""
    found: dict[str, Any] = {}
    for key, value in settings.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return found


def lineage(examples: Manifest, model: Manifest, search: Search | None) -> list[tuple[str, str, str]]:
    """Artifact, digest, and what it was made from."""
    names = {examples.digest: "the Examples above"}
    if search is not None:
        names[search.manifest.digest] = "the HyperParameters above"
    made_from = [names.get(digest, f"{name} {digest[:12]}…") for name, digest in sorted(model.inputs.items())]
    return [
        ("Examples", examples.digest, "made from the recipe’s sources"),
        *([("HyperParameters", search.manifest.digest, "made from the Examples above")] if search else []),
        ("Model", model.digest, f"made from {' and '.join(made_from)}"),
    ]
