"""The six types of artifacts, and the paths of their files.

An artifact is written in a staging folder (`schemas.artifacts.staging`) and renamed when it is whole. ``manifest.json``,
written last, holds the digests of its inputs, the settings that were read, and size and sha256 of every file. The digests in
the manifests form the lineage, from a generated image back to the images that the model was trained on.
"""

from __future__ import annotations

import json
from pathlib import Path

from schemas.artifacts.generator import Description
from schemas.artifacts.manifest import MANIFEST, Artifact
from schemas.errors import DataError
from schemas.paths import found_at


class Examples(Artifact):
    """Images as the network reads them: TFRecord shards per split, schema, statistics and tables."""

    TYPE = "Examples"

    def split(self, name: str) -> Path:
        """Return the folder of a split's shards."""
        return self.path / f"Split-{name}"

    def shards(self, split: str) -> list[Path]:
        """Return the TFRecord files of a split, in order."""
        return sorted(self.split(split).glob("data_tfrecord-*"))

    @property
    def statistics_path(self) -> Path:
        """The file of shapes, counts, moments and constants (`schemas.artifacts.records.Statistics`)."""
        return self.path / "statistics.json"

    @property
    def schema_path(self) -> Path:
        """The tensorflow-metadata schema of the records."""
        return self.path / "schema.pbtxt"

    @property
    def images_path(self) -> Path:
        """The table of images (`schemas.artifacts.tables.IMAGES`)."""
        return self.path / "images.parquet"

    @property
    def contact_sheet_path(self) -> Path:
        """A sheet of some training images, as the network sees them."""
        return self.path / "contact_sheet.png"

    @property
    def duplicates_path(self) -> Path:
        """The table of images left out because another has the same bytes (`schemas.artifacts.tables.DUPLICATES`)."""
        return self.path / "duplicates.parquet"

    @property
    def rejected_path(self) -> Path:
        """The table of images that could not be used (`schemas.artifacts.tables.REJECTED`)."""
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
        """The table of trials (`schemas.artifacts.tables.trials_schema`)."""
        return self.path / "trials.parquet"

    @property
    def summary_path(self) -> Path:
        """The summary: which trial won, by how much, which settings mattered, and whether more search would help."""
        return self.path / "summary.json"

    @property
    def figure_path(self) -> Path:
        """The figure of the search."""
        return self.path / "search.png"


class Model(Artifact):
    """A trained variational autoencoder."""

    TYPE = "Model"
    VOLATILE = ("logs/", "progress/")

    @property
    def vae_path(self) -> Path:
        """The Keras model with the best weights."""
        return self.path / "vae.keras"

    @property
    def history_path(self) -> Path:
        """The table of epochs (`schemas.artifacts.tables.HISTORY`)."""
        return self.path / "history.parquet"

    @property
    def sharpening_path(self) -> Path:
        """The figures of sharpening: a row per epoch, and why it ended early if it did. Only with `train.sharpen`."""
        return self.path / "sharpening.json"

    @property
    def logs_path(self) -> Path:
        """The folder of TensorBoard's event files."""
        return self.path / "logs"

    @property
    def progress_path(self) -> Path:
        """The folder of pictures of reconstructions and samples, one per epoch, and a film of them."""
        return self.path / "progress"


class ModelEvaluation(Artifact):
    """Measurements of how good a model is, on images that it has not seen."""

    TYPE = "ModelEvaluation"

    @property
    def metrics_path(self) -> Path:
        """Every metric, with value, standard error and unit."""
        return self.path / "metrics.json"

    @property
    def report_path(self) -> Path:
        """The report, one self-contained HTML file."""
        return self.path / "report.html"

    @property
    def sampler_path(self) -> Path:
        """The sampler chosen for codes of new images: its kind, and the arrays of a `models.code_samplers.CodeSampler`."""
        return self.path / "sampler.npz"

    @property
    def other_samplers_path(self) -> Path:
        """The folder of the other samplers, one file per kind, except those that hold codes of training images."""
        return self.path / "other_samplers"

    @property
    def figures_path(self) -> Path:
        """The folder of the report's figures, as PNG files."""
        return self.path / "figures"


class Generator(Artifact):
    """A model in the formats that other programs load."""

    TYPE = "Generator"
    VOLATILE = ("infra.json", "README.md")  # both hold times measured on one machine

    @property
    def saved_model_path(self) -> Path:
        """The folder of TensorFlow's SavedModel."""
        return self.path / "saved_model"

    @property
    def labels_path(self) -> Path:
        """The names of a conditional generator's labels, a JSON list inside the SavedModel, which takes their numbers."""
        return self.saved_model_path / "assets.extra" / "labels.json"

    def sampler_path(self, kind: str) -> Path:
        """Return the file of a sampler of codes, in the format of `ModelEvaluation.sampler_path`."""
        return self.path / "samplers" / f"{kind}.npz"

    @property
    def description_path(self) -> Path:
        """The description of the generator: a `schemas.artifacts.generator.Description`."""
        return self.path / "generator.json"

    def describe(self) -> Description:
        """Return the description of the generator.

        Raises:
            DataError: There is no description, or it cannot be read.
        """
        try:
            return Description.model_validate_json(self.description_path.read_bytes())
        except (OSError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise DataError(
                f"{self.description_path}: expected a generator's description, found something else ({reason}); to export it "
                f"again, remove {self.path}"
            ) from None

    @property
    def parity_path(self) -> Path:
        """The difference between each exported form, loaded in a new process, and the Keras model."""
        return self.path / "parity.json"

    @property
    def infra_path(self) -> Path:
        """The time and memory that each form took on the machine that exported it."""
        return self.path / "infra.json"

    @property
    def card_path(self) -> Path:
        """The model card: what the model was trained on, how good it is, how to load it."""
        return self.path / "README.md"


class ImageSet(Artifact):
    """Synthetic images, and a table of where each came from."""

    TYPE = "ImageSet"

    @property
    def metadata_path(self) -> Path:
        """The table of images (`schemas.artifacts.tables.GENERATED`)."""
        return self.path / "metadata.parquet"

    @property
    def dropped_path(self) -> Path:
        """The table of images that a filter left out (`schemas.artifacts.tables.DROPPED`), if there is a filter."""
        return self.path / "dropped.parquet"

    @property
    def contact_sheet_path(self) -> Path:
        """A sheet of the first images."""
        return self.path / "contact_sheet.png"


ARTIFACTS: tuple[type[Artifact], ...] = (Examples, HyperParameters, Model, ModelEvaluation, Generator, ImageSet)


def open_artifact(path: Path) -> Artifact:
    """Open a folder as an artifact of the type that its manifest names.

    Raises:
        DataError: The folder has no manifest, or one of no known type.
    """
    if not path.is_dir():
        raise DataError(f"{path}: expected the folder of an artifact, found {found_at(path)}")
    if not (path / MANIFEST).is_file():  # reading a pipe or a device would never end
        raise DataError(f"{path}: expected an artifact, found no {MANIFEST}")
    try:
        type_name = json.loads((path / MANIFEST).read_bytes())["type"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise DataError(f"{path / MANIFEST}: expected a manifest, found something else") from None
    for artifact in ARTIFACTS:
        if type_name == artifact.TYPE:
            return artifact(path)
    known = ", ".join(artifact.TYPE for artifact in ARTIFACTS)
    raise DataError(f"{path / MANIFEST}: expected a type among {known}, found {type_name!r}")
