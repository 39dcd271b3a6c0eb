"""Draws the images between two of a person's own images, decoded from the straight line between their codes.

`mix` and `interpolate` let the generate stage decode them (its setting `between`), and draw the result.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from components.images.contact_sheet import contact_sheet, pillow_images
from components.images.prepare import prepare_image, preprocess_of
from components.images.rejected import Rejected
from components.images.sheets import enlarge
from components.reporting.console import console
from pipeline.core.chain import artifact_path
from pipeline.core.trust import expect_trusted
from pipeline.recipes.load import load_recipe
from pipeline.tools.small_set import make_set
from schemas import atomic
from schemas.artifacts.kinds import Generator
from schemas.errors import DataError, UsageError
from schemas.paths import found_at
from schemas.recipe.preprocess import PreprocessSettings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Images = NDArray[np.uint8]  # [n, H, W, C]

MOST_STEPS = 256
MOST_LABELS = 20  # in an error line
ARRAY = "images.npy"  # of a set of the format npy
MIX_WIDTH = 1500  # approximate width of the five images of a mix together, in pixels
FRAME_SIDE = 256  # pixels; smaller frames are enlarged to about this size
FRAME_TIME, END_TIME = 80, 640  # milliseconds for a frame, and for either end of the line


def mix(
    first: Path, second: Path, *, label: str | None, recipe: str, runs: Path, out: Path | None, trust: bool = False
) -> None:
    """Write one PNG: two images, their reconstructions, and the image decoded from the mean of their codes.

    Args:
        first: An image file of any size.
        second: Another one.
        label: Of the decoded images, for a model that takes labels.
        recipe: Name or path of the recipe; its generator must exist.
        runs: Folder of all runs.
        out: The PNG. Default: ``mix-<first>-<second>.png`` in the current folder.
        trust: Load the generator, even if this machine did not make it.

    Raises:
        UsageError: A file is no image, the label is missing, `out` cannot be used, or the generator is not trusted.
        DataError: The generator does not exist.
        StageFailed: The generate stage ended without images.
    """
    sheet = _png_path(out, default=f"mix-{first.stem}-{second.stem}.png")
    _check_outputs([sheet], [first, second])
    images, decoded = _decode(first, second, steps=3, label=label, recipe=recipe, runs=runs, command="mix", trust=trust)

    def save(path: Path) -> None:
        from components.reporting.style import save as save_figure

        save_figure(mix_figure(images, decoded, names=(first.name, second.name)), path)

    _write({sheet: save})


def interpolate(
    first: Path,
    second: Path,
    *,
    steps: int,
    gif: bool,
    label: str | None,
    recipe: str,
    runs: Path,
    out: Path | None,
    trust: bool = False,
) -> None:
    """Write a strip of `steps` images along the line between two codes, as a PNG, ends included.

    Args:
        first: The image at which the line begins.
        second: The image at which it ends.
        steps: Number of images, 2 to 256.
        gif: Write an animation, too, which goes there and back, under the PNG's name with ``.gif``.
        label: As for `mix`.
        recipe: As for `mix`.
        runs: As for `mix`.
        out: The PNG. Default: ``interpolate-<first>-<second>.png`` in the current folder.
        trust: As for `mix`.

    Raises:
        UsageError, DataError, StageFailed: As for `mix`.
    """
    if not 2 <= steps <= MOST_STEPS:
        raise UsageError(f"--steps: expected 2 to {MOST_STEPS}, found {steps}")
    strip = _png_path(out, default=f"interpolate-{first.stem}-{second.stem}.png")
    animation = strip.with_suffix(".gif")
    _check_outputs([strip, animation] if gif else [strip], [first, second])
    _, decoded = _decode(
        first, second, steps=steps, label=label, recipe=recipe, runs=runs, command="interpolate", trust=trust
    )

    def save_strip(path: Path) -> None:
        with atomic.replacing(path) as temporary:
            contact_sheet(pillow_images(decoded)).save(temporary, format="PNG")

    def save_animation(path: Path) -> None:
        with atomic.replacing(path) as temporary:
            frames, times = animation_frames(decoded)
            frames[0].save(
                temporary, format="GIF", save_all=True, append_images=frames[1:], duration=times, loop=0, disposal=1
            )

    _write({strip: save_strip} | ({animation: save_animation} if gif else {}))


def read_image(path: Path, preprocess: PreprocessSettings) -> Images:
    """Read an image file, and prepare it as for evaluation: [H, W, C].

    Raises:
        UsageError: The file does not exist, or is no image that can be used.
    """
    if not path.is_file():
        raise UsageError(f"{path}: expected an image, found {found_at(path)}")
    try:
        return prepare_image(path.read_bytes(), preprocess)
    except Rejected as error:
        raise UsageError(f"{path}: expected an image, found none that can be used ({error})") from None


def mix_figure(originals: Images, decoded: Images, *, names: Sequence[str]) -> Figure:
    """Draw a mix in a row: the first image, its reconstruction, halfway, the second's reconstruction, the second image.

    Each pixel becomes a square of whole pixels.

    Args:
        originals: The two images, prepared for the network: [2, H, W, C].
        decoded: The first, halfway, the second: [3, H, W, C].
        names: File names of the two.
    """
    from components.reporting.image_grid import image_grid
    from components.reporting.style import WIDE, head, styled

    cells = np.stack([originals[0], *decoded, originals[1]])
    cells = enlarge(cells, max(1, round(MIX_WIDTH / (len(cells) * cells.shape[2]))))
    with styled():
        labels = [names[0], "decoded", "halfway", "decoded", names[1]]
        figure = image_grid(cells, columns=len(cells), gap=0.06, inches=WIDE, labels=labels)
        subtitle = (
            "Outside: as the network sees them. Inside: decoded from their codes, and from the mean of both codes."
        )
        head(figure, "Halfway between two images", subtitle)
    return figure


def animation_frames(images: Images) -> tuple[list[Image.Image], list[int]]:
    """Return the frames of an animation to the last image and back, and how long each is shown, in milliseconds.

    Small images are enlarged by a whole number, so that pixels stay sharp.
    """
    factor = max(1, FRAME_SIDE // max(images.shape[1:3]))
    forward = pillow_images(enlarge(images, factor))
    between = [FRAME_TIME] * (len(forward) - 2)
    return forward + forward[-2:0:-1], [END_TIME, *between, END_TIME, *between]


def _decode(
    first: Path, second: Path, *, steps: int, label: str | None, recipe: str, runs: Path, command: str, trust: bool
) -> tuple[Images, Images]:
    """Return the two images as the network sees them, and `steps` images on the line between their codes."""
    generator = Generator(artifact_path(load_recipe(recipe), Generator, runs=runs))
    if not generator.exists:
        raise DataError(f"{generator.path}: expected a Generator, found none; run make export RECIPE={recipe}")
    if generator.labels_path.exists() and label is None:
        names = ", ".join(list(generator.describe().trained_labels)[:MOST_LABELS])
        raise UsageError(f"{command}: expected --label for a model that takes labels, one of {names}, found none")
    preprocess = preprocess_of(generator)
    images = np.stack([read_image(path, preprocess) for path in (first, second)])
    expect_trusted(generator, trust=trust)  # before the status, which hides a question
    with console.status("decoding"), tempfile.TemporaryDirectory() as folder:
        ends = Path(folder, "ends")
        ends.mkdir()
        for number, path in enumerate((first, second)):  # in this order
            shutil.copyfile(path, ends / f"{number}{path.suffix}")
        settings = {"between": str(ends), "steps": steps, "label": label, "format": "npy"}
        image_set = make_set(generator, settings, folder=Path(folder), command=command)
        return images, np.load(image_set.path / ARRAY, allow_pickle=False)


def _png_path(out: Path | None, *, default: str) -> Path:
    path = Path(default) if out is None else out
    if path.suffix.lower() != ".png":
        raise UsageError(f"--out {path}: expected a name that ends in .png, found {path.name}")
    return path


def _check_outputs(outputs: list[Path], inputs: list[Path]) -> None:
    """Raise UsageError if an output would replace an input."""
    for path in outputs:
        if path.exists() and any(image.exists() and path.samefile(image) for image in inputs):
            raise UsageError(f"{path}: expected a name for the result, found one of your two images; set --out")


def _write(files: Mapping[Path, Callable[[Path], None]]) -> None:
    """Write each file with its function, and print one line, which says whether files were replaced."""
    verb = "replaced" if any(path.exists() for path in files) else "wrote"
    for path, save in files.items():
        save(path)
    console.print(f"{verb} {' and '.join(map(str, files))}", markup=False)
