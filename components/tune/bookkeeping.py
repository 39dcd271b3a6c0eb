"""The bookkeeping of an oracle: its state on disk, early stopping of trials, and the search's time.

KerasTuner's oracles get a trial's value once, at its end. Here `update_trial` brings each epoch's value, and its answer says
whether to go on. KerasTuner's protocol has room for that, though its own oracles do not use it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import keras_tuner
from keras_tuner.engine.trial import Trial, TrialStatus

from components.tune.median import is_behind
from components.tune.state import StateFile
from schemas.errors import DataError
from schemas.recipe.recipe import TuneSection

OBJECTIVE = "val_elbo"
EPOCHS = "tuner/epochs"  # Hyperband's name for a trial's number of epochs


Method = TypeVar("Method", bound=Callable[..., Any])
synchronized: Callable[[Method], Method] = keras_tuner.synchronized


class Bookkeeping(keras_tuner.Oracle):
    """A mixin that stands before one of KerasTuner's oracles among the bases of a class.

    Args:
        section: The recipe's `tune`.
        state_path: The file of the search's state.
    """

    # KerasTuner's own attributes.
    trials: dict[str, Trial]
    ongoing_trials: dict[str, Trial]  # by worker
    end_order: list[str]
    tuner_ids: set[str]
    _retry_queue: list[str]

    def __init__(self, *, section: TuneSection, state_path: Path, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.verbose = 0
        self.section = section
        self.state = StateFile(state_path)
        self.on_end: Callable[[Trial], None] = lambda trial: None
        self.failure_reasons: dict[str, str] = {}  # of running trials that are about to fail
        self.reported: dict[str, float] = {}  # when each running trial last reported
        self.longest_pause = 0.0  # seconds between two reports of a trial
        self.exhausted = False  # whether a worker wanted another trial, and there was none left
        self.write_error: OSError | None = None  # if the state could not be written
        self.earlier_seconds = 0.0  # of this search's runs before this one
        self.start = time.monotonic()

    # --- the state ---

    def save(self) -> None:
        """Write everything, trials included; KerasTuner calls this whenever something has changed."""
        state = {
            "oracle": self.get_state(),
            "trials": {name: trial.get_state() for name, trial in self.trials.items()},
            "spent": self.seconds,
        }
        try:
            self.state.write(state)
        except OSError as error:
            self.write_error = error
            raise

    def _save_trial(self, trial: Trial) -> None:
        """Do nothing: `save` writes all trials together."""

    def restore(self) -> None:
        """Restore the last written state; trials that were running then are run again.

        Raises:
            DataError: The file is broken.
        """
        content = self.state.read()
        if content is None:
            return
        try:
            self.trials = {name: Trial.from_state(state) for name, state in content["trials"].items()}
            self.set_state(content["oracle"])
            self.earlier_seconds = content["spent"]
        except (KeyError, TypeError, ValueError) as error:  # a state that another version wrote
            raise DataError(
                f"{self.state.path}: expected the state of a search, found another ({error}); "
                f"remove {self.state.path.parent} to begin anew"
            ) from None
        running = {trial.trial_id for trial in self.ongoing_trials.values()} - set(self.end_order)
        self._retry_queue = sorted({*running, *self._retry_queue}, reverse=True)  # KerasTuner takes from the end
        self.ongoing_trials = {}

    # --- the life of a trial ---

    @synchronized
    def create_trial(self, tuner_id: str) -> Trial:
        """Return the next trial; one with the status STOPPED if there is none left, or the time is up after the first."""
        limit = self.section.max_minutes
        if limit is not None and self.end_order and self.seconds > 60 * limit:
            self.tuner_ids.discard(tuner_id)
            trial = Trial(self.get_space(), status=TrialStatus.STOPPED)
        else:
            trial = super().create_trial(tuner_id)
        if trial.status == TrialStatus.STOPPED:
            self.exhausted = True
        if trial.status == TrialStatus.RUNNING:
            trial.metrics = Trial(None).metrics  # a trial that is run again starts without its first reports
            self.reported[trial.trial_id] = time.monotonic()
        return trial

    @synchronized
    def update_trial(self, trial_id: str, metrics: dict[str, float], step: int = 0) -> Trial:
        """Take a trial's value after an epoch; the answer's status is STOPPED if the trial should end.

        A trial that fails sends the reason as the name of a metric: KerasTuner's protocol carries no other text.
        """
        if not self.is_running(trial_id):  # it failed as silent, and reports again
            return Trial(self.get_space(), trial_id, status=TrialStatus.STOPPED)
        now = time.monotonic()
        self.longest_pause = max(self.longest_pause, now - self.reported.get(trial_id, now))
        self.reported[trial_id] = now
        if OBJECTIVE not in metrics:
            (self.failure_reasons[trial_id],) = metrics
            return Trial(self.get_space(), trial_id, status=TrialStatus.STOPPED)
        trial = super().update_trial(trial_id, metrics, step=step)
        finished_values = [
            self.curve(other)
            for name in self.end_order
            if (other := self.trials[name]).status == TrialStatus.COMPLETED and self.epochs(other) == self.epochs(trial)
        ]
        behind = is_behind(metrics[OBJECTIVE], finished_values, epoch=step, epochs=self.epochs(trial))
        status = TrialStatus.STOPPED if self.section.stop_early and behind else TrialStatus.RUNNING
        return Trial(trial.hyperparameters, trial_id, status=status)

    def score_trial(self, trial: Trial) -> None:
        """Score a trial by its last value, not its best: train would reach the same with the same number of epochs.

        A trial that was ended early has two values of its last epoch: of the first images, and of the whole validation split.
        """
        last = trial.metrics.get_history(OBJECTIVE)[-1]
        trial.best_step, trial.score = last.step, float(last.value[-1])

    @synchronized
    def end_trial(self, trial: Trial) -> None:
        """Record the end of a trial; do nothing if it has already failed because its worker was silent."""
        if not self.is_running(trial.trial_id):
            return
        trial.message = self.failure_reasons.pop(trial.trial_id, None)
        super().end_trial(trial)
        self.save()  # once more: KerasTuner saved it as still running
        self.on_end(self.trials[trial.trial_id])

    def fail(self, tuner_id: str, reason: str) -> None:
        """Fail the trial of a worker that has ended, or is silent."""
        trial = self.ongoing_trials.get(tuner_id)
        self.tuner_ids.discard(tuner_id)
        if trial is not None:
            self.failure_reasons[trial.trial_id] = reason
            trial.status = TrialStatus.FAILED
            self.end_trial(trial)

    # --- questions ---

    @property
    def seconds(self) -> float:
        """The running time of this search, in all its runs."""
        return self.earlier_seconds + time.monotonic() - self.start

    def is_running(self, trial_id: str) -> bool:
        """Return whether a trial is running."""
        return any(trial.trial_id == trial_id for trial in self.ongoing_trials.values())

    def epochs(self, trial: Trial) -> int:
        """Return the most epochs of a trial."""
        return int(trial.hyperparameters.values.get(EPOCHS, self.section.epochs))

    def curve(self, trial: Trial) -> list[float]:
        """Return a trial's validation ELBO after each epoch: of the first images, but after its most epochs of all."""
        if not trial.metrics.exists(OBJECTIVE):
            return []
        return [float(observation.value[0]) for observation in trial.metrics.get_history(OBJECTIVE)]
