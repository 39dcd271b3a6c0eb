"""The lineage of an artifact as ML Metadata recorded it, compared with the manifests."""

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
    """An artifact and its ancestors, as ML Metadata recorded them.

    Attributes:
        path: Its folder.
        kind: The name of its type.
        digest: Sha256 (hex) when it was recorded.
        node: The component that made it; empty if it was imported.
        external: Digests of the external data that the component read.
        parents: The artifacts that it read, by their names in its manifest.
    """

    path: Path
    kind: str
    digest: str
    node: str
    external: dict[str, str]
    parents: dict[str, Record]


def open_store(path: Path) -> MetadataStore:
    """Open ML Metadata in a SQLite file.

    Raises:
        UsageError: The file does not exist.
    """
    if not path.is_file():
        raise UsageError(f"{path}: expected the ML Metadata of a run, found no file; run make tfx")
    config = mlmd.ConnectionConfig()
    config.sqlite.filename_uri = str(path)
    config.sqlite.connection_mode = mlmd.SqliteMetadataSourceConfig.READONLY
    return MetadataStore(config)


def last_run(metadata: Path) -> list[str]:
    """Return a line per component of the last run: whether it ran or came from TFX's cache, its artifact, the digest."""
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
    """Return the record of the artifact in a folder, with all its ancestors.

    Args:
        metadata: The SQLite file.
        path: The artifact's folder; None: the newest artifact.

    Raises:
        UsageError: The file does not exist, or has no such artifact.
    """
    store = open_store(metadata)
    artifacts = store.get_artifacts() if path is None else store.get_artifacts_by_uri(str(path.resolve()))
    if not artifacts:
        raise UsageError(f"{path or metadata}: expected an artifact that {metadata} has, found none")
    return _record(store, max(artifacts, key=lambda artifact: int(artifact.id)))


def lineage_lines(record: Record) -> Iterator[str]:
    """Yield a line per artifact, its parents indented below it. An artifact that stands above already has only its name."""
    printed: set[Path] = set()

    def lines(name: str, child: Record, depth: int) -> Iterator[str]:
        origin = "  (above)" if child.path in printed else f"  by {child.node or 'another run'}  {child.path}"
        yield f"{'  ' * depth}{name:<{max(1, 26 - 2 * depth)}} {child.digest[:SHOWN]}{origin}"
        if child.path in printed:
            return
        printed.add(child.path)
        for parent_name, parent in child.parents.items():
            yield from lines(parent_name, parent, depth + 1)
        for external_name, digest in child.external.items():
            yield f"{'  ' * (depth + 1)}{external_name:<{max(1, 24 - 2 * depth)}} {digest[:SHOWN]}  from outside"

    return lines(record.kind, record, 0)


def check(record: Record) -> int:
    """Compare ML Metadata with the manifests, ancestors included; return how many artifacts were compared.

    Raises:
        DataError: They differ, or an artifact is damaged.
    """
    records: dict[Path, Record] = {}

    def collect(child: Record) -> None:
        if child.path not in records:
            records[child.path] = child
            for parent in child.parents.values():
                collect(parent)

    collect(record)
    for path, recorded in records.items():
        artifact = open_artifact(path)
        artifact.check(thorough=True)
        if artifact.digest != recorded.digest:
            raise DataError(f"{path}: expected digest {recorded.digest}, from ML Metadata, found {artifact.digest}")
        inputs = {name: parent.digest for name, parent in recorded.parents.items()} | recorded.external
        if recorded.node and artifact.manifest.inputs != inputs:
            raise DataError(
                f"{path}: expected the inputs of its manifest, {artifact.manifest.inputs}, found {inputs} in ML Metadata"
            )
    return len(records)


def _record(store: MetadataStore, artifact: Any) -> Record:
    executions = [
        event.execution_id
        for event in store.get_events_by_artifact_ids([artifact.id])
        if event.type == mlmd.Event.OUTPUT
    ]
    # A cached execution has the same outputs; the first execution made them.
    [execution] = store.get_executions_by_id([min(executions)])
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
    # A property of our own types, a custom property of TFX's.
    return artifact.properties["digest"].string_value or artifact.custom_properties["digest"].string_value


def _inputs(store: MetadataStore, execution: Any) -> Iterator[tuple[str, Any]]:
    for event in store.get_events_by_execution_ids([execution.id]):
        if event.type == mlmd.Event.INPUT:
            [artifact] = store.get_artifacts_by_id([event.artifact_id])
            yield event.path.steps[0].key, artifact


def _outputs(store: MetadataStore, execution: Any) -> list[Any]:
    events = store.get_events_by_execution_ids([execution.id])
    artifacts: list[Any] = store.get_artifacts_by_id(
        [event.artifact_id for event in events if event.type == mlmd.Event.OUTPUT]
    )
    return artifacts


def _node(store: MetadataStore, execution: Any) -> str:
    [node] = [context for context in store.get_contexts_by_execution(execution.id) if context.type == "node"]
    return str(node.name).rpartition(".")[2]
