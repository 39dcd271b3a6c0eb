"""What every oracle of ours does beside proposing values: it keeps its state, ends what is behind, and keeps the time.

KerasTuner's oracles get a trial's value once, at its end. Here each epoch's comes by `update_trial`, whose answer says
whether to go on: KerasTuner's protocol has room for that, and its oracles do not use it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras_tuner
from keras_tuner.engine.trial import Trial, TrialStatus

from components.tune.median import is_behind
from components.tune.state import StateFile
from schemas.errors import DataError
from schemas.recipe.recipe import TuneSection

OBJECTIVE = "val_elbo"
EPOCHS = "tuner/epochs"  # Hyperband's name for what it gives a trial


class Bookkeeping(keras_tuner.Oracle):
    """Goes before one of KerasTuner's oracles among the bases of a class.

    Args:
        section: The recipe's `tune`.
        state_path: Of the file that holds where the search stands.
    """

    def __init__(self, *, section: TuneSection, state_path: Path, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.verbose = 0
        self.section = section
        self.state = StateFile(state_path)
        self.on_end: Callable[[Trial], None] = lambda trial: None
        self.reasons: dict[str, str] = {}  # why running trials are about to fail
        self.heard: dict[str, float] = {}  # when running trials last reported
        self.slowest = 0.0  # seconds, the longest between two reports
        self.stopped = False  # whether somebody asked for a trial and there was none left
        self.failure: OSError | None = None  # the state could not be written
        self.spent = 0.0  # seconds of earlier runs of this search
        self.began = time.monotonic()

    # --- what is kept ---

    def save(self) -> None:
        """Writes everything, trials included; KerasTuner calls it whenever something has changed."""
        state = {
            "oracle": self.get_state(),
            "trials": {name: trial.get_state() for name, trial in self.trials.items()},
            "spent": self.seconds,
        }
        try:
            self.state.write(state)
        except OSError as error:
            self.failure = error
            raise

    def _save_trial(self, trial: Trial) -> None:
        """Not one by one: `save` does."""

    def restore(self) -> None:
        """Takes up the state that was written last; trials that were running then are run again.

        Raises:
            DataError: The file is broken.
        """
        found = self.state.read()
        if found is None:
            return
        try:
            self.trials = {name: Trial.from_state(state) for name, state in found["trials"].items()}
            self.set_state(found["oracle"])
            self.spent = found["spent"]
        except (KeyError, TypeError, ValueError) as error:  # another version's
            raise DataError(
                f"{self.state.path}: expected the state of a search, found another ({error}); "
                f"remove {self.state.path.parent} to begin anew"
            ) from None
        running = {trial.trial_id for trial in self.ongoing_trials.values()} - set(self.end_order)
        self._retry_queue = sorted({*running, *self._retry_queue}, reverse=True)  # it is taken from the end
        self.ongoing_trials = {}

    # --- a trial's way ---

    @keras_tuner.synchronized
    def create_trial(self, tuner_id: str) -> Trial:
        """The next trial, or one that says that there is none: also when time is up, but for the very first."""
        limit = self.section.max_minutes
        if limit is not None and self.end_order and self.seconds > 60 * limit:
            self.tuner_ids.discard(tuner_id)
            trial = Trial(self.get_space(), status=TrialStatus.STOPPED)
        else:
            trial = super().create_trial(tuner_id)
        if trial.status == TrialStatus.STOPPED:
            self.stopped = True
        if trial.status == TrialStatus.RUNNING:
            trial.metrics = Trial(None).metrics  # of one that is run again, without what it reported the first time
            self.heard[trial.trial_id] = time.monotonic()
        return trial

    @keras_tuner.synchronized
    def update_trial(self, trial_id: str, metrics: dict[str, float], step: int = 0) -> Trial:
        """Takes what a trial reached after an epoch; the answer's status is STOPPED where it shall end.

        A trial that fails says why by the name of a metric: KerasTuner's protocol carries no other text.
        """
        if not self.is_running(trial_id):  # given up, and then heard of again
            return Trial(self.get_space(), trial_id, status=TrialStatus.STOPPED)
        now = time.monotonic()
        self.slowest = max(self.slowest, now - self.heard.get(trial_id, now))
        self.heard[trial_id] = now
        if OBJECTIVE not in metrics:
            (self.reasons[trial_id],) = metrics
            return Trial(self.get_space(), trial_id, status=TrialStatus.STOPPED)
        trial = super().update_trial(trial_id, metrics, step=step)
        others = [
            self.curve(other)
            for name in self.end_order
            if (other := self.trials[name]).status == TrialStatus.COMPLETED and self.epochs(other) == self.epochs(trial)
        ]
        behind = is_behind(metrics[OBJECTIVE], others, epoch=step, epochs=self.epochs(trial))
        status = TrialStatus.STOPPED if self.section.stop_early and behind else TrialStatus.RUNNING
        return Trial(trial.hyperparameters, trial_id, status=status)

    def score_trial(self, trial: Trial) -> None:
        """A trial's score is its last value, not its best: what train would get with as many epochs.

        One that was ended early has two values of its last epoch: at a glance, and of the whole validation split.
        """
        last = trial.metrics.get_history(OBJECTIVE)[-1]
        trial.best_step, trial.score = last.step, float(last.value[-1])

    @keras_tuner.synchronized
    def end_trial(self, trial: Trial) -> None:
        """Files a trial; one that ended before, because its worker was given up, is passed over."""
        if not self.is_running(trial.trial_id):
            return
        trial.message = self.reasons.pop(trial.trial_id, None)
        super().end_trial(trial)
        self.save()  # KerasTuner saves while the trial still counts as running
        self.on_end(self.trials[trial.trial_id])

    def fail(self, tuner_id: str, reason: str) -> None:
        """Ends the trial of a worker that is no more."""
        trial = self.ongoing_trials.get(tuner_id)
        self.tuner_ids.discard(tuner_id)
        if trial is not None:
            self.reasons[trial.trial_id] = reason
            trial.status = TrialStatus.FAILED
            self.end_trial(trial)

    # --- what others ask ---

    @property
    def seconds(self) -> float:
        """How long this search has taken, over all its runs."""
        return self.spent + time.monotonic() - self.began

    def is_running(self, trial_id: str) -> bool:
        """Whether somebody works on a trial."""
        return any(trial.trial_id == trial_id for trial in self.ongoing_trials.values())

    def epochs(self, trial: Trial) -> int:
        """How many epochs a trial is given."""
        return int(trial.hyperparameters.values.get(EPOCHS, self.section.epochs))

    def curve(self, trial: Trial) -> list[float]:
        """A trial's validation ELBO, an epoch after another: at a glance, but for the last of all that it was given."""
        if not trial.metrics.exists(OBJECTIVE):
            return []
        return [float(seen.value[0]) for seen in trial.metrics.get_history(OBJECTIVE)]
