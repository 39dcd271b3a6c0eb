"""What an artifact holds, in words, from the counts of its manifest; and where it is."""

from __future__ import annotations

from collections.abc import Callable

from components.reporting.console import counted
from components.reporting.numbers import data_size
from schemas.artifacts.kinds import Examples, Generator, HyperParameters, ImageSet, Model, ModelEvaluation
from schemas.artifacts.manifest import Artifact, Manifest

Counts = dict[str, int]


def contents(manifest: Manifest) -> str:
    """Say what an artifact holds, as a phrase, such as `16 epochs, of which number 12 was the best; 72,961 weights`.

    Counts without words of their own, as another version may have written, follow by their names. "" where there are none.
    """
    counts = dict(manifest.counts)
    phrases = _PHRASES[manifest.type](counts) if manifest.type in _PHRASES else []  # which takes what it has words for
    others = [f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items()]
    return "; ".join(filter(None, [*phrases, *others]))


def _examples(counts: Counts) -> list[str]:
    *first, last = [f"{counts.pop(split, 0):,} {split}" for split in ("train", "validation", "test")]
    left_out = _numbers(counts, rejected="rejected", duplicates="left out as duplicates")
    return [f"{', '.join(first)} and {last} images", left_out]


def _hyperparameters(counts: Counts) -> list[str]:
    trials = counted(counts.pop("trials", 0), "trial")
    return [", ".join(filter(None, [trials, _numbers(counts, failed="failed", ended_early="ended early")]))]


def _model(counts: Counts) -> list[str]:
    epochs, best, weights = (counts.pop(name, 0) for name in ("epochs", "best_epoch", "weights"))
    which = "the last" if best == epochs else f"number {best:,}"
    return [
        counted(epochs, "epoch") + (f", of which {which} was the best" if epochs > 1 else ""),
        f"{weights:,} weights",
    ]


def _evaluation(counts: Counts) -> list[str]:
    return [f"measured on {counted(counts.pop('test_images', 0), 'test image')}"]


def _generator(counts: Counts) -> list[str]:
    titles = {"saved_model": "SavedModel", "keras": "Keras", "onnx": "ONNX", "litert": "LiteRT", "openvino": "OpenVINO"}
    sizes = {title: counts.pop(f"{name}_bytes", 0) for name, title in titles.items()}
    forms = ", ".join(f"{title} {data_size(size)}" for title, size in sizes.items() if size)
    return [forms, f"codes of {counted(counts.pop('latent_dim', 0), 'number')}"]


def _images(counts: Counts) -> list[str]:
    replaced = _numbers(counts, near_copies_dropped="near copies", unlikely_dropped="unlikely ones")
    return [counted(counts.pop("images", 0), "image"), replaced and f"{replaced} replaced by others"]


def _numbers(counts: Counts, **words: str) -> str:
    """Return the counts of these names that are not 0, each with its words."""
    return ", ".join(f"{count:,} {text}" for name, text in words.items() if (count := counts.pop(name, 0)))


_PHRASES: dict[str, Callable[[Counts], list[str]]] = {
    Examples.TYPE: _examples,
    HyperParameters.TYPE: _hyperparameters,
    Model.TYPE: _model,
    ModelEvaluation.TYPE: _evaluation,
    Generator.TYPE: _generator,
    ImageSet.TYPE: _images,
}


def place(artifact: Artifact) -> str:
    """Say where an artifact is, and which of its files a person looks at first."""
    if isinstance(artifact, Examples | ImageSet):
        return f"{artifact.path}; look at its {artifact.contact_sheet_path.name}"
    if isinstance(artifact, HyperParameters):
        return f"{artifact.path}; look at its {artifact.figure_path.name}"
    if isinstance(artifact, ModelEvaluation):
        return f"{artifact.path}; open {artifact.report_path} in a browser"
    if isinstance(artifact, Generator):
        return f"{artifact.path}; read its {artifact.card_path.name}"
    return str(artifact.path)
