"""Beam's other runners: their options are checked before anything is sent, and how a job ends is said in one line."""

from __future__ import annotations

import contextlib
import difflib
import io
import logging
import re
from collections.abc import Sequence

import apache_beam as beam
import grpc
from apache_beam.options.pipeline_options import PipelineOptions, PortableOptions, StandardOptions
from apache_beam.portability.api import beam_job_api_pb2, beam_job_api_pb2_grpc
from apache_beam.runners.runner import PipelineState

from schemas.errors import DataError, UsageError

ENDPOINT_SECONDS = 10.0  # a job service that is there answers in less
KEPT = "what is finished is kept, and the same command continues"


def runner_of(options: PipelineOptions) -> str | None:
    """The runner that `beam.options` names, if any."""
    return options.view_as(StandardOptions).runner


def checked_options(words: Sequence[str]) -> PipelineOptions:
    """Reads `beam.options`. Beam itself drops what it does not know with a warning; here that is an error.

    Raises:
        UsageError: An option that neither Beam nor the job service knows, a value that it does not take, a runner that is
            not offered, or no job service where one should be.
    """
    options = _parse(words)
    runner, endpoint = runner_of(options), options.view_as(PortableOptions).job_endpoint
    if runner and "dask" in runner.lower():
        raise UsageError(
            f"beam.options: expected a runner that keeps every element, found --runner={runner}, which loses some in "
            "Beam 2.77; take FlinkRunner, SparkRunner, DataflowRunner or PortableRunner"
        )
    if endpoint and not runner:
        raise UsageError(
            f"beam.options: expected --runner=PortableRunner or another beside --job_endpoint={endpoint}, found no runner"
        )
    known = set(options.get_all_options())
    if endpoint and endpoint != "embed":
        known |= _known_to(endpoint)
    # Beam's own way to keep unknown options; those that only this way brings are unknown.
    for name in sorted(set(options.get_all_options(retain_unknown_options=True)) - known):
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean --{close[0]}?" if close else ""
        raise UsageError(f"beam.options: expected options that Beam knows, found --{name}{hint}")
    return options


def _parse(words: Sequence[str]) -> PipelineOptions:
    before = ""
    for word in words:
        takes_value = before.startswith("--") and "=" not in before
        if not word.startswith("--") and not takes_value:
            raise UsageError(f"beam.options: expected options that begin with --, found {word!r}")
        before = word
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            options = PipelineOptions(list(words))
            options.get_all_options()  # reads them all: here argparse refuses values, and ends the process
    except SystemExit:
        complaint = said.getvalue().strip().splitlines()[-1]
        raise UsageError(f"beam.options: {complaint.partition('error: ')[2]}") from None
    return options


def _known_to(endpoint: str) -> set[str]:
    """The options that the job service at this address takes, beside Beam's own.

    Raises:
        UsageError: There is none.
    """
    with grpc.insecure_channel(endpoint) as channel:
        try:
            answer = beam_job_api_pb2_grpc.JobServiceStub(channel).DescribePipelineOptions(
                beam_job_api_pb2.DescribePipelineOptionsRequest(), timeout=ENDPOINT_SECONDS
            )
        except grpc.RpcError as error:
            raise UsageError(
                f"beam.options: expected a job service at --job_endpoint={endpoint}, found none ({_line(error)})"
            ) from None
    return {option.name for option in answer.options}


def open_pipeline(options: PipelineOptions) -> beam.Pipeline:
    """A pipeline on the runner that the options name.

    Raises:
        UsageError: Beam has no such runner, or the runner lacks an option or a package.
    """
    try:
        return beam.Pipeline(options=options)
    except (ValueError, ImportError, AttributeError) as error:
        raise UsageError(f"beam.options: --runner={runner_of(options)}: {_line(error)}") from None


def run_to_end(pipeline: beam.Pipeline) -> None:
    """Runs a pipeline, and waits. A job that does not end well, or that nobody waits for any more, is cancelled.

    Raises:
        UsageError: The runner lacks an option.
        DataError: The job failed, or gave no sign for `--job_server_timeout` seconds.
    """
    runner = runner_of(pipeline.options)  # asked now: the portable runner removes its own name
    timeout = pipeline.options.view_as(PortableOptions).job_server_timeout
    try:
        result = pipeline.run()
        try:
            state = result.wait_until_finish()
        except BaseException:  # Ctrl-C, too: nobody should go on writing
            with contextlib.suppress(Exception):
                result.cancel()
            raise
    except (UsageError, DataError):
        raise
    except (NotImplementedError, ValueError) as error:  # what the runner says of its options
        raise UsageError(f"beam.options: --runner={runner}: {_line(error)}") from None
    except Exception as error:
        logging.getLogger(__name__).exception("the job on %s failed", runner)
        if isinstance(error, grpc.Call) and error.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
            found = (
                f" it still running after --job_server_timeout={timeout} seconds: a worker died, which not every job service "
                "notices, or the work takes longer"
            )
        else:
            found = f": {_line(error)}"
        raise DataError(f"beam.options: expected the job on {runner} to finish, found{found}; {KEPT}") from None
    if state != PipelineState.DONE:
        raise DataError(f"beam.options: expected the job on {runner} to finish, found it {state}; {KEPT}")


def _line(error: Exception) -> str:
    """The line of an error that says most: of a worker's traceback, which comes as text, the last."""
    if isinstance(error, grpc.Call):
        return f"{error.code().name}: {error.details()}"
    text = str(error)
    if of_server := re.findall(r'^\s*details = "(.+)"$', text, re.MULTILINE):
        return of_server[-1]
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:400] if lines else type(error).__name__
