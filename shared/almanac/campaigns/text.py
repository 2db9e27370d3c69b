"""Campaigns as text for a terminal or a pipe."""

from __future__ import annotations

from rich.console import Console

from almanac.campaigns.model import (
    CampaignList,
    CampaignShown,
    ChangeResult,
    Field,
    Imported,
    InstanceLine,
    LoggedChange,
    Removed,
    Replanned,
    TypeLine,
)
from almanac.plurals import plural
from almanac.report.text import heading, listed, paragraph, table

STATES_SHOWN = 12
_NOTHING = "-"


def print_list(console: Console, found: CampaignList) -> None:
    """Print types and instances with their states, and the counts of targets and messages."""
    if not found.types and not found.instances:
        paragraph(console, f"{found.database}: no campaigns yet.", indent=0)
        return
    paragraph(console, f"Campaigns of {found.database} on {found.as_of}", indent=0, style="bold")
    heading(console, "Types")
    rows = [
        (
            each.name,
            each.instances,
            each.fields.get("priority"),
            each.fields.get("days_before_event"),
            _type_words(each),
        )
        for each in found.types
    ]
    table(console, ("type", ">used", ">priority", ">days before", "audience and options"), rows)
    heading(console, "Instances")
    columns = (">id", "name", "type", "!from", "!until", "state")
    table(console, columns, [_dates(each) for each in found.instances])
    if found.counted:
        _print_counts(console, found.instances)
    left_out = [each for each in found.instances if each.problem]
    if left_out:
        heading(console, "Taking no part, and why")
        whys = [(str(each.instance_id), each.name, each.problem) for each in left_out]
        table(console, (">id", "name", "why"), whys)


def _print_counts(console: Console, lines: list[InstanceLine]) -> None:
    statuses = sorted({status for line in lines for status in line.targets})
    if statuses:
        heading(console, "Targets by status")
        columns = (">id", "name", *(f">{status or 'none'}" for status in statuses))
        rows = [
            (str(line.instance_id), line.name, *(line.targets.get(s) for s in statuses))
            for line in lines
            if line.targets
        ]
        table(console, columns, rows)
    if lines:
        heading(console, "Messages")
        counts = [
            (each.planned, each.followups, sum(each.skipped.values()), each.sent) for each in lines
        ]
        names = [(str(each.instance_id), each.name) for each in lines]
        columns = (">id", "name", ">planned", ">follow-ups planned", ">skipped", ">sent")
        table(console, columns, [(*n, *c) for n, c in zip(names, counts, strict=True)])


def _type_words(line: TypeLine) -> str:
    if line.problem:
        return f"not valid: {line.problem}"
    fields = line.fields
    words = [
        "" if fields["active"] else "inactive",
        "all contacts" if fields["target_all_contacts"] else "targets",
        "spread" if fields["spread_evenly"] else "",
        "" if fields["respect_exclusion_windows"] else "ignores windows",
        "" if fields["enable_followups"] else "no follow-ups",
        "skips failed underwriting" if fields["skip_failed_underwriting"] else "",
    ]
    return ", ".join(word for word in words if word)


def _dates(line: InstanceLine) -> tuple[object, ...]:
    dates = (line.start or _NOTHING, line.end or _NOTHING)
    return (str(line.instance_id), line.name, line.campaign_type, *dates, line.state_words)


def _by_status(line: InstanceLine) -> str:
    return ", ".join(f"{n:,} {status or 'without'}" for status, n in line.targets.items())


def print_campaign(console: Console, found: CampaignShown) -> None:
    """Print an instance: its fields, its reach, its messages and its last changes."""
    line = found.instance
    title = f"Campaign {line.instance_id} {line.name}, of type {line.campaign_type}"
    paragraph(console, f"{title}: {line.state_words} on {found.as_of}.", indent=0, style="bold")
    if line.problem:
        paragraph(console, f"It takes no part: {line.problem}.", indent=0)
    heading(console, "Columns")
    table(console, ("!", ""), [(name, value or _NOTHING) for name, value in found.columns.items()])
    if found.fields:
        _print_fields(console, found.fields)
    _print_reach(console, found)
    heading(console, f"Messages, planned for {found.as_of} or later")
    rows: list[tuple[object, ...]] = [("planned", line.planned)]
    rows += [(f"skipped: {reason}", count) for reason, count in line.skipped.items()]
    rows += [("follow-ups planned", line.followups), ("sent so far", line.sent)]
    table(console, ("", ">"), rows)
    if found.busiest_days:
        heading(console, f"Busiest days, of {found.first_day} to {found.last_day}")
        table(console, ("!", ">"), sorted(found.busiest_days.items()))
    _print_changes(console, found.changes)


