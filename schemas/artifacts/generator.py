"""The description of a Generator, saved as its `generator.json`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

DRAWN = -1  # the generator draws a label for an image whose label is this number


class Description(BaseModel):
    """What a program needs to know to use a generator.

    Attributes:
        sampler: Kind of the sampler of codes in the SavedModel.
        other_samplers: Kinds of the other samplers, which are saved in files.
        latent_dim: D, the number of dimensions of a code.
        image_shape: (height, width, channels).
        labels: Names of the labels, in the order of their numbers; empty if the generator takes none.
        label_shares: Share of each label in the training images; they add up to 1.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    sampler: str
    other_samplers: tuple[str, ...] = ()
    latent_dim: int
    image_shape: tuple[int, int, int]
    labels: tuple[str, ...] = ()
    label_shares: tuple[float, ...] = ()

    @property
    def trained_labels(self) -> dict[str, int]:
        """Numbers of the labels that training images have, by name. Of the others, the generator makes nothing but noise."""
        shares = self.label_shares or (1.0,) * len(self.labels)
        return {label: number for number, label in enumerate(self.labels) if shares[number] > 0}
