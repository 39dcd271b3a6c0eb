"""The set-up of the test session: a deterministic TensorFlow on one thread per operation, and artifacts that tests share.

Nothing here imports TensorFlow: a worker whose tests do without it starts at once.
"""

from __future__ import annotations

import fcntl
import gc
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest
from _pytest.nodeid import coerce_node_id

# Read when TensorFlow, OpenMP and OpenBLAS are loaded, and inherited by the processes that tests start. Two workers share
# two cores: more threads would only wait for each other.
os.environ.update(
    TF_DETERMINISTIC_OPS="1",
    TF_NUM_INTRAOP_THREADS="1",
    OMP_NUM_THREADS="1",
    OPENBLAS_NUM_THREADS="1",
    TF_CPP_MIN_LOG_LEVEL="2",
)

# Where a person's trusted generators are remembered (`pipeline.core.trust`): one folder for all workers of a session.
if "PYTEST_XDIST_WORKER" not in os.environ:
    _data_home = tempfile.TemporaryDirectory(prefix="latent-mill-tests-")
    os.environ["XDG_DATA_HOME"] = _data_home.name

# `ci` looks longer than a developer wants to wait. No deadlines: no test depends on how fast the machine is.
hypothesis.settings.register_profile("dev", deadline=None, max_examples=25)
hypothesis.settings.register_profile("ci", deadline=None, max_examples=100, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "dev")

_FOLDERS = {"browser": "browser", "orchestration": "tfx"}  # markers of whole folders


def pytest_sessionstart() -> None:
    """Search for no garbage while test files are imported."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Search for garbage from here on."""
    gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests of whole folders; send the tests of one file to one worker, which shares its fixtures; slow files first."""
    tests = Path(__file__).parent
    for item in items:
        path = item.path.relative_to(tests)
        if path.parts[0] in _FOLDERS:
            item.add_marker(_FOLDERS[path.parts[0]])
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(path.as_posix()))
        if getattr(config.option, "loadgroup", False):
            # pytest-xdist 3.8 appends the group through `_nodeid`, which pytest 9.2 does not read: no test was grouped.
            group = next(item.iter_markers("xdist_group")).args[0]
            item._id = coerce_node_id(f"{item.nodeid}@{group}")
    # The longest files first, so that no worker is left with one of them when the other has nothing more to do.
    slow = {item.path for item in items if item.get_closest_marker("process") is not None}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session", autouse=True)
def unflushed() -> Iterator[None]:
    """Flush no file to disk in this process: thousands of flushes take a while, and no test cuts the power."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        patch.setattr(os, "sync", lambda: None)
        yield


_spared = 0  # modules whose objects are not searched


@pytest.fixture(autouse=True)
def spared() -> None:
    """Spare the search for garbage what imports have made, which is never garbage: a search takes a tenth of the time then."""
    global _spared
    if len(sys.modules) > _spared + 200:
        gc.collect()
        gc.freeze()
        _spared = len(sys.modules)


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Seed random numbers that a test draws without a seed: a deterministic TensorFlow refuses to draw them unseeded."""
    if "keras" in sys.modules:
        import keras

        keras.utils.set_random_seed(0)


Build = Callable[[Path], object]
Once = Callable[[str, Build], Path]


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Once]:
    """Build a folder once for all workers: ``once("tiny-model", build)`` calls ``build(folder)`` in the first that asks.

    The folder is read-only by agreement; the session fails where a test has changed it.
    """
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent  # which the workers share
    built: dict[Path, dict[Path, int]] = {}

    def get(name: str, build: Build) -> Path:
        folder, whole = root / "once" / name, root / "once" / f".{name}.whole"
        folder.parent.mkdir(exist_ok=True)
        with (folder.parent / f".{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not whole.exists():
                folder.mkdir(exist_ok=True)
                build(folder)
                whole.touch()
        built.setdefault(folder, _times(folder))
        return folder

    yield get
    changed = [str(folder) for folder, times in built.items() if _times(folder) != times]
    assert not changed, f"a test changed what all tests share: {changed}"


def _times(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def decode_here() -> Iterator[None]:
    """Let `recipe` decode in the test's process, and not in one that survives a decoder's crash and takes a second to start."""
    from helpers.decoder_here import DecoderHere

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.recipes.look.IsolatedDecoder", DecoderHere)
        yield
