"""What stands beside a generator's forms: what it says of itself, and its samplers of codes."""

from __future__ import annotations

from collections.abc import Sequence

from components.latents.sampler_file import save_sampler
from models.code_samplers import CodeSampler
from models.vae import VAE
from schemas import atomic
from schemas.artifacts.generator import Description
from schemas.artifacts.kinds import Generator


def describe(vae: VAE, generator: Generator, *, sampler: CodeSampler, others: Sequence[CodeSampler] = ()) -> None:
    """Writes both.

    Args:
        vae: The model.
        generator: Where files go.
        sampler: Of the codes that signatures draw.
        others: That are handed on, too.
    """
    for each in (sampler, *others):
        save_sampler(each, generator.sampler_path(each.kind))
    description = Description(
        sampler=sampler.kind,
        other_samplers=tuple(other.kind for other in others),
        latent_dim=vae.latent_dim,
        image_shape=vae.image_shape,
        labels=vae.labels,
        label_shares=vae.label_shares,
    )
    atomic.write_text(generator.description_path, description.model_dump_json(indent=1) + "\n")
