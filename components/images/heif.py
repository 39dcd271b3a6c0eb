"""HEIC images, as telephones write them, by pillow-heif, where the extra `heif` is installed."""

from __future__ import annotations

from functools import cache


@cache
def register_heif() -> bool:
    """Let Pillow open HEIC images; return whether it can. The package is loaded at the first such image."""
    try:
        import pillow_heif
    except ImportError:
        return False
    # Only the picture itself is read.
    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
    return True
