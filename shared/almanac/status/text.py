"""The status of organizations as text for a terminal or a pipe."""

from __future__ import annotations

import datetime as dt

from rich.console import Console

from almanac.plurals import plural
from almanac.report.alerts import likely_in_words
from almanac.report.left_out import UNKNOWN_FLAGS
from almanac.report.text import heading, paragraph, table
from almanac.status.model import OrganizationStatus, RunStatus, StoreStatus


def print_store(console: Console, found: StoreStatus) -> None:
    """Print a line for each organization, then problems and warnings."""
    if not found.organizations:
        paragraph(console, "No organization is in this store.", indent=0)
        return
    columns = ("", ">version", "last run", "state", ">hours since success", ">overdue", ">errors")
    rows = [
        (
            each.org_id,
            each.version and each.version.version,
            each.last_run and each.last_run.run_id,
            each.last_run and each.last_run.state,
            each.last_success and f"{each.last_success.hours:,.1f}",
            each.due and each.due.overdue,
            _rate(each),
        )
        for each in found.organizations
    ]
    table(console, columns, rows, indent=0)
    _print_lines(console, "Problems", found.problems)
    warnings = [f"{each.org_id}: {text}" for each in found.organizations for text in each.warnings]
    _print_lines(console, "Warnings", warnings)


def print_organization(console: Console, found: OrganizationStatus) -> None:
    """Print the status of one organization in full."""
    state = "has no problems" if found.ok else "has problems"
    paragraph(console, f"Organization {found.org_id} {state}", indent=0, style="bold")
    table(console, ("!", ""), _facts(found))
    _print_lines(console, "Problems", found.problems)
    _print_lines(console, "Warnings", found.warnings)
    if found.data and found.data.issues:
        heading(console, "Contact issues")
        ranked = sorted(found.data.issues.items(), key=lambda pair: (-pair[1], pair[0]))
        table(console, ("", ">"), ranked)
    if found.data:
        _print_lines(console, "Warnings of the last run", found.data.alerts)
        likely = likely_in_words(found.data.likely_columns)
        _print_lines(console, "Columns by another name", likely)
        _print_lines(console, UNKNOWN_FLAGS, found.data.unknown_flags)
        _print_lines(console, "Splits that overlap", found.data.split_overlaps)
    if found.data and found.data.left_out:
        heading(console, "Campaigns left out")
        rows = [(str(x.instance_id), x.name, x.problem) for x in found.data.left_out]
        table(console, (">id", "name", "why"), rows)


def _facts(found: OrganizationStatus) -> list[tuple[str, str]]:
    facts = []
    if version := found.version:
        text = f"{version.version}, of {version.run_id}, {version.hours:,.1f} hours old"
        facts.append(("current version", text))
    else:
        facts.append(("current version", "none: it has no database yet"))
    if success := found.last_success:
        facts.append(("last success", f"{success.run_id}, {success.hours:,.1f} hours ago"))
    facts.append(("last run", _run(found.last_run)))
    if found.last_failure:
        facts.append(("last failure", _run(found.last_failure)))
    if (waiting := found.waiting) and waiting.since is not None:
        size = f"{plural(waiting.batches, 'object')} with events, {waiting.bytes:,} bytes"
        facts.append(("inbox", f"{size}, waiting for {waiting.hours:,.1f} hours"))
    if due := found.due:
        facts.append(("due before today", f"{due.overdue:,} not sent"))
        facts.append(("due today", f"{due.today:,}"))
        facts.append(("with the sender", f"{due.with_sender:,} not tried"))
    if outcomes := found.outcomes:
        text = f"{outcomes.tried:,} tried in 30 days, {outcomes.failed:,} failed"
        facts.append(("sent", f"{text} ({_rate(found)})" if outcomes.tried else text))
    if data := found.data:
        facts.append(("contacts", f"{data.contacts:,}, of which {data.eligible:,} get messages"))
        facts += [("", f"{count:,} {why}") for why, count in data.contacts_left_out.items()]
    return facts


def _run(run: RunStatus | None) -> str:
    if run is None:
        return "none"
    when = run.finished_at or run.lease_until
    words = {"running": "running, with a lease until"}.get(run.state, run.state)
    time = f" {when.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC" if when else ""
    return f"{run.run_id}: {words}{time}" + (f": {run.reason}" if run.reason else "")


def _rate(found: OrganizationStatus) -> str | None:
    rate = found.outcomes.error_rate if found.outcomes else None
    return None if rate is None else f"{rate:.1%}"


def _print_lines(console: Console, title: str, lines: list[str]) -> None:
    if lines:
        heading(console, title)
        for line in lines:
            paragraph(console, line)
