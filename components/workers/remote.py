"""Beam's other runners: checks their options before anything is sent, and turns the end of a job into one line."""

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

ENDPOINT_SECONDS = 10.0  # a running job service answers in less
RESUME_HINT = "run the same command again: it resumes"


def runner_name(options: PipelineOptions) -> str | None:
    """Return the runner that `beam.options` names, if any."""
    runner: str | None = options.view_as(StandardOptions).runner
    return runner


def parse_options(words: Sequence[str]) -> PipelineOptions:
    """Parse `beam.options`; an unknown option, which Beam itself drops with a warning, is an error here.

    Raises:
        UsageError: Neither Beam nor the job service knows an option, a value is not accepted, a runner is not supported, or
            no job service answers.
    """
    options = _parse_words(words)
    runner, endpoint = runner_name(options), options.view_as(PortableOptions).job_endpoint
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
        known |= _options_of_service(endpoint)
    for name in sorted(set(options.get_all_options(retain_unknown_options=True)) - known):
        similar_names = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean --{similar_names[0]}?" if similar_names else ""
        raise UsageError(f"beam.options: expected options that Beam knows, found --{name}{hint}")
    return options


def _parse_words(words: Sequence[str]) -> PipelineOptions:
    previous = ""
    for word in words:
        takes_value = previous.startswith("--") and "=" not in previous
        if not word.startswith("--") and not takes_value:
            raise UsageError(f"beam.options: expected options that begin with --, found {word!r}")
        previous = word
    stderr = io.StringIO()
    try:
        with contextlib.redirect_stderr(stderr):
            options = PipelineOptions(list(words))
            options.get_all_options()  # parses all of them; for a wrong value argparse exits
    except SystemExit:
        message = stderr.getvalue().strip().splitlines()[-1]
        raise UsageError(f"beam.options: {message.partition('error: ')[2]}") from None
    return options


def _options_of_service(endpoint: str) -> set[str]:
    """Ask the job service at this address for the options that it accepts besides Beam's own.

    Raises:
        UsageError: No job service answers.
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
    """Create a pipeline on the runner that the options name.

    Raises:
        UsageError: Beam has no such runner, or the runner lacks an option or a package.
    """
    try:
        return beam.Pipeline(options=options)
    except (ValueError, ImportError, AttributeError) as error:
        raise UsageError(f"beam.options: --runner={runner_name(options)}: {_line(error)}") from None


def run_and_wait(pipeline: beam.Pipeline) -> None:
    """Run a pipeline to its end; cancel the job if it fails or the user stops waiting.

    Raises:
        UsageError: The runner lacks an option.
        DataError: The job failed, or did not answer for `--job_server_timeout` seconds.
    """
    runner = runner_name(pipeline.options)  # read before the run, in which the portable runner removes its own name
    timeout = pipeline.options.view_as(PortableOptions).job_server_timeout
    try:
        result = pipeline.run()
        try:
            state = result.wait_until_finish()
        except BaseException:  # Ctrl-C too: workers must not go on writing
            with contextlib.suppress(Exception):
                result.cancel()
            raise
    except (UsageError, DataError):
        raise
    except (NotImplementedError, ValueError) as error:  # a runner's complaint about its options
        raise UsageError(f"beam.options: --runner={runner}: {_line(error)}") from None
    except Exception as error:
        logging.getLogger(__name__).exception("the job on %s failed", runner)
        if isinstance(error, grpc.Call) and error.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
            outcome = (
                f" it still running after --job_server_timeout={timeout} seconds: a worker died, which not every job service "
                "notices, or the work takes longer"
            )
        else:
            outcome = f": {_line(error)}"
        raise DataError(
            f"beam.options: expected the job on {runner} to finish, found{outcome}; {RESUME_HINT}"
        ) from None
    if state != PipelineState.DONE:
        raise DataError(f"beam.options: expected the job on {runner} to finish, found it {state}; {RESUME_HINT}")


def _line(error: Exception) -> str:
    """Return the most useful line of an error: the last one of a worker's traceback, which Beam passes as text."""
    if isinstance(error, grpc.Call):
        return f"{error.code().name}: {error.details()}"
    text = str(error)
    if server_details := re.findall(r'^\s*details = "(.+)"$', text, re.MULTILINE):
        return str(server_details[-1])
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:400] if lines else type(error).__name__
