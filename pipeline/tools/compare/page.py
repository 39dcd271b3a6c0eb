"""The page of a comparison: one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import jinja2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from components.images.contact_sheet import pillow_images
from pipeline.tools.compare.images import Chosen, Made
from pipeline.tools.compare.metrics import Group
from pipeline.tools.compare.process import SEED
from pipeline.tools.compare.runs import Run
from pipeline.tools.compare.verdict import listed

CELL = 112  # pixels of an image in a row, about, where it is smaller
LARGEST = 192  # pixels of one that is larger
MARKS = {  # a shape and a word, so that nothing is told by colour alone
    "best": "★ best",
    "first": "☆ first",
    "level": "≈ level",
    "behind": "▽ behind",
    "after": "▷ after",
    "same": "= same",
    "": "",
}
_SAMPLERS = {
    "normal": "the normal distribution N(0, I)",
    "prior": "the mixture that the model learned as its prior",
    "uniform": "the box that the training images’ codes span",
    "mixture": "a Gaussian mixture fitted to the training images’ codes",
    "posterior": "the posteriors of training images",
}


@dataclass(frozen=True)
class Strip:
    """Images in a row.

    Attributes:
        name: What stands above it.
        note: What else there is to say.
        alt: What a screen reader says.
        source: The PNG, as a data URL.
    """

    name: str
    note: str
    alt: str
    source: str


def render(
    runs: Sequence[Run],
    groups: Sequence[Group],
    *,
    summary: str,
    chosen: Chosen | None,
    made: Sequence[Made],
    folder: Path,
) -> str:
    """The page. It names no date: the same runs make the same bytes.

    Args:
        runs: In the order of the columns.
        groups: Of figures.
        summary: The sentences at the top.
        chosen: Test images that were shown.
        made: What generators made.
        folder: Where the page will be, for links to the runs' reports.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    keys = list(dict.fromkeys(key for run in runs for key in run.settings))
    sections = list(dict.fromkeys(key.partition(".")[0] for key in keys))
    keys.sort(key=lambda key: sections.index(key.partition(".")[0]))  # what one recipe alone has, beside its section
    rows = [(key, [run.settings.get(key) for run in runs]) for key in keys]
    return environment.get_template("compare.html.j2").render(
        names=[run.name for run in runs],
        heading=f"{listed([run.name for run in runs])}, side by side",
        summary=summary,
        facts=_facts(runs),
        reports=[_link(run, folder=folder) for run in runs],
        groups=groups,
        marks=MARKS,
        shown=_shown(chosen),
        reconstructions=_reconstructions(chosen, made),
        codes=_codes(made),
        samples=[
            _strip(f"{each.run.name}: from {_sampler(each.run)}", each.sampled, what=f"New images by {each.run.name}")
            for each in made
        ],
        seed=SEED,
        without=[
            *(f"Nothing by {run.name}: {run.no_pictures}." for run in runs if run.no_pictures),
            *(f"Nothing by {each.run.name}: {each.note}." for each in made if each.saw is None and chosen),
        ],
        different=[row for row in rows if len(set(row[1])) > 1],
        alike=[(key, values[0]) for key, values in rows if len(set(values)) == 1],
    )


def _facts(runs: Sequence[Run]) -> list[tuple[str, list[str]]]:
    """What the runs are: rows of a table."""

    def size(run: Run) -> str:
        colour = "grey" if run.setting("preprocess.channels") == "1" else "RGB"
        return f"{run.setting('preprocess.width')} × {run.setting('preprocess.height')}, {colour}"

    return [
        ("Title", [run.title for run in runs]),
        ("Images", [size(run) for run in runs]),
        ("Test images", [f"{run.metrics['images']:,}" for run in runs]),
        ("Network", [run.setting("model.network") for run in runs]),
        ("Latent dimensions", [str(run.metrics.get("latent", {}).get("dimensions", "–")) for run in runs]),
        ("Likelihood", [run.setting("loss.likelihood") for run in runs]),
        ("Examples", [run.evaluation.inputs["Examples"][:12] for run in runs]),
        ("Model", [run.evaluation.inputs["Model"][:12] for run in runs]),
    ]


