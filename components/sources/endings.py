"""Endings of file names: which files are images, and which are beside them."""

from __future__ import annotations

# Of what cameras write before it is developed: mostly TIFFs, of which Pillow would read a small preview.
CAMERA_RAW_ENDINGS = frozenset({
    ".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".srf", ".sr2", ".srw", ".orf", ".raf", ".rw2", ".rwl", ".pef",
    ".x3f", ".3fr", ".fff", ".iiq", ".erf", ".kdc", ".dcr", ".mef", ".mrw",
})  # fmt: skip
# Of formats that are images, whether this project reads them or not: such a file is never only beside the images.
IMAGE_ENDINGS = CAMERA_RAW_ENDINGS | {
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".gif", ".bmp", ".dib", ".tif", ".tiff", ".webp", ".ppm",
    ".pgm", ".pbm", ".pnm", ".heic", ".heif", ".avif", ".jxl", ".jp2", ".j2k", ".psd", ".ico", ".tga", ".exr",
    ".dcm", ".svg", ".hdr", ".pcx",
}  # fmt: skip
# Of images that Pillow opens, with the packages that this project names.
READABLE_ENDINGS = IMAGE_ENDINGS - CAMERA_RAW_ENDINGS - {
    ".jxl", ".jp2", ".j2k", ".psd", ".ico", ".tga", ".exr", ".dcm", ".svg", ".hdr", ".pcx",
}  # fmt: skip
# Of files that people keep beside images.
OTHER_ENDINGS = frozenset({
    ".txt", ".json", ".jsonl", ".csv", ".tsv", ".xml", ".db", ".parquet", ".md", ".html", ".htm", ".pdf", ".yaml",
    ".yml", ".ini", ".log", ".cls", ".npy", ".npz", ".mat", ".pkl", ".pickle", ".h5", ".hdf5", ".tfrecord", ".zip",
    ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".mp4", ".mov", ".avi", ".mkv", ".py", ".ipynb", ".sh",
    ".doc", ".docx", ".xls", ".xlsx", ".url", ".lnk", ".sqlite", ".pt", ".pth", ".onnx", ".mp3", ".wav", ".sha256",
})  # fmt: skip


def ending_of(name: str) -> str:
    """Return the ending of a file's name in small letters, ``.txt``; "" without one."""
    last = name.rpartition("/")[2]
    stem, dot, ending = last.rpartition(".")
    return f".{ending.lower()}" if dot and stem else ""


def is_other(name: str) -> bool:
    """Return whether a file's ending says that it is no image."""
    return ending_of(name) in OTHER_ENDINGS


def may_be_used(name: str) -> bool:
    """Return whether nothing in a file's name speaks against its use: its ending, or folders that lead out of an archive."""
    unreadable = is_image(name) and ending_of(name) not in READABLE_ENDINGS
    return not unreadable and not name.startswith("/") and ".." not in name.split("/")


def is_image(name: str) -> bool:
    """Return whether a file's ending says that it is an image."""
    return ending_of(name) in IMAGE_ENDINGS


def is_camera_raw(name: str) -> bool:
    """Return whether a file's ending says that a camera wrote it, and that it is still to be developed."""
    return ending_of(name) in CAMERA_RAW_ENDINGS
