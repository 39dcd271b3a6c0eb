"""A search from beginning to end."""

from __future__ import annotations

import contextlib
import io
import json
import os
from typing import Any

import keras_tuner

from components.console import say
from components.dataset import read_statistics, readable
from components.device import prepare_device
from components.tune.figure import search_figure
from components.tune.oracles import LATENT_DIM, LEARNING_RATE, OBJECTIVE, make_oracle
from components.tune.snapshot import Snapshots
from components.tune.trial import TrialFailed, run_trial
from schemas import atomic, tables
from schemas.artifacts import Examples, HyperParameters
from schemas.errors import DataError
from schemas.settings import TuneSettings


def search(examples: Examples, hyperparameters: HyperParameters, settings: TuneSettings) -> dict[str, int]:
    """See `components.tune.component.tune`."""
    device = prepare_device(deterministic=settings.deterministic)
    section = settings.tune
    images = min(section.max_images, read_statistics(examples).records["train"])
    low, high = section.learning_rate
    say(f"searches latent_dim in {', '.join(map(str, section.latent_dim))} × learning rate from {low:g} to {high:g}")
    say(
        f"with    {section.oracle}, {section.max_trials} trials, {section.epochs} epochs of {images:,} images each, on {device}"
    )
    snapshots = Snapshots(hyperparameters.work / "search", hyperparameters.work / "snapshots")
    snapshots.restore()
    with readable(examples), contextlib.redirect_stdout(io.StringIO()):  # KerasTuner prints where it reloads from
        tuner = Tuner(examples, settings, snapshots)
    if tuner.oracle.end_order:
        say(f"resumes after {len(tuner.oracle.end_order)} trials")
    with readable(examples):
        try:
            tuner.search()
        except keras_tuner.errors.FatalError as error:
            raise error.__cause__ or error from None
    return _write(hyperparameters, tuner, settings)


class Tuner(keras_tuner.Tuner):
    """KerasTuner's loop over our trials."""

    def __init__(self, examples: Examples, settings: TuneSettings, snapshots: Snapshots) -> None:
        self.examples = examples
        self.settings = settings
        self.snapshots = snapshots
        live = snapshots.live
        super().__init__(
            oracle=make_oracle(settings.tune, seed=settings.seed),
            directory=os.fspath(live.parent),
            project_name=live.name,
        )
        self.oracle.verbose = 0

    def run_trial(self, trial: keras_tuner.engine.trial.Trial) -> dict[str, float]:
        """Trains and judges one candidate."""
        values = trial.hyperparameters.values
        try:
            elbo = run_trial(
                self.examples,
                self.settings,
                latent_dim=values[LATENT_DIM],
                learning_rate=values[LEARNING_RATE],
                epochs=self._epochs(trial),
            )
        except TrialFailed as error:
            raise keras_tuner.errors.FailedTrialError(str(error)) from None
        except Exception as error:  # KerasTuner would count anything else as a failed trial, and go on
            raise keras_tuner.errors.FatalError(str(error)) from error
        return {OBJECTIVE: elbo}

    def on_trial_end(self, trial: keras_tuner.engine.trial.Trial) -> None:
        """Keeps the finished trial, and says how it went."""
        super().on_trial_end(trial)
        done = len(self.oracle.end_order)
        self.snapshots.take(done)
        row = self.row(trial.trial_id)
        result = (
            f"validation ELBO {row['val_elbo']:9.3f}" if row["val_elbo"] is not None else f"failed: {row['reason']}"
        )
        say(
            f"trial {done:>3}/{self.settings.tune.max_trials}  latent_dim {row['latent_dim']:>4}"
            f"  learning rate {row['learning_rate']:.2e}  {result}"
        )

    def row(self, trial_id: str) -> dict[str, Any]:
        """A trial as a row of `schemas.tables.TRIALS`."""
        trial = self.oracle.get_trial(trial_id)
        values = trial.hyperparameters.values
        failed = trial.score is None
        return {
            "trial": trial.trial_id,
            "status": "FAILED" if failed else "COMPLETED",
            "latent_dim": values[LATENT_DIM],
            "learning_rate": values[LEARNING_RATE],
            "epochs": self._epochs(trial),
            "val_elbo": None if failed else trial.score,
            "reason": (trial.message or "").strip().splitlines()[-1].split(": ", 1)[-1] if failed else None,
        }

    def _epochs(self, trial: keras_tuner.engine.trial.Trial) -> int:
        return int(trial.hyperparameters.values.get("tuner/epochs", self.settings.tune.epochs))

    def load_model(self, trial: keras_tuner.engine.trial.Trial) -> None:
        """Trials keep no model: the winner is trained anew, in full, by train."""

    def save_model(self, trial_id: str, model: Any, step: int = 0) -> None:
        """Trials keep no model."""


def _write(hyperparameters: HyperParameters, tuner: Tuner, settings: TuneSettings) -> dict[str, int]:
    rows = [tuner.row(trial_id) for trial_id in tuner.oracle.end_order]
    done = [row for row in rows if row["val_elbo"] is not None]
    if not done:
        reasons = "; ".join(sorted({row["reason"] for row in rows}))
        raise DataError(f"tune: expected at least one trial to succeed, found {len(rows)} that failed ({reasons})")
    # Hyperband compares candidates at its full budget only.
    longest = max(row["epochs"] for row in done)
    best = max((row for row in done if row["epochs"] == longest), key=lambda row: row["val_elbo"])
    tables.write_table(hyperparameters.trials_path, rows, tables.TRIALS)
    values = {LATENT_DIM: best["latent_dim"], LEARNING_RATE: best["learning_rate"]}
    atomic.write_text(hyperparameters.best_path, json.dumps(values, indent=1) + "\n")
    with atomic.replacing(hyperparameters.figure_path) as temporary:
        search_figure(rows, best=best["trial"]).savefig(temporary, format="png")
    say(
        f"best    latent_dim {best['latent_dim']}, learning rate {best['learning_rate']:.3g}: ELBO {best['val_elbo']:.3f} nats"
    )
    return {"trials": len(rows), "failed": len(rows) - len(done)}
