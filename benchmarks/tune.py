"""Our search beside a random search of full-budget trials: the same space, images, network and seed, one process, one run.

    .venv/bin/python -m benchmarks.tune --data ../shared/data/fashion-mnist
    .venv/bin/python -m benchmarks.tune --data runs/demo/examples --recipe demo --trials 4 --epochs 3 --images 1000

Ours first trains candidates for few epochs on a part of the images (Hyperband), and ends those behind the median. The peer is
KerasTuner's random search, each trial with all epochs on all images. Both are judged alike: by the winner's validation ELBO after
all epochs. Overhead is what a search takes beyond the steps of training: building and tracing networks, judging, bookkeeping.
The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics as stats
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pyarrow.parquet as pq

from benchmarks.ours import load_examples
from components.engine.device import prepare_device
from components.tune import trial
from components.tune.component import tune
from pipeline.recipes.load import load_recipe
from schemas.artifacts.kinds import Examples, HyperParameters
from schemas.recipe.settings import TuneSettings

SPACE = {
    "model.latent_dim": [2, 4, 8, 16, 32],
    "train.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
    "train.batch_size": [64, 128, 256],
}


@dataclass
class Clock:
    """How long all trials have taken so far.

    Attributes:
        training: Seconds of training steps; the first step of a trial, which traces, counts as a usual one.
        judging: Seconds of measuring the validation ELBO.
        trials: How many trials there were.
        steps: Seconds of each step of the running trial.
    """

    training: float = 0.0
    judging: float = 0.0
    trials: int = 0
    steps: list[float] = field(default_factory=list)


CLOCK = Clock()


class TimedJudge(trial.Judge):
    """The callback that judges a trial; it also records times in CLOCK."""

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Count the trial."""
        CLOCK.trials += 1
        CLOCK.steps = []

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Start the step's clock."""
        self.step_start = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Record the step's seconds."""
        super().on_train_batch_end(batch, logs)
        CLOCK.steps.append(time.perf_counter() - self.step_start)

    def measure(self, *, whole: bool) -> float:
        """Measure the validation ELBO, and record the seconds."""
        start = time.perf_counter()
        elbo = super().measure(whole=whole)
        CLOCK.judging += time.perf_counter() - start
        return elbo

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Record the trial's seconds of training."""
        first, *others = CLOCK.steps
        CLOCK.training += sum(others) + min(first, stats.median(others or [first]))  # the first traces the network


def run_search(examples: Examples, settings: TuneSettings, folder: Path) -> dict[str, Any]:
    """Run a search; return its result and the time it took."""
    global CLOCK
    CLOCK = Clock()
    artifact = HyperParameters(folder / "artifact", work=folder / "work")
    artifact.path.mkdir(parents=True)
    artifact.work.mkdir(parents=True)
    start = time.perf_counter()
    counts = tune(examples, artifact, settings)
    wall = time.perf_counter() - start
    summary = json.loads(artifact.summary_path.read_bytes())
    rows = pq.read_table(artifact.trials_path).to_pylist()
    return {
        "val_elbo": round(summary["val_elbo"], 3),
        "values": summary["values"],
        "seconds": round(wall, 1),
        **counts,
        "epochs_run": sum(row["epochs_run"] for row in rows),
        "training_seconds": round(CLOCK.training, 1),
        "judging_seconds_per_trial": round(CLOCK.judging / CLOCK.trials, 3),
        "overhead_seconds_per_trial": round((wall - CLOCK.training) / CLOCK.trials, 3),
    }


def main() -> None:
    """Print a line per search, and one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="Examples, or images for the recipe's source")
    parser.add_argument("--recipe", default="fashion_bn", help="its network and loss are searched")
    parser.add_argument("--oracle", default="hyperband", choices=["hyperband", "bayesian", "random"], help="ours")
    parser.add_argument("--trials", type=int, default=30, help="of the random search, and at most of ours")
    parser.add_argument("--epochs", type=int, default=9, help="of a full-budget trial")
    parser.add_argument("--images", type=int, default=10_000, help="of a full-budget trial")
    options = parser.parse_args()

    device = prepare_device()
    trial.Judge = TimedJudge  # type: ignore[misc]
    with tempfile.TemporaryDirectory() as folder:
        examples = load_examples(options.data, options.recipe, Path(folder) / "runs")
        settings = TuneSettings.of(load_recipe(options.recipe))
        budget = {"max_trials": options.trials, "epochs": options.epochs, "max_images": options.images}
        section = type(settings.tune).model_validate({"space": SPACE, "workers": 1, **budget})
        ours = section.model_copy(update={"oracle": options.oracle, "stop_early": True})
        peer = section.model_copy(update={"oracle": "random", "stop_early": False})
        results = {
            name: run_search(examples, replace(settings, tune=search), Path(folder) / name)
            for name, search in (("ours", ours), ("random", peer))
        }
    gap = results["ours"]["val_elbo"] - results["random"]["val_elbo"]
    figures = {
        "benchmark": "tune",
        "recipe": options.recipe,
        "device": device,
        "oracle": options.oracle,
        **budget,
        "space": SPACE,
        **results,
        "gap_percent": round(100 * gap / abs(results["random"]["val_elbo"]), 3),  # above 0: ours is better
        "time_ratio": round(results["ours"]["seconds"] / results["random"]["seconds"], 3),
    }
    for name, row in results.items():
        print(
            f"{name:<7} best validation ELBO {row['val_elbo']:10.3f}  {row['seconds']:8.1f} s  {row['trials']:>3} trials, "
            f"{row['epochs_run']:>4} epochs, overhead {row['overhead_seconds_per_trial']:.2f} s a trial"
        )
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
