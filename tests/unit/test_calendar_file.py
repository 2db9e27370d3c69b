"""The calendar of a plan, read by a library that knows calendars."""

from __future__ import annotations

import datetime as dt
from typing import Any

from icalendar import Calendar

from almanac.report.calendar_file import calendar_text
from almanac.report.lines import CampaignLine
from almanac.report.page_data import PageData
from almanac.report.summary import DayLoad
from almanac.report.text import shown
from tests.support.report_pages import AS_OF, HOSTILE, page_data

NEXT, SUNDAY = "2026-11-23", "2026-11-22"


def plan(**fields: object) -> PageData:
    """A plan with a campaign on two days, a full day, one above the ceiling and a closed one."""
    loads = {AS_OF.isoformat(): 7, SUNDAY: 2, NEXT: 1234, "2026-11-24": 3, "someday": 99}
    small: dict[str, object] = {
        "campaigns": [CampaignLine(instance_id=5, name="Rates; 2027, new", campaign_type="rates")],
        "campaign_days": {5: {AS_OF.isoformat(): 1, NEXT: 1204}, 6: {NEXT: 2}},
        "days": {day: DayLoad(planned={"aep": count}) for day, count in loads.items()},
        "closed_days": [SUNDAY, "2026-11-29"],
    }
    return page_data(**small | fields)


def events_of(data: PageData) -> dict[str, tuple[dt.date, str]]:
    """Day and summary of each event, by its UID."""
    events: list[Any] = list(Calendar.from_ical(calendar_text(data)).walk("VEVENT"))
    found = {}
    for event in events:
        assert event.end - event.start == dt.timedelta(days=1)
        assert event["DTSTAMP"].dt == dt.datetime(2026, 11, 21, tzinfo=dt.UTC)
        found[str(event["UID"])] = (event.start, str(event["SUMMARY"]))
    assert len(found) == len(events), "each has a UID of its own"
    return found


def test_campaigns_full_days_and_closed_days_are_events_of_a_day() -> None:
    day = dt.date.fromisoformat
    assert sorted(events_of(plan()).values()) == [
        (AS_OF, "Full: 7 messages, the cap is 7"),
        (AS_OF, "Rates; 2027, new: 1 message"),
        (day(SUNDAY), "Closed, but 2 messages"),
        (day(NEXT), "Campaign 6: 2 messages"),
        (day(NEXT), "Full: 1,234 messages, above the ceiling of 8"),
        (day(NEXT), "Rates; 2027, new: 1,204 messages"),
        (day("2026-11-29"), "Closed: nothing is sent"),
    ]


def test_a_later_plan_replaces_the_events_of_an_earlier_one() -> None:
    before, after = plan(), plan(campaign_days={5: {NEXT: 9}}, daily_cap=1000, ceiling=2000)
    assert events_of(after).keys() < events_of(before).keys()
    assert calendar_text(plan()) == calendar_text(before), "the same plan gives the same text"


def test_names_of_any_kind_come_back_in_lines_of_75_octets() -> None:
    campaigns = [
        CampaignLine(instance_id=number, name=name, campaign_type="odd")
        for number, name in enumerate(HOSTILE, 1)
    ]
    days = {line.instance_id: {NEXT: 1} for line in campaigns}
    data = plan(campaigns=campaigns, campaign_days=days, days={}, closed_days=[])
    lines = calendar_text(data).encode().split(b"\r\n")
    assert max(map(len, lines)) <= 75
    assert not any(b"\n" in line or b"\r" in line for line in lines)
    assert [summary for _, summary in events_of(data).values()] == [
        f"{shown(name)}: 1 message" for name in HOSTILE
    ]
