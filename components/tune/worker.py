"""A process that runs trials for a chief: ``python -m components.tune.worker TASK [FD]``.

KerasTuner's environment variables say who it is and whom to ask (see docs/distributed.md). Without FD it was started by
hand, on another machine.
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
from pydantic import TypeAdapter

from components.engine.device import prepare_device
from components.examples.dataset import readable
from components.tune.oracles import make_oracle
from components.tune.tuner import Tuner
from components.workers.child import report_error
from components.workers.lifetime import leave_with_parent
from schemas.artifacts.kinds import Examples
from schemas.errors import DataError, UsageError
from schemas.recipe.settings import TuneSettings

NAMES = ("KERASTUNER_TUNER_ID", "KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT")
ANSWER_SECONDS = 300  # KerasTuner would wait an hour for a chief that is gone


def main(task: Path, pipe: int | None) -> int:
    """Runs trials until the chief has no more; returns the exit status."""
    oracle_client.TIMEOUT = ANSWER_SECONDS
    if pipe is not None:
        leave_with_parent()
    try:
        run(task)
    except (DataError, UsageError) as error:
        message = str(error)
    except grpc.RpcError as error:
        said = (error.details() or "").strip().splitlines()
        detail = ": ".join([error.code().name, *said[-1:]])
        message = f"KERASTUNER_ORACLE_IP: expected a chief that answers, found an error ({detail})"
    except Exception as error:  # a mistake of ours, which every trial would meet
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
    """Asks for trials and runs them.

    Raises:
        UsageError: The environment or the task is not as it should be.
        DataError: A shard is broken.
    """
    if missing := [name for name in NAMES if not os.environ.get(name)]:
        raise UsageError(f"{', '.join(missing)}: expected in the environment, found nothing (docs/distributed.md)")
    if "chief" in os.environ[NAMES[0]]:
        raise UsageError(f"{NAMES[0]}: expected a name without the word chief, found {os.environ[NAMES[0]]}")
    try:
        found = json.loads(task.read_bytes())
    except OSError as error:
        raise UsageError(f"{task}: expected the chief's task, found none ({error.strerror})") from None
    settings = TypeAdapter(TuneSettings).validate_python(found["settings"])
    prepare_device(deterministic=settings.train.deterministic)
    examples = Examples(Path(found["examples"]))
    # KerasTuner asks the chief's oracle in place of this one, which never sees a trial, and wants a folder all the same.
    with tempfile.TemporaryDirectory() as folder, readable(examples):
        oracle = make_oracle(settings, state_path=Path(folder) / "unused")
        try:
            Tuner(examples, settings, oracle, folder=Path(folder) / "keras-tuner").search()
        except FatalError as error:
            raise error.__cause__ or error from None


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else None))
