"""KerasTuner's loop over trials, in the search's own process or in a worker's."""

from __future__ import annotations

import gc
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
from keras_tuner import errors
from keras_tuner.engine.base_tuner import BaseTuner
from keras_tuner.engine.trial import Trial, TrialStatus
from pydantic import ValidationError

from components.examples.training_images import TrainingImages
from components.tune.bookkeeping import EPOCHS, OBJECTIVE, Bookkeeping
from components.tune.networks import Networks
from components.tune.space import values_of
from components.tune.trial import TrialFailed, run_trial
from schemas.artifacts.kinds import Examples
from schemas.recipe.settings import TuneSettings, with_values

IDLE_SECONDS = 0.5


class Tuner(BaseTuner):
    """Runs an oracle's trials until there are no more.

    If KerasTuner's environment variables name a chief, the trials are those of the chief's oracle.

    Args:
        examples: What the trials train on.
        settings: The recipe's.
        oracle: Proposes values, and takes the results.
        folder: A folder for KerasTuner's own use.
    """

    def __init__(self, examples: Examples, settings: TuneSettings, oracle: Bookkeeping, *, folder: Path) -> None:
        self.settings = settings
        self.images = TrainingImages(examples, limit=settings.tune.max_images, processes=settings.tune.workers)
        self.networks = Networks(self.images)
        self.is_waiting = False
        gc.collect()
        gc.freeze()  # saves 0.15 s after each trial: garbage collection skips what is loaded by now
        super().__init__(oracle=oracle, directory=str(folder.parent), project_name=folder.name)

    def save(self) -> None:
        """Do nothing: the oracle saves itself."""

    def pre_create_trial(self) -> None:
        """Wait if the last question brought no trial: KerasTuner would ask again at once, for ever."""
        if self.is_waiting:
            time.sleep(IDLE_SECONDS)
        self.is_waiting = True

    def on_trial_begin(self, trial: Trial) -> None:
        """Note that the last question brought a trial."""
        self.is_waiting = False

    def _run_and_update_trial(self, trial: Trial, *_: Any, **__: Any) -> None:
        """Run a trial, which reports each epoch itself: KerasTuner's own method reports a result once."""
        self.run_trial(trial)

    def run_trial(self, trial: Trial) -> None:
        """Train and measure one candidate."""
        section = self.settings.tune
        epochs = int(trial.hyperparameters.values.get(EPOCHS, section.epochs))

        def report(epoch: int, elbo: float) -> bool:
            # In single precision, as in KerasTuner's protocol, so that workers decide as one process does.
            answer = self.oracle.update_trial(trial.trial_id, {OBJECTIVE: float(np.float32(elbo))}, step=epoch)
            return bool(answer.status == TrialStatus.STOPPED)

        try:
            settings = with_values(self.settings, values_of(trial.hyperparameters, self.settings))
            count = images_for(self.images.count, epochs=epochs, most=section.epochs)
            epochs_run, elbo = run_trial(
                self.images,
                self.networks,
                settings,
                epochs=epochs,
                count=count,
                report=report,
                whole=epochs == section.epochs,
            )
            report(epochs_run, elbo)
        except (TrialFailed, ValidationError) as error:
            self.oracle.update_trial(trial.trial_id, {_reason(error): 0.0})
            raise errors.FailedTrialError from None
        except Exception as error:  # KerasTuner would count any other error as a failed trial
            raise errors.FatalError(str(error)) from error


def images_for(count: int, *, epochs: int, most: int) -> int:
    """Return the number of images of a trial with `epochs` of `most` epochs: of 10,000 images with 1 of 9 epochs, 3,334.

    It falls with the square root, so that the shortest trials still see a good part of the images.
    """
    return math.ceil(count * math.sqrt(epochs / most))


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first_error = error.errors()[0]
        return f"the recipe refuses {'.'.join(map(str, first_error['loc']))}: {first_error['msg']}"
    return str(error)
