"""What a Generator says of itself."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Description(BaseModel):
    """What whoever asks a generator needs to know.

    Attributes:
        sampler: Kind of the sampler of codes that is inside.
        other_samplers: Kinds of the others that are beside it.
        latent_dim: D, of a code.
        image_shape: (height, width, channels).
        labels: Names, by their numbers; empty where it takes none.
        label_shares: Of each in the training images; they add up to 1.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    sampler: str
    other_samplers: tuple[str, ...] = ()
    latent_dim: int
    image_shape: tuple[int, int, int]
    labels: tuple[str, ...] = ()
    label_shares: tuple[float, ...] = ()
