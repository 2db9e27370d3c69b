"""The demonstration of `almanac emulate`: a local cloud, a daily run on it, what comes in after it,
and the next day's run."""

from __future__ import annotations

import datetime as dt
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path

from rich.console import Console

from almanac.commands.exit_codes import FAILURE, OK, failed
from almanac.commands.progress import progress_bars
from almanac.config import Config, first_send_date
from almanac.errors import AlmanacError
from almanac.generation import generate
from almanac.logs import configure
from almanac.messaging.messages import RunRequest, to_json
from almanac.messaging.subscriptions import SUBSCRIPTIONS
from almanac.names import daily_run_id
from almanac.organizations.transfer import push
from almanac.progress import Progress
from almanac.report.text import console_for, heading, paragraph, table
from almanac.runs.push_endpoint import DELIVERY
from almanac.runs.results import RunResult, result_of
from almanac.runs.run_plan import plan_or_none
from almanac.storage import layout
from almanac_emulation.functions import INTAKE, STATUS, default_sources
from almanac_emulation.local_cloud import LocalCloud
from almanac_emulation.loop import Between, Happened
from almanac_emulation.requirements import require_everything
from almanac_emulation.traces import Traces, trace_receiver

ORG = "demo"
EXAMPLE = Path(__file__).parents[2] / "examples" / "send.py"
SEED = 1
SPANS = 12  # of the table
_POLL_SECONDS = 0.1
_LOG_SECONDS = 5.0
_STALLED_SECONDS = 300.0  # without any progress


def run_demo(contacts: int, functions: Path | None, keep: bool, one_run: bool) -> int:
    """Start a local cloud, plan a generated agency, print the result, and stop the cloud.

    functions: the folder of the functions, by default the repository's. one_run: without what comes
    in after it, and the next day's. With keep the cloud runs until Ctrl-C. Return the exit code.
    """
    require_everything()
    configure("WARNING")  # shows that a process died and was restarted
    folder = Path(tempfile.mkdtemp(prefix="almanac-emulate-"))
    try:
        with trace_receiver() as traces:
            sources = functions or default_sources()
            cloud = LocalCloud(folder, sources, environment=traces.environment())
            return _run(cloud, traces, contacts, keep, one_run)
    finally:
        with suppress(OSError):
            folder.rmdir()  # succeeds only if it holds no logs


def _run(cloud: LocalCloud, traces: Traces, contacts: int, keep: bool, one_run: bool) -> int:
    console = console_for(sys.stdout)
    with ExitStack() as stack:
        with progress_bars() as progress:
            progress("start", 0, 1)
            stack.enter_context(cloud)
            progress("start", 1, 1)
            now = dt.datetime.now(dt.UTC)
            as_of = now.astimezone(Config().zone).date()
            _push_agency(cloud, contacts, as_of, now, progress)
            day = first_send_date(as_of, now, Config())
            between = Between(cloud.store, ORG, cloud.urls[INTAKE], cloud.settings(), day)
            happened = [] if one_run else [between.send_contacts()]
            began = time.monotonic()
            result = _run_of(cloud, as_of, progress)
        _show(console, cloud, traces, result, time.monotonic() - began)
        if result.state == "committed" and not one_run:
            with progress_bars() as progress:
                result = _next_day(cloud, between, happened, progress)
            heading(console, "From one run to the next")
            table(console, ("", "!"), happened)
        if keep:
            _stay(console, cloud)
    if result.state != "committed":
        return failed(f"run {result.run_id} {result.state}: {result.reason}", FAILURE)
    return OK


def _next_day(
    cloud: LocalCloud, between: Between, happened: list[Happened], progress: Progress
) -> RunResult:
    """Send the day's messages, answer two of them, and plan the day after; add what happened."""
    progress("send", 0, 1)
    happened += between.send_messages(EXAMPLE)
    progress("send", 1, 1)
    if len(between.mails) > 1:
        happened += between.answer_messages()
    result = _run_of(cloud, between.day + dt.timedelta(days=1), progress)
    happened.append((f"run {result.run_id}", str(result.state)))
    if len(between.mails) > 1:
        happened += between.outcome()
    return result


