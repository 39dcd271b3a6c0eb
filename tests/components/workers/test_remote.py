"""`beam.options` is checked before anything is sent: an error is one line, within seconds."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path

import grpc
import pytest
from apache_beam.options.pipeline_options import PortableOptions
from apache_beam.portability.api import beam_job_api_pb2, beam_job_api_pb2_grpc
from helpers.paths import ROOT
from helpers.unit_workers import WriteDoFn

from components.workers import remote
from components.workers.runner import UnitDoFn, run_units
from schemas.errors import DataError, UsageError
from schemas.recipe.recipe import BeamSection


class FlinkLike(beam_job_api_pb2_grpc.JobServiceServicer):
    """A job service that takes an option which Beam does not know, as Flink's does."""

    def DescribePipelineOptions(self, request: object, context: object) -> object:  # noqa: N802
        option = beam_job_api_pb2.PipelineOptionDescriptor(name="auto_balance_write_files_sharding_enabled")
        return beam_job_api_pb2.DescribePipelineOptionsResponse(options=[option])


@pytest.fixture
def job_service() -> Iterator[str]:
    """Yield the address of a job service."""
    server = grpc.server(futures.ThreadPoolExecutor(1))
    beam_job_api_pb2_grpc.add_JobServiceServicer_to_server(FlinkLike(), server)
    port = server.add_insecure_port("localhost:0")
    server.start()
    yield f"localhost:{port}"
    server.stop(None).wait()


@pytest.fixture
def unused_address() -> Iterator[str]:
    """Yield an address without a server, reserved so that none can start there."""
    with socket.socket() as reserved:
        reserved.bind(("localhost", 0))
        yield f"localhost:{reserved.getsockname()[1]}"


def run(tmp_path: Path, *words: str, units: tuple[str, ...] = ("one",)) -> None:
    """Run the units with these options."""
    paths = [str(tmp_path / unit) for unit in units]
    run_units("test", paths, WriteDoFn(), settings=BeamSection(options=words), large=False)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--runner=PortableRunner", "--job_endpont=localhost:1"], "found --job_endpont; did you mean --job_endpoint?"),
        (["--nothing_like_it"], "found --nothing_like_it$"),
        (["--job_server_timeout=soon"], "argument --job_server_timeout.*: invalid int value: 'soon'"),
        (["runner=FlinkRunner"], "expected options that begin with --, found 'runner=FlinkRunner'"),
        (["--runner=FlinkRunner", "stray"], "expected options that begin with --, found 'stray'"),
        (["--job_endpoint=localhost:1"], "expected --runner=PortableRunner .* beside --job_endpoint=localhost:1"),
        (["--runner=DaskRunner"], "found --runner=DaskRunner, which loses some"),
        (["--runner", "apache_beam.runners.dask.dask_runner.DaskRunner"], "which loses some in Beam"),
        (["--runner=NoSuchRunner"], "--runner=NoSuchRunner: Unexpected pipeline runner"),
        (["--runner=no.such.Runner"], "--runner=no.such.Runner: No module named"),
        (["--runner=PortableRunner"], "--runner=PortableRunner: You must specify a --job_endpoint"),
    ],
)
def test_options_that_cannot_work_are_one_line(tmp_path: Path, words: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=rf"^beam\.options: .*{message}") as error:
        run(tmp_path, *words)
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


def test_a_job_endpoint_without_a_server_is_named(tmp_path: Path, unused_address: str) -> None:
    expected = rf"^beam\.options: expected a job service at --job_endpoint={unused_address}, found none"
    with pytest.raises(UsageError, match=expected):
        run(tmp_path, "--runner=PortableRunner", f"--job_endpoint={unused_address}")


def test_a_server_that_is_no_job_service_is_named(tmp_path: Path) -> None:
    server = grpc.server(futures.ThreadPoolExecutor(1))
    endpoint = f"localhost:{server.add_insecure_port('localhost:0')}"
    server.start()
    try:
        with pytest.raises(UsageError, match=rf"job service at --job_endpoint={endpoint}, found none \(UNIMPLEMENTED"):
            run(tmp_path, "--runner=PortableRunner", f"--job_endpoint={endpoint}")
    finally:
        server.stop(None).wait()


def test_an_option_of_the_job_service_is_taken_and_a_misspelt_one_is_not(job_service: str) -> None:
    words = ["--runner=FlinkRunner", f"--job_endpoint={job_service}"]
    options = remote.parse_options([*words, "--auto_balance_write_files_sharding_enabled=true"])
    assert options.view_as(PortableOptions).job_endpoint == job_service
    with pytest.raises(UsageError, match="did you mean --auto_balance_write_files_sharding_enabled"):
        remote.parse_options([*words, "--auto_balance_write_file_sharding=true"])


def test_a_runner_that_is_named_does_the_work(tmp_path: Path) -> None:
    run(tmp_path, "--runner=FnApiRunner", units=("one", "two"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


def test_a_job_that_fails_on_a_portable_runner_is_one_line(tmp_path: Path) -> None:
    words = ["--runner=PortableRunner", "--job_endpoint=embed", "--environment_type=LOOPBACK"]
    with pytest.raises(DataError, match=r"expected the job on PortableRunner to finish, found: ") as error:
        run(tmp_path, *words, units=("bad",))
    assert str(error.value).endswith("run the same command again: it resumes")
    assert "\n" not in str(error.value)


def test_a_worker_says_which_folder_it_does_not_see(tmp_path: Path) -> None:
    worker = UnitDoFn()
    worker.folder = str(tmp_path / "elsewhere")
    with pytest.raises(
        DataError, match=r"elsewhere: expected on worker .* the folder in which the command was started"
    ):
        worker.setup()


def test_relative_paths_mean_on_a_worker_what_they_mean_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = UnitDoFn()
    worker.folder = str(tmp_path)
    monkeypatch.chdir("/")  # the worker's own folder
    worker.setup()
    assert os.getcwd() == str(tmp_path.resolve())


def test_beam_knows_every_option_of_the_documented_commands() -> None:
    commands = re.findall(r"beam\.options=\[(.*?)\]", (ROOT / "docs" / "distributed.md").read_text())
    assert len(commands) >= 4
    for command in commands:
        words = [word for word in command.split(",") if not word.startswith("--job_endpoint=")]
        assert remote.runner_name(remote.parse_options(words)) in {"PortableRunner", "DataflowRunner"}
