"""The distance between the power spectra of two sets of images: how much of each fineness of detail they have.

Radial averages of power spectra tell generated images from real ones by their high frequencies: Durall et al. 2020, "Watch
your Up-Convolution", section 3.1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Power of rounding to 8 bits, a variance of 1/12 level: below it, there is nothing in a file.
ROUNDING = 1.0 / (12.0 * 255.0**2)

Images = NDArray[np.float32]  # [B, H, W, C], scale 0 to 1
Spectra = NDArray[np.float32]  # [n, C, radii]


def spectra_of(images: Images) -> Spectra:
    """Return each image's mean power at each whole radius of spatial frequency, from 1 to half the shorter side.

    Borders are faded out by a Hann window, because a transform takes an image's opposite borders for neighbours. Power is per
    pixel: an image of noise of variance v has power v at every radius.
    """
    height, width = images.shape[1:3]
    shorter = min(height, width)
    window = np.outer(_hann(height), _hann(width))
    window /= np.sqrt(np.mean(np.square(window)))
    centred = images - images.mean(axis=(1, 2), keepdims=True)
    transformed = np.fft.fft2(centred * window[:, :, None], axes=(1, 2))
    power = np.square(np.abs(transformed)) / (height * width)
    rows, columns = np.fft.fftfreq(height), np.fft.fftfreq(width)
    radius = np.rint(np.hypot(rows[:, None], columns) * shorter).astype(int)
    rings = [radius == number for number in range(1, shorter // 2 + 1)] or [
        radius >= 0
    ]  # of images of one row or column
    return np.stack([power[:, ring].mean(axis=1) for ring in rings], axis=-1).astype(np.float32)


def spectral_distance(real: Spectra, other: Spectra) -> float:
    """Return how far two sets' mean spectra are apart, in decibels; 0: they are equal.

    It is the root mean square of the difference, over radii and channels.
    """
    decibels = [10.0 * np.log10(spectra.mean(axis=0, dtype=np.float64) + ROUNDING) for spectra in (real, other)]
    return float(np.sqrt(np.mean(np.square(decibels[0] - decibels[1]))))


def _hann(length: int) -> NDArray[np.float64]:
    """Return a periodic Hann window without zeros."""
    window: NDArray[np.float64] = np.square(np.sin(np.pi * (np.arange(length) + 0.5) / length))
    return window
