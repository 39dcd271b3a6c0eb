"""The model card: Mitchell et al. 2019, "Model Cards for Model Reporting", in the form that model hubs read."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from components.reporting.html import templates
from components.reporting.numbers import with_interval
from models.vae import VAE
from schemas.artifacts.kinds import Model, ModelEvaluation
from schemas.artifacts.records import Statistics
from schemas.recipe.settings import ExportSettings

SHOWN = 20  # labels in the card


def model_card(
    vae: VAE,
    *,
    model: Model,
    statistics: Statistics,
    evaluation: ModelEvaluation,
    settings: ExportSettings,
    infra: dict[str, Any],
) -> str:
    """Return the model card, in Markdown.

    Args:
        vae: The model.
        model: The artifact of the model.
        statistics: Statistics of the images that it was trained on.
        evaluation: Evaluation of the model.
        settings: Settings of the export.
        infra: Time and memory of each form, by its name.
    """
    recipe, trained = model.manifest.recipe, model.manifest
    height, width, channels = vae.image_shape
    labels = ", ".join(vae.labels[:SHOWN]) + (
        f" and {len(vae.labels) - SHOWN:,} more" if len(vae.labels) > SHOWN else ""
    )
    return (
        templates(Path(__file__).parent, html=False)
        .get_template("model_card.md.j2")
        .render(
            name=recipe["name"],
            title=recipe["title"] or recipe["name"],
            about=" ".join((recipe["data"] or {}).get("about", "").split()),
            kinds=sorted({source["kind"] for source in recipe["sources"]}),
            licence=settings.export.licence,
            license=_yaml_text(settings.export.licence or "unknown"),
            shape=f"{height}×{width}×{channels}",
            latent_dim=vae.latent_dim,
            conditional=vae.conditional,
            sharp=vae.sharp_decoder is not None,
            labels=labels,
            network=trained.settings["model"]["network"],
            likelihood=trained.settings["loss"]["likelihood"],
            counts=statistics.images,
            epochs=trained.counts["epochs"],
            version=trained.versions["latent-mill"],
            digests={
                "Examples": trained.inputs["Examples"],
                **({"the Model that it started from": start} if (start := trained.inputs.get("start_from")) else {}),
                "Model": trained.digest,
                "ModelEvaluation": evaluation.digest,
            },
            evaluation=json.loads(evaluation.metrics_path.read_bytes()),
            infra=infra,
            kernel=_kernel,
        )
    )


def _kernel(side: dict[str, Any]) -> str:
    """Return the kernel distance of a side of a comparison in `metrics.json`, rounded as its 95% interval allows."""
    kernel = side["kernel"]
    return with_interval(kernel["value"], kernel.get("low"), kernel.get("high"))[0]


def _yaml_text(text: str) -> str:
    """Return a text as YAML of the card's head: as it is where it is a plain identifier, otherwise in quotes."""
    return text if re.fullmatch(r"[A-Za-z][\w.+-]*", text, re.ASCII) else json.dumps(text)
