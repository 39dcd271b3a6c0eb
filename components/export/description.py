"""The files beside a generator's forms: its description, and its samplers of codes."""

from __future__ import annotations

from collections.abc import Sequence

from components.latents.sampler_file import save_sampler
from models.code_samplers import CodeSampler
from models.vae import VAE
from schemas import atomic
from schemas.artifacts.generator import Description
from schemas.artifacts.kinds import Generator


def write_description(
    vae: VAE, generator: Generator, *, sampler: CodeSampler, others: Sequence[CodeSampler] = ()
) -> None:
    """Write the description and the samplers.

    Args:
        vae: The model.
        generator: Generator whose folder the files go to.
        sampler: Sampler of the codes that the signatures draw.
        others: Samplers to write beside it.
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