def _run_of(cloud: LocalCloud, as_of: dt.date, progress: Progress) -> RunResult:
    """Request a daily run, and wait for its result."""
    request = RunRequest(as_of=as_of)
    cloud.bus.publish(cloud.topics.run_requests, [to_json(request)])
    return _wait(cloud, daily_run_id(as_of), progress)


def _push_agency(
    cloud: LocalCloud, contacts: int, as_of: dt.date, now: dt.datetime, progress: Progress
) -> None:
    with tempfile.TemporaryDirectory(prefix="almanac-") as folder:
        path = Path(folder) / "agency.sqlite3"
        generate(path, contacts, SEED, as_of, progress)
        push(cloud.store, ORG, path, expect=0, now=now, progress=progress)


def _wait(cloud: LocalCloud, run_id: str, progress: Progress) -> RunResult:
    """Wait for the run's result; raise AlmanacError if it makes no progress for minutes."""
    done, since = -1, time.monotonic()
    while (result := result_of(cloud.store, ORG, run_id)) is None:
        plan = plan_or_none(cloud.store, ORG, run_id)
        if plan is not None:
            before = done
            done = sum(1 for _ in cloud.store.list(layout.fragments(ORG, run_id)))
            progress("plan contacts", done, len(plan.shards))
            if done == len(plan.shards):
                progress("merge", 0, 1)
            if done != before:
                since = time.monotonic()
        if time.monotonic() - since > _STALLED_SECONDS:
            raise AlmanacError(f"run {run_id}: no progress; the logs are in {cloud.logs}")
        time.sleep(_POLL_SECONDS)
    return result


def _show(
    console: Console, cloud: LocalCloud, traces: Traces, result: RunResult, seconds: float
) -> None:
    heading(console, f"Run {result.run_id} of organization {ORG}: {result.state}")
    numbers = [
        ("current version", result.version),
        ("planned", result.planned),
        ("skipped", result.skipped),
        ("seconds from the request to the result", f"{seconds:.2f}"),
    ]
    table(console, ("", ">"), numbers)
    heading(console, "The functions")
    table(console, ("function", ">messages", ">seconds"), _by_function(cloud))
    heading(console, "The merge")
    steps = [(step, f"{spent:.2f}") for step, spent in result.seconds.items()]
    table(console, ("step", ">seconds"), steps)
    traces.wait_for("merge", _LOG_SECONDS)
    heading(console, "The longest spans")
    table(console, ("span", "in, or sent by", ">count", ">seconds"), traces.table(SPANS))
    console.print()
    paragraph(console, f"Logs: {cloud.logs}", indent=0)


def _by_function(cloud: LocalCloud) -> list[tuple[str, int, str]]:
    """Return the deliveries to each function, and the seconds they took in total."""
    deadline = time.monotonic() + _LOG_SECONDS
    while not _delivery_seconds(cloud, "merge") and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)  # the merge logs its delivery after it has written the result
    rows = []
    for function in SUBSCRIPTIONS:
        spent = _delivery_seconds(cloud, function)
        rows.append((function, len(spent), f"{sum(spent):.2f}"))
    return rows


def _delivery_seconds(cloud: LocalCloud, function: str) -> list[float]:
    lines = cloud.log_lines(function)
    return [line["seconds"] for line in lines if line.get("message") == DELIVERY]


def _stay(console: Console, cloud: LocalCloud) -> None:
    """Keep everything running until Ctrl-C, which is not an error here."""
    status = cloud.urls[STATUS]
    heading(console, "Addresses")
    table(console, ("", "!"), [*cloud.urls.items(), ("report", f"{status}/orgs/{ORG}/report")])
    heading(console, "To use it from another terminal")
    for name, value in cloud.settings().items():
        console.print(f"  export {name}={value}", soft_wrap=True)
    heading(console, "Press Ctrl-C to stop it.")
    sys.stdout.flush()
    with suppress(KeyboardInterrupt):
        while True:
            time.sleep(3600)
