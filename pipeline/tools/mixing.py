"""What a recipe's generator sees between two of a person's own images: along the straight line between their codes.

`mix` and `interpolate` are front doors of what `generate` does with `generate.between`, and draw what comes of it.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from components.images.contact_sheet import contact_sheet, pillow_images
from components.images.prepare import prepare_image, preprocess_of
from components.images.rejected import Rejected
from components.reporting.console import console
from pipeline.core.chain import artifact_path
from pipeline.recipes.load import load_recipe
from pipeline.tools.small_set import make_set
from schemas import atomic
from schemas.artifacts.kinds import Generator
from schemas.errors import DataError, UsageError
from schemas.recipe.preprocess import PreprocessSettings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Images = NDArray[np.uint8]  # [n, H, W, C]

MOST_STEPS = 256
MOST_LABELS = 20  # in an error line
ARRAY = "images.npy"  # of a set of the format npy
MIX_WIDTH = 1500  # pixels of the five images of a mix together, about
FRAME_SIDE = 256  # pixels: smaller frames are enlarged to about this
FRAME_TIME, END_TIME = 80, 640  # milliseconds that a frame, and an end of the line, is shown


def mix(first: Path, second: Path, *, label: str | None, recipe: str, runs: Path, out: Path | None) -> None:
    """Writes one PNG: two images, what the network makes of them, and the decoded mean of their codes.

    Args:
        first: A file of any size that ingest could read; so is `second`.
        second: The other.
        label: Of the decoded images, for a model that takes labels.
        recipe: Name or path of the recipe, whose generator there has to be.
        runs: Folder of all runs.
        out: The PNG. Default: ``mix-<first>-<second>.png`` in the current folder.

    Raises:
        UsageError: A file is no image, or `out` cannot be used.
        DataError: There is no generator, or it is not what its manifest says.
        StageFailed: TensorFlow's process ended without images.
    """
    sheet = _png_path(out, default=f"mix-{first.stem}-{second.stem}.png")
    _spare_inputs([sheet], [first, second])
    images, decoded = _decode(first, second, steps=3, label=label, recipe=recipe, runs=runs, command="mix")

    def save(path: Path) -> None:
        from components.reporting.style import save as save_figure

        save_figure(mix_figure(images, decoded, names=(first.name, second.name)), path)

    _write({sheet: save})


def interpolate(
    first: Path, second: Path, *, steps: int, gif: bool, label: str | None, recipe: str, runs: Path, out: Path | None
) -> None:
    """Writes a strip of `steps` images along the line between two codes, as a PNG, ends included.

    Args:
        first: Where the line begins.
        second: Where it ends.
        steps: Images on the strip, 2 to 256.
        gif: Also write an animation that goes there and back, under the PNG's name with ``.gif``.
        label: As for `mix`.
        recipe: As for `mix`.
        runs: As for `mix`.
        out: The PNG. Default: ``interpolate-<first>-<second>.png`` in the current folder.

    Raises:
        UsageError, DataError, StageFailed: As for `mix`.
    """
    if not 2 <= steps <= MOST_STEPS:
        raise UsageError(f"--steps: expected 2 to {MOST_STEPS}, found {steps}")
    strip = _png_path(out, default=f"interpolate-{first.stem}-{second.stem}.png")
    animation = strip.with_suffix(".gif")
    _spare_inputs([strip, animation] if gif else [strip], [first, second])
    _, decoded = _decode(first, second, steps=steps, label=label, recipe=recipe, runs=runs, command="interpolate")

    def save_strip(path: Path) -> None:
        with atomic.replacing(path) as temporary:
            contact_sheet(pillow_images(decoded)).save(temporary, format="PNG")

    def save_animation(path: Path) -> None:
        with atomic.replacing(path) as temporary:
            frames, times = there_and_back(decoded)
            frames[0].save(
                temporary, format="GIF", save_all=True, append_images=frames[1:], duration=times, loop=0, disposal=1
            )

    _write({strip: save_strip} | ({animation: save_animation} if gif else {}))


def seen(path: Path, preprocess: PreprocessSettings) -> Images:
    """A file as the network sees it when it is judged: [H, W, C].

    Raises:
        UsageError: It is not there, or no image that can be used.
    """
    if not path.is_file():
        found = "a folder" if path.is_dir() else "no such file"
        raise UsageError(f"{path}: expected an image, found {found}")
    try:
        return prepare_image(path.read_bytes(), preprocess)
    except Rejected as error:
        raise UsageError(f"{path}: expected an image, found none that can be used ({error})") from None


def mix_figure(originals: Images, decoded: Images, *, names: Sequence[str]) -> Figure:
    """Draws a mix: in a row the first image, its reconstruction, halfway, the second's reconstruction, the second.

    Each pixel is a square of whole pixels.

    Args:
        originals: The two as the network sees them: [2, H, W, C].
        decoded: First, halfway, second: [3, H, W, C].
        names: Of the two.
    """
    from components.reporting import style

    cells = np.stack([originals[0], *decoded, originals[1]])
    factor = max(1, round(MIX_WIDTH / (len(cells) * cells.shape[2])))
    cells = cells.repeat(factor, axis=1).repeat(factor, axis=2)
    _, height, width, _ = cells.shape
    narrow, wide = max(2, width // 25), max(4, width // 6)  # between decoded images, and beside the originals
    lefts = np.cumsum([0, width + wide, width + narrow, width + narrow, width + wide])
    dpi = float(lefts[-1] + width) / (style.WIDE - 2 * style.MARGIN)
    margin, label = round(style.MARGIN * dpi), round(0.3 * dpi)
    sheet = np.full((height + label + margin // 2, lefts[-1] + width + 2 * margin, 3), 255, np.uint8)
    labels = [style.shortened(name, length=18) for name in names]
    with style.styled():
        figure = style.blank(len(sheet) / dpi, width=style.WIDE, dpi=dpi)
        for left, cell, text in zip(lefts, cells, [labels[0], "decoded", "halfway", "decoded", labels[1]], strict=True):
            sheet[:height, margin + left : margin + left + width] = cell  # grey repeats over RGB
            x, y = margin + left + width / 2, len(sheet) - height - 0.08 * dpi
            _label(figure, text, x=x, y=y, colour=style.MUTED)
        figure.figimage(sheet, xo=0, yo=0)
        subtitle = (
            "Outside: as the network sees them. Inside: decoded from their codes, and from the mean of both codes."
        )
        style.head(figure, "Halfway between two images", subtitle)
    return figure


def there_and_back(images: Images) -> tuple[list[Image.Image], list[int]]:
    """Frames of an animation from the first image to the last and back, and how long each is shown, in milliseconds.

    Small images are enlarged by a whole number, so that pixels stay sharp.
    """
    factor = max(1, FRAME_SIDE // max(images.shape[1:3]))
    there = pillow_images(images.repeat(factor, axis=1).repeat(factor, axis=2))
    between = [FRAME_TIME] * (len(there) - 2)
    return there + there[-2:0:-1], [END_TIME, *between, END_TIME, *between]


def _decode(
    first: Path, second: Path, *, steps: int, label: str | None, recipe: str, runs: Path, command: str
) -> tuple[Images, Images]:
    """Return the two images as the network sees them, and `steps` images on the line between their codes."""
    generator = Generator(artifact_path(load_recipe(recipe), Generator, runs=runs))
    if not generator.exists:
        raise DataError(f"{generator.path}: expected a Generator, found none; run make export RECIPE={recipe}")
    if generator.labels_path.exists() and label is None:
        names = ", ".join(json.loads(generator.labels_path.read_bytes())[:MOST_LABELS])
        raise UsageError(f"{command}: expected --label for a model that takes labels, one of {names}, found none")
    preprocess = preprocess_of(generator)
    images = np.stack([seen(path, preprocess) for path in (first, second)])
    with console.status("decoding"), tempfile.TemporaryDirectory() as folder:
        ends = Path(folder, "ends")
        ends.mkdir()
        for number, path in enumerate((first, second)):  # in this order
            shutil.copyfile(path, ends / f"{number}{path.suffix}")
        settings = {"between": str(ends), "steps": steps, "label": label, "format": "npy"}
        made = make_set(generator, settings, folder=Path(folder), command=command)
        return images, np.load(made.path / ARRAY, allow_pickle=False)


def _png_path(out: Path | None, *, default: str) -> Path:
    path = Path(default) if out is None else out
    if path.suffix.lower() != ".png":
        raise UsageError(f"--out {path}: expected a name that ends in .png, found {path.name}")
    return path


def _spare_inputs(outputs: list[Path], inputs: list[Path]) -> None:
    """Raises UsageError where an image that was given would be replaced."""
    for path in outputs:
        if path.exists() and any(given.exists() and path.samefile(given) for given in inputs):
            raise UsageError(f"{path}: expected a name for the result, found one of the images given; set --out")


def _write(files: Mapping[Path, Callable[[Path], None]]) -> None:
    """Writes each file by its function, and says so in one line."""
    # One line, which does not hide that something was there.
    verb = "replaced" if any(path.exists() for path in files) else "wrote"
    for path, save in files.items():
        save(path)
    console.print(f"{verb} {' and '.join(map(str, files))}", markup=False)


def _label(figure: Any, text: str, *, x: float, y: float, colour: str) -> None:
    """Writes a label below the point (x, y), in pixels from the lower left."""
    from matplotlib.transforms import IdentityTransform

    figure.text(
        x, y, text, transform=IdentityTransform(), fontsize=9, color=colour, ha="center", va="top", parse_math=False
    )
