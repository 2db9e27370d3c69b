"""`almanac emulate`."""

from __future__ import annotations

import datetime as dt
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path

from rich.console import Console

from almanac.commands.endings import FAILURE, OK, failed
from almanac.commands.progress import Progress, progress_bars
from almanac.config import Config
from almanac.emulation.functions import STATUS, default_sources
from almanac.emulation.local_cloud import LocalCloud
from almanac.emulation.requirements import require_everything
from almanac.errors import AlmanacError
from almanac.generation import generate
from almanac.logs import configure
from almanac.messaging.messages import RunRequest, to_json
from almanac.messaging.subscriptions import SUBSCRIPTIONS
from almanac.names import daily_run_id
from almanac.organizations.transfer import push
from almanac.report.text import console_for, heading, paragraph, table
from almanac.runs.push_endpoint import DELIVERY
from almanac.runs.results import RunResult, result_of
from almanac.runs.run_plan import plan_or_none
from almanac.storage import layout

ORG = "demo"
SEED = 1
_POLL_SECONDS = 0.1
_SILENCE_SECONDS = 300.0  # without any progress


def emulate(contacts: int, functions: Path | None, keep: bool) -> int:
    """Starts everything, plans a generated agency, tells the result, and stops everything."""
    require_everything()
    configure("WARNING")  # for a process that died and was started again
    folder = Path(tempfile.mkdtemp(prefix="almanac-emulate-"))
    try:
        return _emulate(LocalCloud(folder, functions or default_sources()), contacts, keep)
    finally:
        with suppress(OSError):
            folder.rmdir()  # only where there are no logs to be read


def _emulate(cloud: LocalCloud, contacts: int, keep: bool) -> int:
    console = console_for(sys.stdout)
    with ExitStack() as stack:
        with progress_bars() as progress:
            progress("start", 0, 1)
            stack.enter_context(cloud)
            progress("start", 1, 1)
            now = dt.datetime.now(dt.UTC)
            as_of = now.astimezone(Config().zone).date()
            _push_agency(cloud, contacts, as_of, now, progress)
            began = time.monotonic()
            request = RunRequest(as_of=as_of)
            cloud.bus.publish(cloud.topics.run_requests, [to_json(request)])
            result = _wait(cloud, daily_run_id(as_of), progress)
        _tell(console, cloud, result, time.monotonic() - began)
        if keep:
            _stay(console, cloud)
    if result.state != "committed":
        return failed(f"run {result.run_id} {result.state}: {result.reason}", FAILURE)
    return OK


def _push_agency(
    cloud: LocalCloud, contacts: int, as_of: dt.date, now: dt.datetime, progress: Progress
) -> None:
    with tempfile.TemporaryDirectory(prefix="almanac-") as folder:
        path = Path(folder) / "agency.sqlite3"
        generate(path, contacts, SEED, as_of, progress)
        push(cloud.store, ORG, path, expect=0, now=now, progress=progress)


def _wait(cloud: LocalCloud, run_id: str, progress: Progress) -> RunResult:
    """The run's result; AlmanacError if nothing moves for minutes."""
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
        if time.monotonic() - since > _SILENCE_SECONDS:
            raise AlmanacError(f"run {run_id}: no progress any more; the logs are in {cloud.logs}")
        time.sleep(_POLL_SECONDS)
    return result


def _tell(console: Console, cloud: LocalCloud, result: RunResult, seconds: float) -> None:
    heading(console, f"Run {result.run_id} of organization {ORG}: {result.state}")
    numbers = [
        ("version in force", result.version),
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
    console.print()
    paragraph(console, f"The logs: {cloud.logs}", indent=0)


def _by_function(cloud: LocalCloud) -> list[tuple[str, int, str]]:
    """Deliveries, and the seconds that they took together."""
    rows = []
    for function in SUBSCRIPTIONS:
        spent = [
            line["seconds"] for line in cloud.log_lines(function) if line.get("message") == DELIVERY
        ]
        rows.append((function, len(spent), f"{sum(spent):.2f}"))
    return rows


def _stay(console: Console, cloud: LocalCloud) -> None:
    """Leave everything running until Ctrl-C, which is how it is meant to end."""
    status = cloud.urls[STATUS]
    heading(console, "Where it is")
    table(console, ("", "!"), [*cloud.urls.items(), ("report", f"{status}/orgs/{ORG}/report")])
    heading(console, "To work with it from another terminal")
    for name, value in cloud.settings().items():
        console.print(f"  export {name}={value}", soft_wrap=True)
    heading(console, "Ctrl-C ends it.")
    sys.stdout.flush()
    with suppress(KeyboardInterrupt):
        while True:
            time.sleep(3600)
