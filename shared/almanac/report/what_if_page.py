"""The comparison of two configurations on the report page: its tables and its chart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from almanac.report.charts import BAR_HEIGHT, BAR_TOP, AxisLabel, Bar, Box, Chart, scale_of
from almanac.report.table import ReportColumn, ReportTable, Row
from almanac.report.what_if import FATES_IN_WORDS, Pair, WhatIf, in_words

OLD, NEW = "s8", "s0"  # colours
NUMBERS = tuple(ReportColumn(label, number=True) for label in ("Old", "New", "Difference"))
WEEK_SHARE = 0.8  # of the width of a week, for both of its bars
WEEKS_A_DATE = 6


def what_if_tables(found: WhatIf) -> list[ReportTable]:
    """Return the tables of the comparison, in the order of the page."""
    volume = (
        ("Cap", found.daily_cap),
        ("Ceiling", found.ceiling),
        ("Days that reach the cap", found.days_at_cap),
        ("Days above the ceiling", found.days_above_ceiling),
        ("Closed days", found.closed_days),
    )
    settings: list[Row] = [(x.key, in_words(x.old), in_words(x.new)) for x in found.settings]
    types = sorted(found.planned, key=lambda name: (-found.planned[name].new, name))
    return [
        _pairs("weeks", "Weeks that differ", "Monday", _weeks(found)),
        ReportTable(
            "what_if_settings",
            "Settings that differ",
            (ReportColumn("Setting"), ReportColumn("Old"), ReportColumn("New")),
            settings,
        ),
        _pairs("types", "Planned by type", "Email type", ((t, found.planned[t]) for t in types)),
        ReportTable(
            "what_if_reasons",
            "Skipped by reason",
            (ReportColumn("Reason"), ReportColumn("Email type"), *NUMBERS),
            [
                (reason, email_type, *_numbers(pair))
                for reason, by_type in found.skipped.items()
                for email_type, pair in by_type.items()
            ],
        ),
        ReportTable(
            "what_if_fates",
            "Each message with the new configuration",
            (
                ReportColumn("With the new configuration"),
                ReportColumn("Email type"),
                ReportColumn("Messages", number=True),
            ),
            [
                (FATES_IN_WORDS[fate], email_type, count)
                for fate, by_type in found.fates.items()
                for email_type, count in by_type.items()
            ],
        ),
        _pairs("volume", "Daily volume", "What", volume),
        _days(found, types),
    ]


def _days(found: WhatIf, types: Sequence[str]) -> ReportTable:
    return ReportTable(
        "what_if_days",
        "Difference by day",
        (ReportColumn("Day"), *NUMBERS, *(ReportColumn(name, number=True) for name in types)),
        [
            (
                day,
                *_numbers(load.total),
                *(load.planned[t].difference if t in load.planned else None for t in types),
            )
            for day, load in found.days.items()
            if load.planned
        ],
        by_type=1 + len(NUMBERS),
    )


def weeks_chart(found: WhatIf) -> Chart:
    """Return two bars for each week from the first that differs to the last: old plan, new plan."""
    differing = found.weeks_that_differ
    weeks = [
        (monday, pair)
        for monday, pair in found.weeks()
        if differing and min(differing) <= monday <= max(differing)
    ]
    top, step = scale_of(max((max(pair.old, pair.new) for _, pair in weeks), default=1))
    base = BAR_TOP + BAR_HEIGHT
    room = 100 / max(1, len(weeks))
    width = room * WEEK_SHARE / 2

    def height(count: int) -> float:
        return round(BAR_HEIGHT * count / top, 2)

    drawn: list[Bar] = []
    dates: list[AxisLabel] = []
    for number, (monday, pair) in enumerate(weeks):
        start = number * room + (room - 2 * width) / 2
        words = (
            f"Week of {monday.day} {monday:%B %Y}: {pair.old:,} messages with the old "
            f"configuration, {pair.new:,} with the new one"
        )
        for x, count, css in ((start, pair.old, OLD), (start + width, pair.new, NEW)):
            box = Box(round(base - height(count), 2), height(count), css)
            drawn.append(Bar(monday, round(x, 3), round(width, 3), words, [box]))
        if number % WEEKS_A_DATE == 0 and number < len(weeks) - 3:
            minor = len(dates) % 2 == 1
            dates.append(AxisLabel(round(start, 3), f"{monday.day} {monday:%b}", minor=minor))
    scale = [AxisLabel(base - height(n), f"{n:,}") for n in range(0, top + 1, step)]
    return Chart(drawn, ["old", "new"], scale, dates, cap=None, ceiling=None)


def _weeks(found: WhatIf) -> Iterable[tuple[str, Pair]]:
    return ((str(monday), pair) for monday, pair in found.weeks_that_differ.items())


def _pairs(name: str, title: str, label: str, pairs: Iterable[tuple[str, Pair]]) -> ReportTable:
    columns = (ReportColumn(label), *NUMBERS)
    return ReportTable(
        f"what_if_{name}", title, columns, [(what, *_numbers(p)) for what, p in pairs]
    )


def _numbers(pair: Pair) -> tuple[int, int, int]:
    return pair.old, pair.new, pair.difference
