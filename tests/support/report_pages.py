"""Report pages to look at: of invented numbers, and of names that mean no good."""

from __future__ import annotations

import datetime as dt
import random

from almanac.report.events import RefusedExample, RunEvents
from almanac.report.lines import (
    UNKNOWN,
    CampaignLine,
    ChangeLine,
    MessageCount,
    SettingLine,
    StateLine,
    SuppressionLine,
)
from almanac.report.page_data import PageData
from almanac.report.summary import DayLoad

AS_OF = dt.date(2026, 11, 21)
HORIZON = dt.date(2027, 11, 21)
CAP, CEILING = 1750, 2100
EVENTS = RunEvents(
    applied={"deliveries": 40, "contacts": 2},
    entries={"deliveries": 39_000, "contacts": 11},
    refused=1,
    examples=[RefusedExample(event_id="crm-7", index=3, why="email is missing")],
)
TYPES = ("birthday", "effective_date", "aep", "post_window", "campaign_rate_increase")
REASONS = (
    "Birthday exclusion window for CA",
    "Year-round exclusion for NY",
    "Suppressed: unsubscribe",
    "Daily volume cap",
)

RULE = "30 days before the birthday to 60 days after it, and 60 days ahead of that"

# Names as a database may have them: each of them breaks a page that is put together carelessly.
HOSTILE = (
    "<script>document.title = 'stolen'</script>",
    '"><img src=x onerror="document.title = \'stolen\'">',
    "</style></title></textarea><svg onload=\"document.title='stolen'\">",
    "{{ 7 * 7 }}{% raw %}",
    '=HYPERLINK("http://example.invalid","here")',
    "\u202eevil\u202c \u200f\u200f",
    "first line\nsecond line\r\n\tthird",
    "x" * 5000,
    "\N{MAN}\u200d\N{WOMAN}\u200d\N{GIRL} caf\u00e9 \U0001f382",
    "lone \ud800 half, bell \x07, null \x00",
)


def page_data(**fields: object) -> PageData:
    """A page with as little as can be, but for what is given."""
    small: dict[str, object] = {
        "title": "agency.sqlite3",
        "as_of": AS_OF,
        "facts": [("Run", "2026-11-21-manual-1")],
        "first_day": AS_OF,
        "last_day": HORIZON,
        "days": {str(AS_OF): DayLoad(planned={"birthday": 3}, fixed=2)},
        "daily_cap": 7,
        "ceiling": 8,
        "messages": [MessageCount(email_type="birthday", state="TX", reason="", count=3)],
        "issues": [],
    }
    return PageData.model_validate(small | fields)


def empty_page() -> PageData:
    """The page of an agency without contacts."""
    return page_data(days={}, messages=[], daily_cap=1, ceiling=1)


def full_page(types: tuple[str, ...] = TYPES, campaigns: int = 3) -> PageData:
    """A page with something in every section, its numbers drawn by chance but always the same."""
    rng = random.Random(1)
    return page_data(
        facts=[("Run", "2026-11-21-daily"), ("Configuration", "9719cf73f76bf3f6" * 4)],
        days=_drawn_days(rng, types),
        daily_cap=CAP,
        ceiling=CEILING,
        messages=[
            MessageCount(email_type=name, state=state, reason=reason, count=rng.randrange(1, 9000))
            for name in types
            for state in ("CA", "NY", "TX", UNKNOWN)
            for reason in ("", *REASONS)
        ],
        states=_states(),
        campaigns=[_campaign(n) for n in range(1, campaigns + 1)],
        changes=[
            ChangeLine(change="removed", why="the contact has gone", email_type=types[0], count=12),
            ChangeLine(change="added", why="first planned", email_type=types[1], count=4711),
            ChangeLine(
                change="moved", why="its day is no longer allowed", email_type=types[0], count=7
            ),
        ],
        changes_since="version 41, run 2026-11-20-daily",
        suppressions=[SuppressionLine(reason="unsubscribe", entries=50, contacts=48, messages=129)],
        issues=[("invalid_email", 30, "no message can be sent: correct the e-mail address")],
        seconds={"plan contacts": 61.25, "write": 20.0, "total": 81.25},
        notes=["Contacts 1 to 25,000."],
        settings=[
            SettingLine(
                key="send_time", meaning="When messages are sent.", value="09:00", default="08:30"
            )
        ],
    )


def _drawn_days(rng: random.Random, types: tuple[str, ...]) -> dict[str, DayLoad]:
    """Every day to the horizon; the fourth is full of one type, the tenth above the ceiling."""
    days = {}
    for n in range((HORIZON - AS_OF).days + 1):
        planned = {name: rng.randrange(40, 160) for name in types if rng.random() < 0.9}
        days[str(AS_OF + dt.timedelta(days=n))] = DayLoad(planned=planned, fixed=rng.randrange(90))
    days[str(AS_OF + dt.timedelta(days=3))].planned[types[0]] = CAP
    days[str(AS_OF + dt.timedelta(days=9))].fixed = CEILING + 1234
    return days


def _states() -> list[StateLine]:
    """A state with windows, one that is protected all year, and one without a rule."""
    return [
        StateLine(
            state="CA",
            contacts=9000,
            rule=RULE,
            checked=8000,
            hits=3511,
            protected=[4000 + 80 * week for week in range(53)],
            rule_changes=[(dt.date(2027, 7, 1), "a rule begins: its birthday")],
        ),
        StateLine(
            state="NY",
            contacts=4000,
            rule="all year",
            checked=4100,
            hits=4100,
            protected=[4000] * 53,
        ),
        StateLine(state="TX", contacts=12000, rule="", checked=0, hits=0),
    ]


def _campaign(n: int) -> CampaignLine:
    """The campaign with this id; the second has a problem, and those with even ids no end."""
    return CampaignLine(
        instance_id=n,
        name=f"Rate increase {n}",
        campaign_type="rate_increase",
        start=AS_OF,
        end=HORIZON if n % 2 else None,
        reach=9000 + n,
        sent=n,
        planned=8000 - n,
        skipped={REASONS[0]: 17, REASONS[3]: 4},
        problem="its metadata is not valid: it is not JSON" if n == 2 else None,
        left_out=n == 2,
    )


def hostile_page() -> PageData:
    """A page with a hostile name wherever a text may stand."""
    days = {
        str(AS_OF): DayLoad(planned=dict.fromkeys(HOSTILE, 3), fixed=1),
        HOSTILE[0]: DayLoad(planned={}),
    }
    return page_data(
        title=HOSTILE[0],
        facts=[(name, name) for name in HOSTILE],
        days=days,
        messages=[
            MessageCount(email_type=name, state=name, reason=reason, count=5)
            for name in HOSTILE
            for reason in ("", name)
        ],
        states=[
            StateLine(
                state=name,
                contacts=1,
                rule=name,
                checked=1,
                hits=1,
                protected=[1] * 53,
                rule_changes=[(AS_OF, name)],
            )
            for name in HOSTILE
        ],
        campaigns=[
            CampaignLine(
                instance_id=n,
                name=name,
                campaign_type=name,
                skipped={name: 1},
                problem=name,
                left_out=True,
            )
            for n, name in enumerate(HOSTILE)
        ],
        changes=[ChangeLine(change=n, why=n, email_type=n, count=1) for n in HOSTILE],
        changes_since=HOSTILE[1],
        suppressions=[
            SuppressionLine(reason=n, entries=1, contacts=1, messages=1) for n in HOSTILE
        ],
        issues=[(name, 1, name) for name in HOSTILE],
        seconds=dict.fromkeys(HOSTILE, 1.0),
        notes=list(HOSTILE),
    )
