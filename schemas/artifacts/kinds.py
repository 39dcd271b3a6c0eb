"""The six artifacts: folders that describe themselves, are whole or not there, and can be verified.

An artifact is written in a staging folder (`schemas.artifacts.staging`) and renamed when it is whole. ``manifest.json``,
written last, holds the digests of its inputs, the settings that were read, and size and sha256 of every file. The manifests'
digests form the lineage, from a generated image back to the images that the model was trained on.
"""

from __future__ import annotations

import json
from pathlib import Path

from schemas.artifacts.generator import Description
from schemas.artifacts.manifest import MANIFEST, Artifact
from schemas.errors import DataError


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
        """The file of shapes, counts, moments and constants (`schemas.artifacts.records.Statistics`)."""
        return self.path / "statistics.json"

    @property
    def schema_path(self) -> Path:
        """The tensorflow-metadata schema of a record."""
        return self.path / "schema.pbtxt"

    @property
    def images_path(self) -> Path:
        """A row per image (`schemas.artifacts.tables.IMAGES`)."""
        return self.path / "images.parquet"

    @property
    def contact_sheet_path(self) -> Path:
        """Some training images, as the network sees them."""
        return self.path / "contact_sheet.png"

    @property
    def duplicates_path(self) -> Path:
        """A row per image that was left out because another has the same bytes (`schemas.artifacts.tables.DUPLICATES`)."""
        return self.path / "duplicates.parquet"

    @property
    def rejected_path(self) -> Path:
        """A row per image that could not be used (`schemas.artifacts.tables.REJECTED`)."""
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
        """A row per trial (`schemas.artifacts.tables.trials_schema`)."""
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
        """A row per epoch (`schemas.artifacts.tables.HISTORY`)."""
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
    def other_samplers_path(self) -> Path:
        """The others that were tried, a file like that of each, named after its kind; none of training images' codes."""
        return self.path / "other_samplers"

    @property
    def figures_path(self) -> Path:
        """The report's figures as PNG files."""
        return self.path / "figures"


class Generator(Artifact):
    """A model in the form in which others load it."""

    TYPE = "Generator"
    VOLATILE = ("infra.json", "README.md")  # both say what decoding took on one machine

    @property
    def saved_model_path(self) -> Path:
        """TensorFlow's SavedModel."""
        return self.path / "saved_model"

    @property
    def labels_path(self) -> Path:
        """Names of a conditional generator's labels, a JSON list; within the SavedModel, which knows their numbers."""
        return self.saved_model_path / "assets.extra" / "labels.json"

    def sampler_path(self, kind: str) -> Path:
        """A sampler of codes, in the form of `ModelEvaluation.sampler_path`: the one in the SavedModel, and the other ones."""
        return self.path / "samplers" / f"{kind}.npz"

    @property
    def description_path(self) -> Path:
        """What whoever asks it needs to know: a `schemas.artifacts.generator.Description`."""
        return self.path / "generator.json"

    def describe(self) -> Description:
        """What it says of itself.

        Raises:
            DataError: It does not say.
        """
        try:
            return Description.model_validate_json(self.description_path.read_bytes())
        except (OSError, ValueError) as error:
            said = str(error).splitlines()[0]
            raise DataError(
                f"{self.description_path}: expected what a generator says of itself, found something else ({said}); to make "
                f"it again, remove {self.path}"
            ) from None

    @property
    def parity_path(self) -> Path:
        """How far each form, loaded in a fresh process, is from the Keras model."""
        return self.path / "parity.json"

    @property
    def infra_path(self) -> Path:
        """Time and memory that each form took where it was exported."""
        return self.path / "infra.json"

    @property
    def card_path(self) -> Path:
        """The model card: what it was trained on, how good it is, how to load it."""
        return self.path / "README.md"


class ImageSet(Artifact):
    """Synthetic images, and a table that says of each where it came from."""

    TYPE = "ImageSet"

    @property
    def metadata_path(self) -> Path:
        """A row per image (`schemas.artifacts.tables.GENERATED`)."""
        return self.path / "metadata.parquet"

    @property
    def dropped_path(self) -> Path:
        """A row per image that a filter left out (`schemas.artifacts.tables.DROPPED`), where there is a filter."""
        return self.path / "dropped.parquet"

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
