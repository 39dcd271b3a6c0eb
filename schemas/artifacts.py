"""The six artifacts: folders that describe themselves, are whole or not there, and can be verified.

An artifact is written in a staging folder (`schemas.staging`) and renamed when it is whole. ``manifest.json``, written last,
holds the digests of its inputs, the settings that were read, and size and sha256 of every file. The manifests'
digests form the lineage, from a generated image back to the images that the model was trained on.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError

from schemas import atomic
from schemas.errors import DataError
from schemas.hashing import sha256_of_each

MANIFEST = "manifest.json"


class FileEntry(BaseModel):
    """Size in bytes and sha256 (hex) of one file."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    size: int
    sha256: str


class Manifest(BaseModel):
    """What an artifact says of itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    type: str
    digest: str
    inputs: dict[str, str]
    settings: dict[str, Any]
    counts: dict[str, int]
    files: dict[str, FileEntry]
    recipe: dict[str, Any]
    versions: dict[str, str]
    duration_seconds: float
    created: str


class Artifact:
    """A folder with a manifest.

    Args:
        path: Where the files are, or will be.
        work: Scratch folder of a stage that writes this artifact; what is half done is kept there and continued.
    """

    TYPE: ClassVar[str]
    # Files whose bytes hold wall-clock times: verified like the others, but no part of the artifact's digest.
    VOLATILE: ClassVar[tuple[str, ...]] = ()

    def __init__(self, path: Path, *, work: Path | None = None) -> None:
        self.path = Path(path)
        self.work = work or self.path.with_name(f".work-{self.path.name}")

    @property
    def exists(self) -> bool:
        """Whether the artifact is there and whole."""
        return (self.path / MANIFEST).is_file()

    @property
    def manifest(self) -> Manifest:
        """The manifest.

        Raises:
            DataError: There is none, or it is not a manifest of this type.
        """
        path = self.path / MANIFEST
        try:
            manifest = Manifest.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            raise DataError(f"{path}: expected the manifest of {self.TYPE}, found no file") from None
        except (ValidationError, OSError) as error:
            raise DataError(
                f"{path}: expected the manifest of {self.TYPE}, found something else ({_first(error)})"
            ) from None
        if manifest.type != self.TYPE:
            raise DataError(f"{path}: expected an artifact of type {self.TYPE}, found {manifest.type}")
        return manifest

    @property
    def digest(self) -> str:
        """What identifies the content: type, inputs, settings and files (hex sha256)."""
        return self.manifest.digest

    def damage(self, *, thorough: bool) -> list[str]:
        """Compares the folder with its manifest, one line per difference; thorough: reads and hashes every file."""
        manifest = self.manifest
        lines = []
        same_size = []
        for name, entry in manifest.files.items():
            path = self.path / name
            if not path.is_file():
                lines.append(f"{path}: expected a file of {entry.size:,} bytes, found none")
            elif (size := path.stat().st_size) != entry.size:
                lines.append(f"{path}: expected {entry.size:,} bytes, found {size:,}")
            else:
                same_size.append((path, entry.sha256))
        if thorough:
            found = sha256_of_each(path for path, _ in same_size)
            lines += [
                f"{path}: expected sha256 {expected[:12]}…, found {sha256[:12]}…"
                for (path, expected), sha256 in zip(same_size, found, strict=True)
                if sha256 != expected
            ]
            known = set(manifest.files) | {MANIFEST}
            lines += [
                f"{self.path / name}: expected no such file, the manifest does not list it"
                for name in sorted(_names(self.path) - known)
            ]
        digest = self._digest(manifest.inputs, manifest.settings, manifest.files)
        if digest != manifest.digest:
            lines.append(f"{self.path / MANIFEST}: expected digest {digest[:12]}…, found {manifest.digest[:12]}…")
        return lines

    def check(self, *, thorough: bool) -> None:
        """Raises DataError with the first difference between the folder and its manifest, if there is any."""
        if lines := self.damage(thorough=thorough):
            more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
            raise DataError(f"{lines[0]}{more}; to make it again, remove {self.path}")

    def _digest(self, inputs: dict[str, str], settings: dict[str, Any], files: dict[str, FileEntry]) -> str:
        lasting = {name: entry.sha256 for name, entry in files.items() if not name.startswith(self.VOLATILE or ("\0",))}
        content = {"type": self.TYPE, "inputs": inputs, "settings": settings, "files": lasting}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def seal(
        self,
        *,
        inputs: dict[str, str],
        settings: dict[str, Any],
        counts: dict[str, int],
        recipe: dict[str, Any],
        versions: dict[str, str],
        duration_seconds: float,
        created: str,
    ) -> Manifest:
        """Hashes and flushes every file, then writes the manifest: from here on the artifact is whole."""
        (self.path / MANIFEST).unlink(missing_ok=True)
        names = sorted(_names(self.path))
        atomic.fsync_all([self.path / name for name in names], below=self.path)
        paths = [self.path / name for name in names]
        files = {
            name: FileEntry(size=path.stat().st_size, sha256=sha256)
            for name, path, sha256 in zip(names, paths, sha256_of_each(paths), strict=True)
        }
        manifest = Manifest(
            type=self.TYPE,
            digest=self._digest(inputs, settings, files),
            inputs=inputs,
            settings=settings,
            counts=counts,
            files=files,
            recipe=recipe,
            versions=versions,
            duration_seconds=duration_seconds,
            created=created,
        )
        atomic.write_text(self.path / MANIFEST, manifest.model_dump_json(indent=1) + "\n")
        return manifest


class Examples(Artifact):
    """Images as the network reads them: TFRecord shards per split, schema, statistics and tables."""

    TYPE = "Examples"

    def split(self, name: str) -> Path:
        """Folder of a split's shards."""
        return self.path / f"Split-{name}"

    def shards(self, split: str) -> list[Path]:
        """A split's TFRecord files, in order."""
        return sorted(self.split(split).glob("data_tfrecord-*"))

    @property
    def statistics_path(self) -> Path:
        """The file of shapes, counts, moments and constants (`schemas.records.Statistics`)."""
        return self.path / "statistics.json"

    @property
    def schema_path(self) -> Path:
        """The tensorflow-metadata schema of a record."""
        return self.path / "schema.pbtxt"

    @property
    def images_path(self) -> Path:
        """A row per image (`schemas.tables.IMAGES`)."""
        return self.path / "images.parquet"

    @property
    def contact_sheet_path(self) -> Path:
        """Some training images, as the network sees them."""
        return self.path / "contact_sheet.png"

    @property
    def duplicates_path(self) -> Path:
        """A row per image that was left out because another has the same bytes (`schemas.tables.DUPLICATES`)."""
        return self.path / "duplicates.parquet"

    @property
    def rejected_path(self) -> Path:
        """A row per image that could not be used (`schemas.tables.REJECTED`)."""
        return self.path / "rejected.parquet"


