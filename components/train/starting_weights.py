"""The weights that a training begins with, where it starts from another model. Importing this module loads TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from components.reporting.console import counted, say
from components.train.other_model import FRAME, KEY, expect_kind, expect_licence, expect_whole, licence_of, other_model
from models.build import build_vae
from models.vae import VAE
from schemas.artifacts.kinds import Model
from schemas.artifacts.records import Statistics
from schemas.errors import DataError, UsageError
from schemas.recipe.settings import TrainSettings

Array = NDArray[Any]
Weights = list[Array]  # of a model, as Keras sets them
SHOWN = 5  # labels in a line


@dataclass(frozen=True)
class Table:
    """A weight of a model.

    Attributes:
        weight: The weight.
        label_rows: How many of its rows, the last ones, belong to one label each.
    """

    weight: keras.Variable
    label_rows: int


def starting_weights(settings: TrainSettings, statistics: Statistics) -> Weights | None:
    """Return the weights of a training that starts from another model; None: it does not.

    Encoder and decoder have to fit. What belongs to a label is taken from the label of the same name. Other labels, and a learned
    prior of another size, begin anew.

    Raises:
        UsageError: There is no such model, its licence forbids it, or it does not fit.
        DataError: Its files are broken.
    """
    if settings.train.start_from is None:
        return None
    model = other_model(settings.train.start_from)
    expect_licence(model)
    expect_kind(model, settings, frame={key: getattr(statistics, key) for key in FRAME})
    expect_whole(model, thorough=True)
    other = _load(model)
    keras.utils.clear_session()
    vae = build_vae(settings.model, settings.loss, statistics, seed=settings.seed)
    anew = _take(vae, other)
    recipe, licence = model.manifest.recipe.get("name"), licence_of(model)
    say(
        f"starts  from the model {model.digest[:12]}… of recipe {recipe}, {counted(model.manifest.counts['epochs'], 'epoch')}, "
        f"licence {licence or 'not stated'}{f'; anew: {anew}' if anew else ''}"
    )
    weights: Weights = vae.get_weights()
    return weights


def _load(model: Model) -> VAE:
    try:
        vae = keras.models.load_model(model.vae_path, compile=False, safe_mode=True)
    except (OSError, ValueError, TypeError, KeyError) as error:
        detail = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise DataError(f"{KEY}: expected a model that Keras can read, found {model.vae_path} ({detail})") from None
    if not isinstance(vae, VAE):
        raise DataError(f"{KEY}: expected a model that train saved, found {type(vae).__name__} in {model.vae_path}")
    return vae


def _take(vae: VAE, other: VAE) -> str:
    """Give a new model the other's weights; return what begins anew, in words."""
    anew = []
    for part in ("encoder", "decoder", "local_encoder"):
        ours, our_label_vectors = _tables(getattr(vae, part), labels=len(vae.labels))
        theirs, their_label_vectors = _tables(getattr(other, part), labels=len(other.labels))
        if len(ours) != len(theirs):
            raise UsageError(
                f"{KEY}: expected {len(ours)} weights in the {part}, as this recipe's network has, found {len(theirs)}"
            )
        pairs = [*zip(ours, theirs, strict=True), *zip(our_label_vectors, their_label_vectors, strict=False)]
        for table, value in pairs:
            table.weight.assign(_rows(table, value, vae.labels, other.labels))
    for weight, value in zip(_likelihood_weights(vae), _likelihood_weights(other), strict=True):
        weight.assign(value)
    if unknown := [label for label in vae.labels if label not in other.labels]:
        more = f" and {len(unknown) - SHOWN:,} more" if len(unknown) > SHOWN else ""
        anew.append(f"{'label' if len(unknown) == 1 else 'labels'} {', '.join(unknown[:SHOWN])}{more}")
    if vae.prior and not _take_prior(vae, other):
        anew.append("learned prior")
    return ", ".join(anew)


def _take_prior(vae: VAE, other: VAE) -> bool:
    """Give a learned prior the other's components, if it has as many; return whether it has."""
    ours, theirs = vae.prior, other.prior
    if ours is None or theirs is None or ours.means.shape != theirs.means.shape:
        return False
    ours.means.assign(theirs.means)
    ours.log_deviations.assign(theirs.log_deviations)
    shares = np.asarray(theirs.logits)
    if vae.labels and other.labels:
        table = Table(ours.logits, len(vae.labels))
        ours.logits.assign(_rows(table, Table(theirs.logits, len(other.labels)), vae.labels, other.labels))
    elif not other.labels:  # each label begins with the shares that all images had
        ours.logits.assign(np.repeat(shares, ours.logits.shape[0], axis=0))
    return True


def _tables(network: keras.Model | None, *, labels: int) -> tuple[list[Table], list[Table]]:
    """Return a network's weights in order: those that every network of its kind has, and those that only labels have."""
    common, only_labels = [], []
    for layer in network.layers if network else ():
        reads_labels = labels and isinstance(layer, keras.layers.Dense)
        if reads_labels and not layer.use_bias:  # `models.networks.label.add_label`
            only_labels += [Table(layer.kernel, labels)]
            continue
        appended = reads_labels and isinstance(layer.input._keras_history.operation, keras.layers.Concatenate)
        common += [
            Table(weight, labels if appended and weight is layer.kernel else 0)  # `append_label`
            for weight in layer.weights
        ]
    return common, only_labels


def _rows(ours: Table, theirs: Table, labels: Sequence[str], other_labels: Sequence[str]) -> Array:
    """Return their values in the shape of ours. The row of a label that they do not know stays as it is."""
    new, old = np.asarray(ours.weight), np.asarray(theirs.weight)
    if (_common(new, ours.label_rows).shape) != (_common(old, theirs.label_rows).shape):
        raise UsageError(
            f"{KEY}: expected weights {list(new.shape)} of {ours.weight.path}, as this recipe's network has, "
            f"found {list(old.shape)}"
        )
    if not ours.label_rows:
        return _common(old, theirs.label_rows)
    by_name = dict(zip(other_labels, old[len(old) - theirs.label_rows :], strict=True)) if theirs.label_rows else {}
    rows = [by_name.get(label, new[len(new) - len(labels) + place]) for place, label in enumerate(labels)]
    return np.concatenate([_common(old, theirs.label_rows), np.stack(rows)])


def _common(values: Array, label_rows: int) -> Array:
    """Return the rows of a weight that belong to no label."""
    return values[: len(values) - label_rows] if label_rows else values


def _likelihood_weights(vae: VAE) -> list[keras.Variable]:
    weights: list[keras.Variable] = getattr(vae.likelihood, "weights", [])
    return weights