def _print_fields(console: Console, fields: list[Field]) -> None:
    heading(console, "Fields of its type")
    if all(each.override is None for each in fields):
        table(console, ("!", ""), [(each.name, _value(each.of_type)) for each in fields])
        return
    rows = [
        (each.name, _value(each.of_type), "" if each.override is None else _value(each.override))
        for each in fields
    ]
    table(console, ("!", "type", "by its metadata"), rows)


def _print_changes(console: Console, changes: list[LoggedChange]) -> None:
    heading(console, "Last changes")
    if not changes:
        paragraph(console, "none in campaign_change_log")
        return
    rows = [
        (
            each.changed_at,
            each.changed_by,
            each.field or "replanned",
            "" if each.field is None else f"{each.old or _NOTHING} -> {each.new or _NOTHING}",
        )
        for each in changes
    ]
    table(console, ("!when (UTC)", "who", "field", "from -> to"), rows)


def _print_reach(console: Console, found: CampaignShown) -> None:
    heading(console, "Reach")
    if found.instance.targets:
        paragraph(console, f"targets: {_by_status(found.instance)}")
    reach = found.reach
    if reach is None:
        left_out = found.instance.state == "left out"
        paragraph(console, f"no contact{', since it is left out' if left_out else ' of its own'}")
        return
    paragraph(console, f"{reach.contacts:,} contacts that can get messages and that it targets")
    if reach.suppressed:
        paragraph(console, f"suppressed contacts among them: {reach.suppressed:,}")
    if reach.outside_split:
        paragraph(console, f"others that it targets, outside its split: {reach.outside_split:,}")
    if reach.contacts:
        states = [f"{state} {count:,}" for state, count in reach.by_state.items()]
        rest = sum(list(reach.by_state.values())[STATES_SHOWN:])
        more = f", {len(states) - STATES_SHOWN} others {rest:,}" if rest else ""
        paragraph(console, "by state: " + ", ".join(states[:STATES_SHOWN]) + more)


def _value(value: int | bool | str | None) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _NOTHING if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def print_change(console: Console, done: ChangeResult, where: str) -> None:
    """Print what was added or changed, the contacts that it affects, and the next step.

    where: the arguments that name the database in another command.
    """
    name = f"Campaign type {done.name}"
    if done.what == "instance":
        number = f"{done.instance_id} " if done.instance_id is not None else ""
        name = f"Campaign {number}{done.name}, of type {done.campaign_type}"
    paragraph(console, f"{name}: {_outcome(done)}.", indent=0, style="bold")
    if done.outcome in ("done before", "nothing to change") and not _replanned(done):
        return
    if done.added:
        table(console, ("!", ""), [(each.field, each.new) for each in done.changes])
    else:
        changes = [(e.field, e.old or _NOTHING, "->", e.new or _NOTHING) for e in done.changes]
        table(console, ("!", "", "", ""), changes)
    if done.state is not None:
        paragraph(console, f"State: {done.state}.", indent=0)
    if done.affected is not None:
        contacts = plural(done.affected.contacts, "contact")
        rows = plural(done.affected.planned_rows, "planned or skipped message")
        paragraph(console, f"It affects {contacts} with {rows}.", indent=0)
    print_plan(console, done.replanned, done.run_ids)
    if done.outcome == "written" and not _replanned(done):
        _print_next(console, where, done)


def _replanned(done: ChangeResult | Imported) -> bool:
    """Return whether the affected contacts are replanned, or that is requested."""
    return done.replanned is not None or bool(done.run_ids)


