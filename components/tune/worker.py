"""A process that runs trials for a chief: ``python -m components.tune.worker TASK [FD]``.

KerasTuner's environment variables hold its name and the chief's address (see docs/distributed.md). A worker that a person
starts, as on another machine, has no FD, and prints its error; else it writes the error to the file descriptor FD.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import traceback
from pathlib import Path

import grpc
from keras_tuner.errors import FatalError
from keras_tuner.src.distribute import oracle_client

from components.engine.device import prepare_device
from components.examples.dataset import readable
from components.tune.oracles import make_oracle
from components.tune.tuner import Tuner
from components.workers.child import report_error
from components.workers.lifetime import collect_seldom, exit_with_parent
from schemas.artifacts.kinds import Examples
from schemas.errors import DataError, UsageError
from schemas.recipe.settings import TuneSettings

NAMES = ("KERASTUNER_TUNER_ID", "KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT")
ANSWER_SECONDS = 300  # KerasTuner would wait an hour for a chief that is gone


def main(task: Path, pipe: int | None) -> int:
    """Run trials until the chief has no more; return the exit status."""
    oracle_client.TIMEOUT = ANSWER_SECONDS
    if pipe is not None:
        exit_with_parent()
        collect_seldom()
    try:
        run(task)
    except (DataError, UsageError) as error:
        message = str(error)
    except grpc.RpcError as error:
        lines = (error.details() or "").strip().splitlines()
        detail = ": ".join([error.code().name, *lines[-1:]])
        message = f"KERASTUNER_ORACLE_IP: expected a chief that answers, found an error ({detail})"
    except Exception as error:  # a bug, which every trial would run into
        traceback.print_exc()
        message = f"tune.workers: expected trials that end, found {type(error).__name__}: {str(error).split(chr(10))[0][:200]}"
    else:
        return 0
    if pipe is None:
        print(f"error: {message}", file=sys.stderr)
    else:
        report_error(pipe, message)
    return 1


def run(task: Path) -> None:
    """Ask for trials and run them.

    Raises:
        UsageError: The environment or the task cannot be used.
        DataError: A shard is broken.
    """
    if missing := [name for name in NAMES if not os.environ.get(name)]:
        raise UsageError(f"{', '.join(missing)}: expected in the environment, found nothing (docs/distributed.md)")
    if "chief" in os.environ[NAMES[0]]:
        raise UsageError(f"{NAMES[0]}: expected a name without the word chief, found {os.environ[NAMES[0]]}")
    try:
        content = json.loads(task.read_bytes())
    except OSError as error:
        raise UsageError(f"{task}: expected the chief's task, found none ({error.strerror})") from None
    settings = TuneSettings.from_json(content["settings"])
    prepare_device(deterministic=settings.train.deterministic)
    examples = Examples(Path(content["examples"]))
    # KerasTuner asks the chief's oracle. This one never gets a trial, but KerasTuner needs it, and a folder.
    with tempfile.TemporaryDirectory() as folder, readable(examples):
        oracle = make_oracle(settings, state_path=Path(folder) / "unused")
        try:
            Tuner(examples, settings, oracle, folder=Path(folder) / "keras-tuner").search()
        except FatalError as error:
            raise error.__cause__ or error from None


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else None))