class HyperParameters(Artifact):
    """The best values of a search, and the search itself."""

    TYPE = "HyperParameters"

    @property
    def best_path(self) -> Path:
        """The best values, by recipe key."""
        return self.path / "best.json"

    @property
    def trials_path(self) -> Path:
        """A row per trial (`schemas.tables.trials`)."""
        return self.path / "trials.parquet"

    @property
    def summary_path(self) -> Path:
        """What won, by how much, what mattered, and whether more search would help."""
        return self.path / "summary.json"

    @property
    def figure_path(self) -> Path:
        """A picture of the search."""
        return self.path / "search.png"


class Model(Artifact):
    """A trained variational autoencoder."""

    TYPE = "Model"
    VOLATILE = ("logs/", "progress/")

    @property
    def vae_path(self) -> Path:
        """The Keras model, with the best weights."""
        return self.path / "vae.keras"

    @property
    def history_path(self) -> Path:
        """A row per epoch (`schemas.tables.HISTORY`)."""
        return self.path / "history.parquet"

    @property
    def logs_path(self) -> Path:
        """TensorBoard's event files."""
        return self.path / "logs"

    @property
    def progress_path(self) -> Path:
        """Pictures of reconstructions and samples, epoch after epoch, and a film of them."""
        return self.path / "progress"


class ModelEvaluation(Artifact):
    """How good a model is, on images that it has not seen."""

    TYPE = "ModelEvaluation"

    @property
    def metrics_path(self) -> Path:
        """Every metric with value, standard error and unit."""
        return self.path / "metrics.json"

    @property
    def report_path(self) -> Path:
        """The report, one self-contained HTML file."""
        return self.path / "report.html"

    @property
    def sampler_path(self) -> Path:
        """Where codes of new images should come from: the arrays of a `models.code_samplers.CodeSampler`, and its kind."""
        return self.path / "sampler.npz"

    @property
    def figures_path(self) -> Path:
        """The report's figures as PNG files."""
        return self.path / "figures"


class Generator(Artifact):
    """A model in the form in which others load it."""

    TYPE = "Generator"

    @property
    def saved_model_path(self) -> Path:
        """TensorFlow's SavedModel."""
        return self.path / "saved_model"

    @property
    def labels_path(self) -> Path:
        """Names of a conditional generator's labels, a JSON list; within the SavedModel, which knows their numbers."""
        return self.saved_model_path / "assets.extra" / "labels.json"

    @property
    def parity_path(self) -> Path:
        """How far the SavedModel, loaded in a fresh process, is from the Keras model."""
        return self.path / "parity.json"


class ImageSet(Artifact):
    """Synthetic images, and a table that says of each where it came from."""

    TYPE = "ImageSet"

    @property
    def metadata_path(self) -> Path:
        """A row per image (`schemas.tables.GENERATED`)."""
        return self.path / "metadata.parquet"

    @property
    def contact_sheet_path(self) -> Path:
        """The first images, on one sheet."""
        return self.path / "contact_sheet.png"


ARTIFACTS: tuple[type[Artifact], ...] = (Examples, HyperParameters, Model, ModelEvaluation, Generator, ImageSet)


def open_artifact(path: Path) -> Artifact:
    """Opens a folder as the artifact that its manifest says it is.

    Raises:
        DataError: The folder has no manifest, or one of no known type.
    """
    try:
        found = json.loads((path / MANIFEST).read_bytes())["type"]
    except FileNotFoundError:
        raise DataError(f"{path}: expected an artifact, found no {MANIFEST}") from None
    except (ValueError, KeyError, TypeError):
        raise DataError(f"{path / MANIFEST}: expected a manifest, found something else") from None
    for artifact in ARTIFACTS:
        if found == artifact.TYPE:
            return artifact(path)
    known = ", ".join(artifact.TYPE for artifact in ARTIFACTS)
    raise DataError(f"{path / MANIFEST}: expected a type among {known}, found {found!r}")


def _names(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


def _first(error: Exception) -> str:
    return error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error).splitlines()[0]