def _outcome(done: ChangeResult) -> str:
    if done.outcome == "written":
        return "added" if done.added else "changed"
    if done.outcome == "dry run":
        return "would be added (--dry-run)" if done.added else "would be changed (--dry-run)"
    if done.outcome == "published":
        return "requested from the functions: the change, and a plan of the affected contacts"
    if done.outcome == "done before":
        now = "it is replanned" if _replanned(done) else "nothing is done now"
        return f"the change {done.event_id} was made before, and {now}"
    return "replanned" if _replanned(done) else "nothing to change"


def print_import(console: Console, done: Imported, where: str) -> None:
    """Print how many targets were added, and the errors of the others; see `print_change`."""
    name = f"Campaign {done.instance_id} {done.name}, of type {done.campaign_type}"
    words = {
        "written": f"{plural(done.added, 'target')} added",
        "waiting": f"{plural(done.waiting, 'target waits', 'targets wait')} in the inbox; the next "
        "run adds those whose contacts exist",
        "dry run": f"{plural(done.added + done.waiting, 'target')} would be added (--dry-run)",
        "refused": f"nothing imported, for {plural(done.rejected_total, 'bad row')} (--strict)",
    }
    paragraph(console, f"{name}: {words[done.outcome]}.", indent=0, style="bold")
    rows = [(f"rows in {done.file}", done.read)]
    if done.outcome != "waiting":
        rows += [("added", done.added), ("existed already", done.there_already)]
    rows += [("  with other metadata now", done.updated)] if done.updated else []
    rows += [("rejected", done.rejected_total)]
    rows += [(f"  {reason}", count) for reason, count in done.rejected.items()]
    table(console, ("", ">"), rows)
    for note in done.notes:
        paragraph(console, f"Note: {note}.", indent=0)
    if done.examples:
        heading(console, f"Rejected, all of them in {done.rejects_file}")
        table(console, (">line", "why"), [(str(line), why) for line, why in done.examples])
    print_plan(console, done.replanned, done.run_ids)
    if done.outcome == "written" and (done.added or done.updated) and not _replanned(done):
        console.print()
        _print_next(console, where, done)


def print_plan(console: Console, replanned: Replanned | None, run_ids: list[str]) -> None:
    """Print what was planned again, or which runs were requested for that."""
    if replanned is not None:
        changes = ", ".join(f"{n:,} {what}" for what, n in replanned.changes.items() if n)
        paragraph(
            console,
            f"Replanned: {plural(replanned.contacts, 'contact')}; messages: {changes or 'none'}.",
            indent=0,
        )
    for run_id in run_ids:
        paragraph(console, f"Requested the run {run_id}.", indent=0)


def _print_next(console: Console, where: str, done: ChangeResult | Imported) -> None:
    """Print the next step."""
    if isinstance(done, ChangeResult) and done.what == "type" and done.added:
        paragraph(console, f"Next: almanac campaign add {where} {done.name} NAME", indent=0)
        return
    paragraph(console, "The next run plans it.", indent=0)
    if done.instance_id is not None:
        command = f"almanac campaign set {where} {done.instance_id} --replan"
        paragraph(console, f"To plan it at once: {command}", indent=0)


def print_removed(console: Console, done: Removed, where: str) -> None:
    """Print what was removed, what goes with it, and the next step; see `print_change`."""
    name = f"Campaign {done.instance_id} {done.name}, of type {done.campaign_type}"
    targets, would = plural(done.targets, "target"), done.outcome == "dry run"
    if done.instance:
        what = f"{'would be ' if would else ''}removed, with {targets}"
    else:
        what = f"{targets} {'would be ' if would else ''}removed"
    paragraph(console, f"{name}: {what}{' (--dry-run)' if would else ''}.", indent=0, style="bold")
    if done.sent:
        paragraph(console, f"{plural(done.sent, 'target')} kept: the message was sent.", indent=0)
    if done.without_target:
        names = listed(done.without_target, STATES_SHOWN)
        paragraph(console, f"No target of it: contact {names}.", indent=0)
    print_plan(console, done.replanned, done.run_ids)
    if done.planned and done.replanned is None and not done.run_ids:
        messages = plural(done.planned, "planned or skipped message")
        who = plural(done.contacts, "contact")
        paragraph(console, f"The next run removes {messages} of {who}.", indent=0)
    if not would:
        paragraph(console, f"To put it back: almanac undo {where}", indent=0)
