"""The page of a comparison: one HTML file that needs no other."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from components.images.contact_sheet import pillow_images
from components.images.sheets import Layout, lay_out
from components.reporting.console import counted
from components.reporting.html import png_url, templates
from components.reporting.numbers import fixed
from pipeline.tools.compare.codes import draw_codes
from pipeline.tools.compare.images import Outputs, SharedImages
from pipeline.tools.compare.metrics import Group
from pipeline.tools.compare.process import COUNT, SEED
from pipeline.tools.compare.runs import Run
from pipeline.tools.compare.verdict import listed

CELL = 112  # pixels of an image in a row, about, where it is smaller
LARGEST = 192  # pixels of one that is larger
MARKS = {  # a shape and a word, so that no meaning depends on colour
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
    "flow": "a flow fitted to the training images’ codes",
    "posterior": "the posteriors of training images",
}


@dataclass(frozen=True)
class Strip:
    """Images in a row.

    Attributes:
        name: Its heading.
        note: More about it.
        alt: Description for a screen reader.
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
    test_images: SharedImages | None,
    outputs: Sequence[Outputs],
    folder: Path,
) -> str:
    """Return the page. It names no date: the same runs give the same bytes.

    Args:
        runs: In the order of the columns.
        groups: Of figures.
        summary: The sentences at the top.
        test_images: Test images that the generators were shown.
        outputs: Of the generators.
        folder: Where the page will be, for links to the runs' reports.
    """
    keys = list(dict.fromkeys(key for run in runs for key in run.settings))
    sections = list(dict.fromkeys(key.partition(".")[0] for key in keys))
    keys.sort(key=lambda key: sections.index(key.partition(".")[0]))  # keys of one recipe alone stand in their section
    rows = [(key, [run.settings.get(key) for run in runs]) for key in keys]
    scatter = draw_codes(outputs, test_images)
    return (
        templates(Path(__file__).parent)
        .get_template("compare.html.j2")
        .render(
            names=[run.name for run in runs],
            heading=f"{listed([run.name for run in runs])}, side by side",
            summary=summary,
            facts=_facts(runs),
            reports=[_link(run, folder=folder) for run in runs],
            groups=groups,
            marks=MARKS,
            which_images=_which_images(test_images),
            reconstructions=_reconstructions(test_images, outputs),
            scatter=None if scatter is None else {"source": png_url(scatter.png), "alt": scatter.alt},
            codes=_decoded(outputs),
            samples=[
                _strip(
                    f"{output.run.name}: from {_sampler(output.run)}",
                    output.sampled,
                    alt=f"New images by {output.run.name}",
                )
                for output in outputs
            ],
            seed=SEED,
            missing=[
                *(f"Nothing by {run.name}: {run.no_generator}." for run in runs if run.no_generator),
                *(
                    f"Nothing by {output.run.name}: {output.inputs.note}."
                    for output in outputs
                    if output.inputs.images is None and test_images
                ),
            ],
            different=[row for row in rows if len(set(row[1])) > 1],
            alike=[(key, values[0]) for key, values in rows if len(set(values)) == 1],
        )
    )


def _facts(runs: Sequence[Run]) -> list[tuple[str, list[str]]]:
    """Return rows of the table that introduces the runs."""

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
    """Return the link from the page to a run's report."""
    return quote(os.path.relpath((run.path / "evaluation" / "report.html").resolve(), folder.resolve()))


def _which_images(test_images: SharedImages | None) -> str:
    """Say which images are shown, in a sentence."""
    if test_images is None:
        return "None can be shown: no run has its Examples any more."
    count = min(COUNT, len(test_images.images))
    images = "The only test image" if count == 1 else f"The first {count} test images"
    skipped = test_images.skipped and f",{test_images.skipped}"
    return f"{images} of {test_images.run.name}, in the order in which they are stored{skipped}."


def _reconstructions(test_images: SharedImages | None, outputs: Sequence[Outputs]) -> list[Strip]:
    """Return the originals, then each run's reconstructions, after the pixels that it sees where these differ."""
    with_images = [(output, output.inputs.images) for output in outputs if output.inputs.images is not None]
    if test_images is None or not with_images:
        return []
    originals = test_images.first(COUNT).images
    strips = [_strip("The images", originals, alt=f"Test images of {test_images.run.name}")]
    for output, images in with_images:
        name = output.run.name
        if output.inputs.note:
            alt = f"The same images as {name} sees them"
            strips.append(_strip(f"As {name} sees them", images, alt=alt, note=output.inputs.note))
        error = float(np.mean((images.astype(float) - output.reconstructed) ** 2)) / 255**2
        count_note = f" of these {len(originals)}" if len(originals) > 1 else ""
        note = f"MSE{count_note}: {fixed(error, decimals=4)}"
        strips.append(_strip(name, output.reconstructed, alt=f"Reconstructions by {name}, {note}", note=note))
    return strips


def _decoded(outputs: Sequence[Outputs]) -> list[tuple[str, list[Strip]]]:
    """Return, for each number of dimensions, a heading and each run's images of the same codes."""
    groups: dict[int, list[Outputs]] = {}
    for output in outputs:
        groups.setdefault(output.latent_dim, []).append(output)
    return [
        (
            f"{counted(dims, 'dimension')}: "
            + (listed([output.run.name for output in group]) if len(group) > 1 else f"{group[0].run.name} alone"),
            [
                _strip(
                    output.run.name,
                    output.decoded,
                    alt=f"Decoded by {output.run.name}",
                    note=_outside_prior(output.run),
                )
                for output in group
            ],
        )
        for dims, group in groups.items()
    ]


def _outside_prior(run: Run) -> str:
    """Say why a run's codes do not lie in N(0, I); "" where they should."""
    if run.setting("loss.kl") == "none":
        return "A plain autoencoder: nothing draws its codes to N(0, I)."
    if run.setting("model.prior_components") not in ("", "0"):
        return "Its prior is a mixture that it learned, so its codes lie elsewhere than N(0, I)."
    return "Of labels that were drawn by their shares." if run.setting("model.conditional") == "true" else ""


def _sampler(run: Run) -> str:
    kind = run.metrics.get("samplers", {}).get("chosen")
    return _SAMPLERS.get(str(kind), "its own sampler")


def _strip(name: str, images: NDArray[np.uint8], *, alt: str, note: str = "") -> Strip:
    count = f"{counted(len(images), 'image')} in a row"
    return Strip(name=name, note=note, alt=f"{alt}: {count}", source=png_url(_row(images)))


def _row(images: NDArray[np.uint8]) -> bytes:
    """Return a PNG of images side by side, transparent between them; small ones are enlarged by a whole number."""
    cells = [image.convert("RGBA") for image in pillow_images(images)]
    width, height = cells[0].size
    if max(width, height) > LARGEST:
        scale = LARGEST / max(width, height)
        size, resampling = (max(1, round(width * scale)), max(1, round(height * scale))), Image.Resampling.LANCZOS
    else:
        factor = max(1, round(CELL / width))
        size, resampling = (width * factor, height * factor), Image.Resampling.NEAREST
    pixels = np.stack([np.asarray(cell.resize(size, resampling)) for cell in cells])
    layout = Layout(len(cells), len(cells), height=size[1], width=size[0], gap=max(1, round(size[0] * 0.04)))
    stream = io.BytesIO()
    Image.fromarray(lay_out(pixels, layout, background=0, channels=4)).save(stream, format="PNG")
    return stream.getvalue()
