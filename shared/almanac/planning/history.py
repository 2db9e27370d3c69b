"""Committed rows, with types of older schedulers by their current names (semantics: Input
database)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from almanac import civil
from almanac.frames import NO_DAY, Codes, Days, Frame, Ids, Index, Mask
from almanac.joins import DaysByGroup, positions
from almanac.planning.brief import Instance, RunContext
from almanac.planning.texts import filled
from almanac.schedule_status import SENT_STATUSES, Status

OTHER, BIRTHDAY, EFFECTIVE_DATE, AEP, POST_WINDOW, CAMPAIGN, FOLLOWUP = range(7)
TYPE_CODES = {
    "birthday": BIRTHDAY,
    "effective_date": EFFECTIVE_DATE,
    "aep": AEP,
    "post_window": POST_WINDOW,
}
COUNTED_STATUSES = (Status.SCHEDULED, Status.PROCESSING, *SENT_STATUSES)
ANNIVERSARY_DAYS = 180  # a committed row this near handles an anniversary candidate
CAMPAIGN_DAYS = 45


@dataclass(frozen=True)
class Committed(Frame):
    """Committed rows of contacts that can get messages, by contact and row id."""

    row_id: Ids
    contact: Index  # position in Contacts
    type: Codes  # BIRTHDAY .. FOLLOWUP, OTHER
    instance: Index  # position in the context's instances, -1 without
    day: Days  # scheduled_send_date
    sent: Days  # date of actual_send_datetime, else scheduled_send_date
    event: Days  # date that the event columns make
    campaign_aep: Mask  # of the campaign type aep, which the built-in email counts as its own
    ours: Mask  # planned by Almanac: it has an ideal date
    carried: Index  # row of `History.carried`
    is_sent: Mask  # sent or delivered
    counted: Mask  # counts in the frequency limit


class History:
    """The committed rows of a shard's contacts, with searches by contact and day."""

    def __init__(self, table: pa.Table, contact_ids: Ids, context: RunContext) -> None:
        self.rows = read_committed(table, contact_ids, context)
        self.carried = table["target"].combine_chunks()  # what campaign targets carried, or ''
        rows = self.rows
        self.instance_count = max(1, len(context.instances))
        self._by_type = {
            code: DaysByGroup(rows.contact[is_of], rows.day[is_of])
            for code in TYPE_CODES.values()
            for is_of in [(rows.type == code) | (rows.campaign_aep & (code == AEP))]
        }
        campaigns = rows.take((rows.type == CAMPAIGN) & (rows.instance >= 0))
        self._campaigns = _Campaigns(campaigns, self.instance_count)
        self._sent = _Campaigns(campaigns.take(campaigns.is_sent), self.instance_count)
        followups = rows.take(rows.type == FOLLOWUP)
        self.followups = DaysByGroup(followups.contact, followups.day)

    def has_type_near(self, code: int, contact: Index, day: Days, distance: int) -> Mask:
        """Return whether a committed row of the type is within `distance` days of each day."""
        return self._by_type[code].any_between(contact, day - distance, day + distance)

    def has_campaign(
        self, contact: Index, instance: int, event: Days, ideal: Days, named: Mask
    ) -> Mask:
        """Return whether a committed row handles the campaign candidate already.

        named: its target has a trigger date of its own.
        """
        group = contact * self.instance_count + instance
        return self._campaigns.handle(group, event, ideal, named)

    def has_sent_campaign(
        self, contact: Index, instance: int, event: Days, ideal: Days, named: Mask
    ) -> Mask:
        """Return the same for rows that were sent or delivered."""
        group = contact * self.instance_count + instance
        return self._sent.handle(group, event, ideal, named)


