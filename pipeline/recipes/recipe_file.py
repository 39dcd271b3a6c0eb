"""Reads a recipe file, which somebody else may have written: plain YAML of bounded size, or one line that says why not."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import yaml

from schemas.paths import found_at

MAX_BYTES = 1 << 20  # 100 times the longest recipe of the project
MAX_DEPTH = 50  # keys below keys
MAX_VALUES = 100_000  # with what aliases repeat


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice; YAML would silently take the second value."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in keys:
                raise yaml.constructor.ConstructorError(problem=f"{key.value} twice", problem_mark=key.start_mark)
            keys.add(key.value if isinstance(key, yaml.ScalarNode) else None)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> Any:
    """Return the content of a YAML file.

    Raises:
        OSError: There is no such file, or it cannot be read.
        ValueError: It is no regular file, too large, or not YAML as a recipe has it.
    """
    if not stat.S_ISREG(path.stat().st_mode):  # a pipe that nobody writes to would wait for ever
        raise ValueError(found_at(path))
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"more than {MAX_BYTES:,} bytes")
    return parse_yaml(content)


def parse_yaml(text: str | bytes) -> Any:
    """Return the data of a YAML text.

    Raises:
        ValueError: It is no YAML, nested too deeply, or repeats too much by aliases.
    """
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _size(node, {}, depth=0)
            try:
                return loader.construct_document(node)
            except (AttributeError, IndexError, KeyError, TypeError):  # which PyYAML lets out of `!!timestamp x`
                raise ValueError("a tag that does not fit its value") from None
        finally:
            loader.dispose()
    except RecursionError:
        raise ValueError(f"more than {MAX_DEPTH} levels") from None
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None


def _size(node: yaml.Node, sizes: dict[yaml.Node, int], *, depth: int) -> int:
    """Return the number of values below a node, those of an alias as often as it stands there."""
    if depth > MAX_DEPTH:  # also where an alias stands below its own anchor
        raise ValueError(f"more than {MAX_DEPTH} levels")
    if node not in sizes:
        children = [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else []
        children = node.value if isinstance(node, yaml.SequenceNode) else children
        sizes[node] = 1 + sum(_size(child, sizes, depth=depth + 1) for child in children)
        if sizes[node] > MAX_VALUES:
            raise ValueError(f"more than {MAX_VALUES:,} values")
    return sizes[node]
