"""References of metrics: a floor or a ceiling to compare a value with, or that there is none."""

from __future__ import annotations

import math

from components.evaluate.reconstruction.measure import Measurement
from components.evaluate.report.wording import mean
from components.reporting.numbers import as_loss, with_error

NONE = "There is no floor: it depends on the images. Compare it between models of the same images."


def reference(name: str, measurement: Measurement) -> str:
    """Return a metric's reference in a sentence; `name` is a `Metric.name`."""
    if name in measurement.plain_colour:
        value = with_error(measurement.plain_colour[name], measurement.estimates[name].standard_error)[0]
        return f"One colour, the training images’ mean, in place of every reconstruction reaches {value}."
    if name == "iwae" and "elbo" in measurement.estimates:
        return f"Its floor is the ELBO, {mean(measurement.estimates['elbo'])}."
    if name == "bits_per_dim":
        return "Pixels as they are take 8 bits."
    if name == "kl":
        floor = "Its floor is 0: codes that carry no information."
        gap = measurement.aggregate.gap if measurement.aggregate else math.nan
        if not math.isfinite(gap):
            return floor
        gap_text = as_loss(gap, of=measurement.estimates["kl"].value)
        return f"{floor} Of it, {gap_text} nats are the divergence of all codes together from N(0, I)."
    return NONE