class _Campaigns:
    """Committed campaign rows by contact and instance."""

    def __init__(self, rows: Committed, instances: int) -> None:
        group = rows.contact * instances + rows.instance
        self._events = DaysByGroup(group, rows.event)
        self._days = DaysByGroup(group, rows.day)
        self._older_days = DaysByGroup(group[~rows.ours], rows.day[~rows.ours])

    def handle(self, group: Index, event: Days, ideal: Days, named: Mask) -> Mask:
        """Return for which candidates a row has the same event, or was sent near the ideal date.

        A date of its own is handled by a row near it only if an older scheduler wrote the row: one
        of ours names its event, and another date of the campaign may be as near.
        """
        around = (ideal - CAMPAIGN_DAYS, ideal + CAMPAIGN_DAYS)
        near = np.where(
            named,
            self._older_days.any_between(group, *around),
            self._days.any_between(group, *around),
        )
        handled: Mask = near | self._events.any_between(group, event, event)
        return handled


def read_committed(table: pa.Table, contact_ids: Ids, context: RunContext) -> Committed:
    """Return the rows of COMMITTED_SCHEMA (`database.selects`) that belong to the contacts."""
    contact = positions(contact_ids, table["contact_id"].to_numpy())
    rows = np.flatnonzero(contact >= 0)
    table, contact = table.take(pa.array(rows)), contact[rows]
    types = table["email_type"].combine_chunks().dictionary_encode()
    classes = [classify(text) for text in types.dictionary.to_pylist()]
    index = types.indices.to_numpy(zero_copy_only=False)
    codes = np.array([code for code, _ in classes] or [0], np.int32)[index]
    by_suffix = np.array(
        [instance_named(name, context.instances) for _, name in classes] or [-1], np.intp
    )
    positions_by_id = {instance.id: i for i, instance in enumerate(context.instances)}
    ids, where = np.unique(table["campaign_instance_id"].to_numpy(), return_inverse=True)
    by_column = np.array([positions_by_id.get(int(i), -1) for i in ids] or [-1], np.intp)
    named = table["campaign_instance_id"].to_numpy() != 0
    status = table["status"].combine_chunks().dictionary_encode()
    status_index = status.indices.to_numpy(zero_copy_only=False)
    statuses = status.dictionary.to_pylist()
    is_sent = np.array([s in SENT_STATUSES for s in statuses] or [False])[status_index]
    counted = np.array([s in COUNTED_STATUSES for s in statuses] or [False])[status_index]
    day = civil.parse_dates(table["scheduled_send_date"])
    actual = civil.parse_dates(table["actual_send_datetime"])
    return Committed(
        row_id=table["id"].to_numpy(),
        contact=contact,
        type=codes,
        instance=np.where(named, by_column[where], by_suffix[index]),
        day=day,
        sent=np.where(actual == NO_DAY, day, actual).astype(np.int32),
        event=civil.days_of_parts(
            table["event_year"].to_numpy(),
            table["event_month"].to_numpy(),
            table["event_day"].to_numpy(),
        ),
        campaign_aep=np.array([name == "campaign_aep" for _, name in classes] or [False])[index],
        ours=filled(table["ideal_send_date"]),
        carried=rows,
        is_sent=is_sent,
        counted=counted & (codes != FOLLOWUP) & (day != NO_DAY),
    )


def classify(text: str) -> tuple[int, str]:
    """Return the code of an email type of any scheduler, and a lower-case campaign name."""
    name = text.lower()
    if name.startswith("post_window"):
        return POST_WINDOW, ""
    if name.startswith("campaign_"):
        return CAMPAIGN, name
    if name.startswith("followup"):
        return FOLLOWUP, ""
    return TYPE_CODES.get(name, OTHER), ""


def instance_named(name: str, instances: Sequence[Instance]) -> int:
    """Return the position of the instance of an old type `campaign_<type>_<n>`, -1 without."""
    match = re.fullmatch(r"campaign_(.+)_(\d{1,18})", name, re.DOTALL)
    if match:
        for position, instance in enumerate(instances):
            if instance.id == int(match[2]) and instance.type_name.lower() == match[1]:
                return position
    return -1
