"""KerasTuner's loop over our trials, in the search's own process or in a worker's."""

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
    """Asks an oracle for trials until there are no more.

    Where KerasTuner's environment variables name a chief, the oracle is the chief's.

    Args:
        examples: What the trials train on.
        settings: The recipe's.
        oracle: Proposes values, and takes what they reached.
        folder: That KerasTuner may call its own. Nothing of ours is in it.
    """

    def __init__(self, examples: Examples, settings: TuneSettings, oracle: Bookkeeping, *, folder: Path) -> None:
        self.settings = settings
        self.images = TrainingImages(examples, limit=settings.tune.max_images, processes=settings.tune.workers)
        self.networks = Networks(self.images)
        self.asked = False
        gc.collect()
        gc.freeze()  # what is loaded by now need not be searched for garbage after each trial: 0.15 s
        super().__init__(oracle=oracle, directory=str(folder.parent), project_name=folder.name)

    def save(self) -> None:
        """The oracle does."""

    def pre_create_trial(self) -> None:
        """Waits where there was no trial for the last question: KerasTuner would ask again at once, and for ever."""
        if self.asked:
            time.sleep(IDLE_SECONDS)
        self.asked = True

    def on_trial_begin(self, trial: Trial) -> None:
        """There was one."""
        self.asked = False

    def _run_and_update_trial(self, trial: Trial, *_: Any, **__: Any) -> None:
        """KerasTuner's own reports what `run_trial` returns, once; ours has reported each epoch."""
        self.run_trial(trial)

    def run_trial(self, trial: Trial) -> None:
        """Trains and judges one candidate."""
        section = self.settings.tune
        epochs = int(trial.hyperparameters.values.get(EPOCHS, section.epochs))

        def report(epoch: int, elbo: float) -> bool:
            # In single precision, as KerasTuner's protocol has it: so workers decide as one process does.
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
            self.oracle.update_trial(trial.trial_id, {_line(error): 0.0})
            raise errors.FailedTrialError from None
        except Exception as error:  # KerasTuner would count anything else as a failed trial, and go on
            raise errors.FatalError(str(error)) from error


def images_for(count: int, *, epochs: int, most: int) -> int:
    """How many images a trial trains on that gets `epochs` of `most` epochs: of 10,000 with 1 of 9 epochs, 3,334.

    The square root, so that the shortest trials, whose batches are few anyway, still see a good part.
    """
    return math.ceil(count * math.sqrt(epochs / most))


def _line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        found = error.errors()[0]
        return f"the recipe refuses {'.'.join(map(str, found['loc']))}: {found['msg']}"
    return str(error)
