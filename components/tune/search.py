"""A search from beginning to end."""

from __future__ import annotations

import json
import os
from typing import Any

from keras_tuner import errors
from keras_tuner.engine.trial import Trial, TrialStatus

from components.engine.device import prepare_device
from components.examples.dataset import readable
from components.reporting.console import counted, say
from components.reporting.numbers import as_loss, as_setting
from components.tune.bookkeeping import Bookkeeping
from components.tune.figure import search_figure
from components.tune.importance import importance
from components.tune.oracles import make_oracle
from components.tune.space import readable_space, values_of
from components.tune.tuner import Tuner, images_for
from components.tune.verdict import verdict, winner_of
from schemas import atomic
from schemas.artifacts import tables
from schemas.artifacts.kinds import Examples, HyperParameters
from schemas.artifacts.records import read_statistics
from schemas.errors import DataError
from schemas.recipe.settings import TuneSettings


def search(examples: Examples, hyperparameters: HyperParameters, settings: TuneSettings) -> dict[str, int]:
    """Search and write the results: see `components.tune.component.tune`."""
    device = prepare_device(deterministic=settings.train.deterministic)
    section = settings.tune
    images = min(section.max_images, read_statistics(examples).records["train"])
    work = hyperparameters.work
    oracle = make_oracle(settings, state_path=work / "search.json")
    say(f"searches {readable_space(section.space)}")
    say(
        f"with    {section.oracle} search, {counted(section.max_trials, 'trial')}, {counted(section.epochs, 'epoch')} of "
        f"{counted(images, 'image')} each, on {device}"
    )
    oracle.restore()
    if oracle.end_order:
        say(f"resumes after {counted(len(oracle.end_order), 'trial')}")
    oracle.on_end = lambda trial: _print_trial(trial_row(trial, oracle, settings, images=images), settings)
    if section.workers > 1 or "KERASTUNER_ORACLE_IP" in os.environ:
        from components.tune.chief import run_workers

        run_workers(oracle, examples, settings, folder=work)
    else:
        with readable(examples):
            try:
                Tuner(examples, settings, oracle, folder=work / "keras-tuner").search()
            except errors.FatalError as error:
                raise error.__cause__ or error from None
    rows = [
        trial_row(oracle.trials[name], oracle, settings, images=images) for name in sorted(oracle.end_order, key=int)
    ]
    return _write(hyperparameters, rows, settings)


def trial_row(trial: Trial, oracle: Bookkeeping, settings: TuneSettings, *, images: int) -> dict[str, Any]:
    """Return a trial that has ended as a row of `schemas.artifacts.tables.trials_schema`."""
    failed = trial.status != TrialStatus.COMPLETED
    epochs, curve = oracle.epochs(trial), oracle.curve(trial)
    return {
        "trial": str(number_of(trial)),
        "status": "FAILED" if failed else "COMPLETED",
        "epochs": epochs,
        "epochs_run": len(curve),
        "images": images_for(images, epochs=epochs, most=settings.tune.epochs),
        "val_elbo": None if failed else trial.score,
        "val_elbo_by_epoch": curve,
        "reason": trial.message if failed else None,
        **values_of(trial.hyperparameters, settings),
    }


def number_of(trial: Trial) -> int:
    """Return the number of a trial, from 1 in the order of their start; KerasTuner's own ids count from 0."""
    return int(trial.trial_id) + 1


def _print_trial(row: dict[str, Any], settings: TuneSettings) -> None:
    values = "  ".join(f"{key.rpartition('.')[2]} {as_setting(row[key])}" for key in settings.tune.space)
    if row["val_elbo"] is None:
        result = f"failed: {row['reason']}"
    else:
        result = f"validation ELBO {as_loss(row['val_elbo']):>8}"
        if row["epochs_run"] < row["epochs"]:
            result += f"  (ended after {row['epochs_run']} of {row['epochs']} epochs: behind the median)"
        elif row["epochs"] < settings.tune.epochs:
            result += f"  ({row['epochs']} of {settings.tune.epochs} epochs)"
    say(f"trial {row['trial']:>3}/{settings.tune.max_trials}  {values}  {result}")


def _write(hyperparameters: HyperParameters, rows: list[dict[str, Any]], settings: TuneSettings) -> dict[str, int]:
    finished = [row for row in rows if row["val_elbo"] is not None]
    if not finished:
        reasons = "; ".join(sorted({row["reason"] for row in rows}))
        raise DataError(f"tune: expected at least one trial to succeed, found {len(rows)} that failed ({reasons})")
    space = settings.tune.space
    best, shares, sentence = winner_of(rows), importance(rows, space), verdict(rows, space)
    _write_table(hyperparameters, rows, list(space))
    values = {key: best[key] for key in space}
    atomic.write_text(hyperparameters.best_path, json.dumps(values, indent=1) + "\n")
    summary = {
        "winner": best["trial"],
        "val_elbo": best["val_elbo"],
        "values": values,
        "verdict": sentence,
        "importance": shares,  # null: too few trials, or the forest predicts nothing
        "importance_by": "permutation importance of a random forest, as shares",
    }
    atomic.write_text(hyperparameters.summary_path, json.dumps(summary, indent=1) + "\n")
    with atomic.replacing(hyperparameters.figure_path) as temporary:
        search_figure(rows, space=space, best=best["trial"], shares=shares).savefig(temporary, format="png")
    best_line, _, more_line = sentence.replace(" -", " −").rpartition("; ")
    say(f"best    {best_line}")
    say(f"        {more_line}")
    early = sum(row["epochs_run"] < row["epochs"] for row in finished)
    return {"trials": len(rows), "failed": len(rows) - len(finished), "ended_early": early}


def _write_table(hyperparameters: HyperParameters, rows: list[dict[str, Any]], keys: list[str]) -> None:
    schema = tables.trials_schema({key: [row[key] for row in rows] for key in keys})
    as_text = [key for key in keys if schema.field(key).type == "string"]

    def text(value: Any) -> Any:
        return value if value is None or isinstance(value, str) else json.dumps(value)

    rows = [{**row, **{key: text(row[key]) for key in as_text}} for row in rows]
    tables.write_table(hyperparameters.trials_path, rows, schema)
