"""The rows of contact_campaigns of a contact, with the date that each comes to (semantics:
Campaigns)."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from almanac import civil
from almanac.explain.case import Case, date_or_none
from almanac.frames import NO_DAY
from almanac.planning.brief import Instance


@dataclass(frozen=True)
class Target:
    """A row of contact_campaigns."""

    row_id: int
    status: str  # trimmed, in lower case
    text: str  # its trigger_date
    event: dt.date | None  # None: its trigger_date is no date
    source: str  # where the date comes from, in words
    named: bool  # the date is its own
    data: str  # what it carries, as JSON; '' for nothing


def targets_of(case: Case, instance: Instance) -> list[Target]:
    """Return the contact's targets of an instance, in the order of the table."""
    table = case.data.targets
    own = civil.parse_dates(table["trigger_date"])
    created = civil.parse_times(table["created_at"])
    found = []
    for row, day, added in zip(table.to_pylist(), own, created, strict=True):
        if row["campaign_instance_id"] != instance.id:
            continue
        text = row["trigger_date"]
        named = day != NO_DAY
        event, source = date_or_none(int(day)), "the target's trigger_date"
        if not named and not text.strip():
            event, source = _default(case, instance, date_or_none(int(added)))
        found.append(
            Target(
                row_id=row["id"],
                status=row["status"].strip().lower(),
                text=text,
                event=event,
                source=source,
                named=bool(named),
                data=row["data"],
            )
        )
    return found


def trigger_source(case: Case, instance: Instance, event: dt.date) -> tuple[str, Target | None]:
    """Return where the trigger date of a candidate comes from, and the target that has it."""
    if instance.when_created:
        return "the contact's created_at", None
    if instance.target_all_contacts:
        return of_instance(case, instance), None
    for target in targets_of(case, instance):
        if target.event == event and target.status != "sent":
            return target.source, target
    return "a rate increase of an older scheduler", None


def of_instance(case: Case, instance: Instance) -> str:
    """Return where the trigger date comes from if no target and no contact has one."""
    if instance.active_start is not None:
        return "the campaign's active_start_date"
    if instance.default_trigger != case.context.as_of:
        return "the campaign's created_at"
    return "the day of the plan, as the campaign has no date"


def _default(case: Case, instance: Instance, added: dt.date | None) -> tuple[dt.date, str]:
    start = instance.active_start
    if added is not None and (start is None or added > start):
        return added, "the target's created_at, as it has no trigger_date"
    return instance.default_trigger, of_instance(case, instance)
