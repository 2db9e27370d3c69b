"""What the report page shows, from a run's summary or from the rows of a file."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from pydantic import BaseModel

from almanac.report.summary import DayLoad, LeftOut, RunSummary


class PageData(BaseModel):
    """The numbers of the report page."""

    title: str
    as_of: dt.date
    facts: list[tuple[str, str]]
    first_day: dt.date
    last_day: dt.date
    days: dict[str, DayLoad]
    daily_cap: int
    ceiling: int
    planned: dict[str, int]
    skipped: dict[str, dict[str, int]]
    issues: list[tuple[str, int, str]]  # kind, contacts, advice
    left_out: list[LeftOut]
    notes: list[str] = []

    @property
    def totals(self) -> dict[str, int]:
        """Messages by day, whoever planned them."""
        return {day: sum(load.planned.values()) + load.fixed for day, load in self.days.items()}


def page_of_summary(
    summary: RunSummary, database: str, advice: Mapping[str, str], horizon: dt.date
) -> PageData:
    """The page of a run that has just ended."""
    seconds = summary.seconds.get("total", 0.0)
    steps = ", ".join(f"{k} {v:.1f}" for k, v in summary.seconds.items() if k != "total")
    facts = [
        ("Run", summary.run_id),
        ("Planned as of", f"{summary.as_of}, sending from {summary.first_send_date} on"),
        ("Contacts in the file", f"{summary.contacts_total:,}"),
        ("In this run", f"{summary.contacts_in_scope:,}"),
        ("Can get messages", f"{summary.contacts_eligible:,}"),
        ("Messages planned", f"{summary.planned_total:,}"),
        ("Messages skipped", f"{summary.skipped_total:,}"),
        *[(f"Rows {name}", f"{count:,}") for name, count in summary.changes.items()],
        *([("Seconds", f"{seconds:.1f} ({steps})")] if summary.seconds else []),
        ("Checksum of contacts", summary.checksums.contacts),
        ("Checksum of schedules before", summary.checksums.schedules_before),
        ("Checksum of schedules after", summary.checksums.schedules_after),
        ("Configuration", summary.config_digest),
    ]
    notes = ["A dry run: nothing was written."] if summary.dry_run else []
    if summary.unknown_targets:
        notes.append(
            f"{summary.unknown_targets:,} campaign targets name contacts that are not there."
        )
    return PageData(
        title=database,
        as_of=summary.as_of,
        facts=facts,
        first_day=summary.as_of,
        last_day=horizon,
        days=summary.days,
        daily_cap=summary.daily_cap,
        ceiling=summary.ceiling,
        planned=summary.planned,
        skipped=summary.skipped,
        issues=advised(summary.issues, advice),
        left_out=summary.left_out,
        notes=notes,
    )


def advised(issues: Mapping[str, int], advice: Mapping[str, str]) -> list[tuple[str, int, str]]:
    """Kinds of issue with what to do about them, the most frequent first."""
    ranked = sorted(issues.items(), key=lambda pair: (-pair[1], pair[0]))
    return [(issue, count, advice.get(issue, "")) for issue, count in ranked]
