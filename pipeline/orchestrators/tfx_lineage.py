"""Where an artifact comes from, as ML Metadata recorded it; and whether the manifests say the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd

from schemas.artifacts.kinds import open_artifact
from schemas.errors import DataError, UsageError

SHOWN = 12  # digits of a digest on the screen


@dataclass(frozen=True)
class Record:
    """What ML Metadata holds of an artifact.

    Attributes:
        path: Its folder.
        kind: The name of its type.
        digest: Hex sha256, as it was when it was recorded.
        node: The component that made it; empty where it was imported.
        external: Digests of what that component read from outside.
        parents: The artifacts that it read, by their names there.
    """

    path: Path
    kind: str
    digest: str
    node: str
    external: dict[str, str]
    parents: dict[str, Record]


def open_store(path: Path) -> MetadataStore:
    """ML Metadata in a SQLite file.

    Raises:
        UsageError: There is no such file.
    """
    if not path.is_file():
        raise UsageError(f"{path}: expected the ML Metadata of a run, found no file; run make tfx")
    config = mlmd.ConnectionConfig()
    config.sqlite.filename_uri = str(path)
    config.sqlite.connection_mode = mlmd.SqliteMetadataSourceConfig.READONLY
    return MetadataStore(config)


def last_run(metadata: Path) -> list[str]:
    """A line per component of the last run: whether it ran or TFX's cache had it, the artifact, its digest."""
    store = open_store(metadata)
    run = max(store.get_contexts_by_type("pipeline_run"), key=lambda context: int(context.id))
    lines = []
    for execution in sorted(store.get_executions_by_context(run.id), key=lambda execution: int(execution.id)):
        cached = execution.last_known_state == mlmd.Execution.CACHED
        for artifact in _outputs(store, execution):
            record = _record(store, artifact)
            word = "cached" if cached else "ran" if record.node else "imported"
            lines.append(f"{_node(store, execution):<9} {word:<8} {record.digest[:SHOWN]}  {record.path}")
    return lines


def record_of(metadata: Path, path: Path | None) -> Record:
    """The artifact in a folder, with all its ancestors.

    Args:
        metadata: The SQLite file.
        path: The artifact's folder; None for the last one that was made.

    Raises:
        UsageError: There is no file, or ML Metadata knows no such artifact.
    """
    store = open_store(metadata)
    found = store.get_artifacts() if path is None else store.get_artifacts_by_uri(str(path.resolve()))
    if not found:
        raise UsageError(f"{path or metadata}: expected an artifact that {metadata} knows, found none")
    return _record(store, max(found, key=lambda artifact: int(artifact.id)))


def tell(record: Record) -> Iterator[str]:
    """A line per artifact, those that it came from below it and further in; what was told above is only named."""
    told: set[Path] = set()

    def lines(name: str, now: Record, depth: int) -> Iterator[str]:
        again = "  (above)" if now.path in told else f"  by {now.node or 'another run'}  {now.path}"
        yield f"{'  ' * depth}{name:<{max(1, 26 - 2 * depth)}} {now.digest[:SHOWN]}{again}"
        if now.path in told:
            return
        told.add(now.path)
        for parent_name, parent in now.parents.items():
            yield from lines(parent_name, parent, depth + 1)
        for outside, digest in now.external.items():
            yield f"{'  ' * (depth + 1)}{outside:<{max(1, 24 - 2 * depth)}} {digest[:SHOWN]}  from outside"

    return lines(record.kind, record, 0)


def check(record: Record) -> int:
    """Compares ML Metadata with the manifests, ancestors included; returns how many artifacts were compared.

    Raises:
        DataError: They differ, or an artifact is not whole.
    """
    seen: dict[Path, Record] = {}

    def walk(now: Record) -> None:
        if now.path not in seen:
            seen[now.path] = now
            for parent in now.parents.values():
                walk(parent)

    walk(record)
    for now in seen.values():
        artifact = open_artifact(now.path)
        artifact.check(thorough=True)
        if artifact.digest != now.digest:
            raise DataError(f"{now.path}: ML Metadata expected digest {now.digest}, found {artifact.digest}")
        recorded = {name: parent.digest for name, parent in now.parents.items()} | now.external
        if now.node and artifact.manifest.inputs != recorded:
            raise DataError(
                f"{now.path}: expected the inputs of its manifest, {artifact.manifest.inputs}, found {recorded} in ML Metadata"
            )
    return len(seen)


def _record(store: MetadataStore, artifact: Any) -> Record:
    made = [
        event.execution_id
        for event in store.get_events_by_artifact_ids([artifact.id])
        if event.type == mlmd.Event.OUTPUT
    ]
    # A cached execution has the same outputs; the first is the one that made it.
    [execution] = store.get_executions_by_id([min(made)])
    parents = {name: _record(store, parent) for name, parent in _inputs(store, execution)}
    external = execution.custom_properties["external"].string_value
    return Record(
        path=Path(artifact.uri),
        kind=str(artifact.type),
        digest=str(_digest(artifact)),
        node=_node(store, execution) if external else "",
        external=json.loads(external) if external else {},
        parents=parents,
    )


def _digest(artifact: Any) -> Any:
    # A property of our types, a custom one of TFX's.
    return artifact.properties["digest"].string_value or artifact.custom_properties["digest"].string_value


def _inputs(store: MetadataStore, execution: Any) -> Iterator[tuple[str, Any]]:
    for event in store.get_events_by_execution_ids([execution.id]):
        if event.type == mlmd.Event.INPUT:
            [artifact] = store.get_artifacts_by_id([event.artifact_id])
            yield event.path.steps[0].key, artifact


def _outputs(store: MetadataStore, execution: Any) -> list[Any]:
    events = store.get_events_by_execution_ids([execution.id])
    made: list[Any] = store.get_artifacts_by_id(
        [event.artifact_id for event in events if event.type == mlmd.Event.OUTPUT]
    )
    return made


def _node(store: MetadataStore, execution: Any) -> str:
    [context] = [found for found in store.get_contexts_by_execution(execution.id) if found.type == "node"]
    return str(context.name).rpartition(".")[2]
