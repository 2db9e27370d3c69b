"""The result of `almanac check` as text."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from rich.console import Console

from almanac.organizations.findings import Findings
from almanac.plurals import plural
from almanac.report.alerts import NO_STATE, print_warnings
from almanac.report.headlines import short_day
from almanac.report.left_out import UNKNOWN_FLAGS, invalid_id_notes, left_out_rows, odd_targets
from almanac.report.lines import advised
from almanac.report.page_data import SHARED_ADDRESSES
from almanac.report.summary import Unreadable
from almanac.report.summary_text import BLOCKING
from almanac.report.text import heading, paragraph, table


def print_findings(console: Console, found: Findings, advice: Mapping[str, str]) -> None:
    """Print the state of the file, the worst first; `advice` is by kind of contact issue."""
    _print_file(console, found)
    _contacts(console, found, advice)
    if found.shared_addresses.addresses:
        heading(console, SHARED_ADDRESSES)
        paragraph(console, found.shared_addresses.in_words())
    if found.left_out:
        heading(console, "Campaigns that would be left out")
        rows = [(str(x.instance_id), x.name, x.problem) for x in found.left_out]
        table(console, (">id", "name", "why"), rows)
    if found.split_overlaps:
        heading(console, "Splits that overlap")
        for line in found.split_overlaps:
            paragraph(console, f"{line}.")
    if odd := odd_targets(found.unreadable_targets, found.odd_target_metadata):
        heading(console, "Campaign targets that cannot be read")
        for line in odd:
            paragraph(console, line)
    if found.on_closed_days:
        heading(console, "Committed messages on closed days, which a run does not move")
        days = [(short_day(day), count) for day, count in found.on_closed_days.items()]
        table(console, ("", ">"), days)
    if found.scheduled_by_others:
        heading(console, "Rows that an older scheduler left scheduled")
        older = f"{plural(found.scheduled_by_others, 'row')} of status scheduled"
        paragraph(console, f"{older} {BLOCKING.format('today', '')}")
    if found.odd_dates:
        heading(console, "Texts that are not a date (YYYY-MM-DD)")
        table(console, ("", ">"), found.odd_dates.items())
    _missing(console, found)


def _print_file(console: Console, found: Findings) -> None:
    """Print what concerns the file as a whole."""
    paragraph(console, f"{found.database} {_verdict(found)}.", indent=0, style="bold")
    print_warnings(console, _alerts(found), found.likely_columns, shlex.quote(found.database))
    if found.configuration:
        paragraph(console, f"Configuration: {found.configuration}.", indent=0)
    if found.integrity:
        heading(console, "Damage")
        for line in found.integrity:
            paragraph(console, line)
        paragraph(console, "Restore a backup, or try the command .recover of the sqlite3 shell.")
    if found.unusable_tables:
        heading(console, "Tables that cannot be used")
        for line in found.unusable_tables:
            paragraph(console, f"{line}; Almanac needs a table of this name")
    if found.refused:
        paragraph(console, f"{found.refused}.")
    for note in [] if found.refused else invalid_id_notes(found.invalid_ids):
        paragraph(console, note, indent=0)
    if found.aep:
        paragraph(console, f"AEP message: {found.aep}.", indent=0)
    if found.rules:
        paragraph(console, f"State rules: {found.rules}.", indent=0)
    if found.run_fails:
        heading(console, "A run would fail")
        paragraph(console, found.run_fails)
    if found.ignoring_triggers:
        heading(console, "Triggers that leave changes out, by RAISE(IGNORE)")
        for line in found.ignoring_triggers:
            paragraph(console, line)
    if found.unknown_flags:
        heading(console, UNKNOWN_FLAGS)
        for line in found.unknown_flags:
            paragraph(console, f"{line}.")


def _verdict(found: Findings) -> str:
    """Return what follows from the findings."""
    if not found.usable:
        return "cannot be used as it is"
    if found.without_states is not None:
        return "needs --without-states to be planned"
    if found.warnings:
        return "can be planned; some of its data should be checked"
    return "can be planned, and no problem was found"


def _alerts(found: Findings) -> list[str]:
    """Return what must be seen first."""
    if found.without_states is None:
        return found.alerts
    return [found.without_states, *(each for each in found.alerts if each != NO_STATE)]


def _contacts(console: Console, found: Findings, advice: Mapping[str, str]) -> None:
    heading(console, "Contacts")
    rows: list[tuple[str, int]] = [("in the file", found.contacts)]
    if not found.integrity:
        rows.append(("can get messages", found.eligible))
    invalid = found.invalid_ids
    if found.integrity:  # nothing was read but the count
        invalid = Unreadable(count=found.non_integer_ids)
    rows += left_out_rows(found.contacts_left_out, invalid, found.duplicate_ids)
    if found.unknown_targets:
        rows.append(("campaign targets of contacts that do not exist", found.unknown_targets))
    table(console, ("", ">"), rows)
    if found.issues:
        heading(console, "Contact issues")
        table(console, ("", ">", ""), advised(found.issues, advice))


def _missing(console: Console, found: Findings) -> None:
    ours = [c for c in found.missing_columns if not c.startswith("contacts.")]
    theirs = [c for c in found.missing_columns if c.startswith("contacts.")]
    if found.missing_tables or ours:
        heading(console, "A run adds")
        rows = [("table", name) for name in found.missing_tables]
        table(console, ("", ""), rows + [("column", name) for name in ours])
    if found.forbidden_unique:
        heading(console, "A run rebuilds the table email_schedules")
        for columns in found.forbidden_unique:
            paragraph(
                console,
                f"It is declared UNIQUE ({columns}), which forbids two campaigns of a type in a "
                "year. Rows, ids, triggers and other indexes stay as they are.",
            )
    if found.without_key:
        heading(console, "A run rebuilds tables whose id is not an INTEGER PRIMARY KEY")
        paragraph(
            console,
            f"{', '.join(found.without_key)}. Rows, columns, triggers and indexes stay as they "
            "are, and so do ids that are whole numbers and not repeated.",
        )
    if theirs:
        heading(console, "Columns missing in contacts; planning works without them")
        table(console, ("",), [(name,) for name in theirs])
