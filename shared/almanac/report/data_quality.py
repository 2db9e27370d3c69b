"""The contacts and campaigns as a run over all contacts found them."""

from __future__ import annotations

from pydantic import BaseModel

from almanac.report.left_out import left_out_rows
from almanac.report.summary import LeftOut, RunSummary, Unreadable


class DataQuality(BaseModel):
    """What the last run over all contacts found."""

    contacts: int
    eligible: int
    contacts_left_out: dict[str, int] = {}  # those who can get no message, by why
    issues: dict[str, int]
    left_out: list[LeftOut]
    split_overlaps: list[str] = []  # instances of one split group that share contacts
    alerts: list[str] = []  # what cannot be read of all or of most contacts
    likely_columns: dict[str, str] = {}  # by name of what contacts seems to lack
    unknown_flags: list[str] = []  # configured opt-out and consent columns that do not exist


def data_quality(summary: RunSummary) -> DataQuality:
    """Return what the run says of its data, without examples of ids."""
    invalid = Unreadable(count=summary.invalid_ids.count)
    return DataQuality(
        contacts=summary.contacts_total,
        eligible=summary.contacts_eligible,
        contacts_left_out=dict(left_out_rows(summary.contacts_left_out, invalid, 0)),
        issues=summary.issues,
        left_out=summary.left_out,
        split_overlaps=summary.split_overlaps,
        unknown_flags=summary.unknown_flags,
        alerts=summary.alerts,
        likely_columns=summary.likely_columns,
    )
