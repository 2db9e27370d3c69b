"""Report pages with results, of plain names and of names that mean no good."""

from __future__ import annotations

import datetime as dt

from almanac.report.page_data import PageData
from almanac.report.results import (
    DIMENSIONS,
    MessageCounts,
    Note,
    Results,
    SplitArm,
    SplitGroup,
    difference,
)
from tests.support.report_pages import AS_OF, HOSTILE, full_page, hostile_page

# as databases are read, no text has half a character
PLAIN = ("birthday", "campaign_rate_increase", "followup_2_clicked_no_hq", "Rates of this half")
NO_GOOD = tuple(name for name in HOSTILE if "\ud800" not in name)


def _counts(key: tuple[str, ...], n: int) -> MessageCounts:
    sent = 1000 + n
    return MessageCounts(
        key=key,
        planned=sent + 60,
        sent=sent,
        delivered=sent - 90,
        failed=50,
        bounced=40,
        complaints=n,
        clicked=200 + n,
        answered=70,
        yes=20,
        unsubscribed=3,
    )


def results(names: tuple[str, ...] = PLAIN) -> Results:
    """Results with something in every table."""
    by = {
        name: [_counts((each,) * len(keys), n) for n, each in enumerate(names)]
        for name, keys in DIMENSIONS.items()
    }
    arms = [
        SplitArm(instance=1, name="1 short", share=(0, 45), contacts=500, reached=450, clicked=90),
        SplitArm(instance=2, name=names[0], share=(45, 90), contacts=480, reached=440),
        SplitArm(instance=None, name="control group", share=None, contacts=90, span_answered=4),
    ]
    found = difference("clicked", *arms[:2])
    assert found is not None
    group = SplitGroup(group="spring", first=AS_OF, last=AS_OF, arms=arms, differences=[found])
    return Results(
        first=AS_OF - dt.timedelta(days=364),
        last=AS_OF,
        within_days=7,
        total=_counts((), 0),
        by=by,
        groups=[group],
        warnings=["40 of 1,000 messages bounced, 4%: above 2% (deliverability.bounce_rate)"],
        notes=[Note(what=f"messages with the status {names[0]!r}", rows=4)],
    )


def results_page() -> PageData:
    """The page with something in every section, and results."""
    return full_page().model_copy(update={"results": results()})


def hostile_results_page() -> PageData:
    """The page with hostile names, and results of them."""
    return hostile_page().model_copy(update={"results": results(NO_GOOD)})
