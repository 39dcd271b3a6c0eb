"""The origin of a report: digests, and the recipe of the model and the report."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from components.evaluate.report.search import Search
from schemas.artifacts.manifest import Manifest
from schemas.recipe.settings import EvaluateSettings


def trained_with(model: Manifest, search: Search | None) -> dict[str, Any]:
    """Return the settings that train read, with the values of the search that it used."""
    settings = copy.deepcopy(model.settings)
    for key, value in ({} if search is None else search.best).items():
        *parents, last = key.split(".")
        section = settings
        for parent in parents:
            section = section.setdefault(parent, {})
        section[last] = value
    return settings


def resolved(examples: Manifest, model: Manifest, search: Search | None, settings: EvaluateSettings) -> dict[str, Any]:
    """Return the recipe with every default, as far as this report depends on it.

    It consists of what the manifests' digests cover, so the same inputs give the same recipe: no paths, and nothing of the
    later stages.
    """
    trained = trained_with(model, search)
    if search is not None:  # the recipe has its values: no search is needed
        trained["train"] = {**trained.get("train", {}), "use_tuned": False}
    sections = {**examples.settings, **trained, **settings.content()}
    first_keys = ("name", "title", "seed", "sources", "preprocess", "model", "loss", "train")
    return {key: sections[key] for key in (*first_keys, *sections) if key in sections}


class _Dumper(yaml.SafeDumper):
    """A YAML writer that writes sections as blocks, and lists of numbers or words in a line."""

    def represent_list(self, data: Iterable[Any]) -> yaml.SequenceNode:
        """Write a list of sections in several lines, and any other list in one."""
        items = list(data)
        nested = any(isinstance(item, Mapping) for item in items)
        return self.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=not nested)


_Dumper.add_representer(list, _Dumper.represent_list)


def as_yaml(recipe: Mapping[str, Any]) -> str:
    """Return a recipe as the text of a file."""
    return yaml.dump(dict(recipe), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=88)


def lineage(examples: Manifest, model: Manifest, search: Search | None) -> list[tuple[str, str, str]]:
    """Return the artifacts behind a report: name, digest, and what each was made from."""
    names = {examples.digest: "the Examples above"}
    if start := model.inputs.get("start_from"):
        names[start] = f"the weights of the Model {start[:12]}…"
    if search is not None:
        names[search.manifest.digest] = "the HyperParameters above"
    made_from = [names.get(digest, f"{name} {digest[:12]}…") for name, digest in sorted(model.inputs.items())]
    return [
        ("Examples", examples.digest, "made from the recipe’s sources"),
        *([("HyperParameters", search.manifest.digest, "made from the Examples above")] if search else []),
        ("Model", model.digest, f"made from {' and '.join(made_from)}"),
    ]