def _link(run: Run, *, folder: Path) -> str:
    """From the page to a run's report."""
    return quote(os.path.relpath((run.path / "evaluation" / "report.html").resolve(), folder.resolve()))


def _shown(chosen: Chosen | None) -> str:
    """Which images were shown, as a sentence."""
    if chosen is None:
        return "None can be shown: no run has its Examples any more."
    images = "The only test image" if len(chosen.images) == 1 else f"The first {len(chosen.images)} test images"
    return (
        f"{images} of {chosen.run.name}, in the order in which they are stored{chosen.passed and ',' + chosen.passed}."
    )


def _reconstructions(chosen: Chosen | None, made: Sequence[Made]) -> list[Strip]:
    """The originals, then of each run what it makes of them; where it saw other pixels, these before."""
    if chosen is None or all(each.saw is None for each in made):
        return []
    count = len(chosen.images)
    strips = [_strip("The images", chosen.images, what=f"Test images of {chosen.run.name}")]
    for each in made:
        if each.saw is None:
            continue
        name = each.run.name
        if each.saw is not chosen.images:
            strips.append(
                _strip(f"As {name} sees them", each.saw, what=f"The same images as {name} sees them", note=each.note)
            )
        error = float(np.mean((each.saw.astype(float) - each.reconstructed) ** 2)) / 255**2
        note = f"MSE of these {count}: {error:.4f}" if count > 1 else f"MSE: {error:.4f}"
        strips.append(_strip(name, each.reconstructed, what=f"Reconstructions by {name}, {note}", note=note))
    return strips


def _codes(made: Sequence[Made]) -> list[tuple[str, list[Strip]]]:
    """For each number of dimensions: a heading, and of each run what it makes of the same codes."""
    groups: dict[int, list[Made]] = {}
    for each in made:
        groups.setdefault(each.latent_dim, []).append(each)
    return [
        (
            f"{dims:,} {'dimension' if dims == 1 else 'dimensions'}: "
            + (listed([each.run.name for each in group]) if len(group) > 1 else f"{group[0].run.name} alone"),
            [
                _strip(each.run.name, each.decoded, what=f"Decoded by {each.run.name}", note=_beyond(each.run))
                for each in group
            ],
        )
        for dims, group in groups.items()
    ]


def _beyond(run: Run) -> str:
    """Why N(0, I) is not where a run's codes lie; "" where it should be."""
    if run.setting("loss.kl") == "none":
        return "A plain autoencoder: nothing draws its codes to N(0, I)."
    if run.setting("model.prior_components") not in ("", "0"):
        return "Its prior is a mixture that it learned, so its codes lie elsewhere than N(0, I)."
    return "Of labels that were drawn by their shares." if run.setting("model.conditional") == "true" else ""


def _sampler(run: Run) -> str:
    kind = run.metrics.get("samplers", {}).get("chosen")
    return _SAMPLERS.get(str(kind), "its own sampler")


def _strip(name: str, images: NDArray[np.uint8], *, what: str, note: str = "") -> Strip:
    count = f"{len(images)} image{'' if len(images) == 1 else 's'} in a row"
    return Strip(name=name, note=note, alt=f"{what}: {count}", source=_data_url(_row(images)))


def _row(images: NDArray[np.uint8]) -> Image.Image:
    """Images side by side, nothing between them: small ones enlarged by a whole number, large ones shrunk."""
    cells = [image.convert("RGB") for image in pillow_images(images)]
    width, height = cells[0].size
    if max(width, height) > LARGEST:
        scale = LARGEST / max(width, height)
        size, how = (max(1, round(width * scale)), max(1, round(height * scale))), Image.Resampling.LANCZOS
    else:
        factor = max(1, round(CELL / width))
        size, how = (width * factor, height * factor), Image.Resampling.NEAREST
    gap = max(1, round(size[0] * 0.04))
    row = Image.new("RGBA", (len(cells) * (size[0] + gap) - gap, size[1]), (0, 0, 0, 0))
    for number, cell in enumerate(cells):
        row.paste(cell.resize(size, how), (number * (size[0] + gap), 0))
    return row


def _data_url(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
