"""The figure of the runs' codes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.by_hand import write_recipe
from helpers.runs_by_hand import write_run
from matplotlib.figure import Figure

from components.reporting import tsne
from pipeline.tools.compare.codes import draw_codes
from pipeline.tools.compare.images import Inputs, Outputs, choose_test_images
from pipeline.tools.compare.runs import read_runs


def test_codes_are_drawn_with_a_panel_for_each_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plain = write_recipe(tmp_path, "plain")
    plain = plain.model_copy(update={"loss": plain.loss.model_copy(update={"kl": "none"})})
    for name, recipe in (("vae", write_recipe(tmp_path, "vae")), ("plain", plain)):
        write_run(tmp_path / name, recipe, labels=["cat", "dog"])
    runs = read_runs(["vae", "plain"], runs=tmp_path)
    test_images = choose_test_images(runs)
    assert test_images is not None
    none = np.zeros((0, 8, 8, 1), np.uint8)
    codes = np.random.default_rng(0).normal(size=(2, 12, 3)).astype(np.float32)
    inputs = Inputs(None, np.zeros(0, np.int64), "")
    outputs = [Outputs(run, 3, inputs, none, none, none, codes=of_run) for run, of_run in zip(runs, codes, strict=True)]
    drawn: list[Any] = []

    def scatter(panels: Any, **options: Any) -> Any:
        drawn.append((panels, options))
        return Figure(figsize=(1, 1))

    monkeypatch.setattr(tsne, "tsne_scatter", scatter)
    plot = draw_codes(outputs, test_images)
    assert plot is not None
    assert plot.alt.endswith("one for each run: vae, plain; coloured by label.")
    [(panels, options)] = drawn
    assert [title for title, _ in panels] == ["vae", "plain, a plain autoencoder"]
    for (_, points), of_run in zip(panels, codes, strict=True):
        np.testing.assert_array_equal(points, tsne.embed(of_run, seed=0))
    assert options["labels"].tolist() == [0, 1] * 6
    assert options["names"] == ("cat", "dog")
    assert draw_codes([], test_images) is None
