"""Warnings of rates above the configured ones."""

from __future__ import annotations

import datetime as dt

from almanac.config_delivery import Deliverability
from almanac.report.results import DIMENSIONS, MessageCounts, Results
from almanac.results.deliverability import warnings_of

SETTINGS = Deliverability(bounce_rate=0.02, complaint_rate=0.001)


def results(*days: tuple[int, int, int]) -> Results:
    """Results of days with so many messages sent, bounced and complained about."""
    lines = [
        MessageCounts(key=(f"2026-03-{n:02d}",), sent=sent, bounced=bounced, complaints=complaints)
        for n, (sent, bounced, complaints) in enumerate(days, 1)
    ]
    sums = {
        name: sum(getattr(line, name) for line in lines)
        for name in ("sent", "bounced", "complaints")
    }
    return Results(
        first=dt.date(2026, 3, 1),
        last=dt.date(2026, 3, 31),
        within_days=7,
        total=MessageCounts(**sums),
        by={name: [] for name in DIMENSIONS} | {"day": lines},
    )


def test_rates_at_the_limit_give_no_warning() -> None:
    assert warnings_of(results((1000, 20, 1)), SETTINGS) == []


def test_a_day_of_few_messages_gives_no_warning() -> None:
    assert warnings_of(results((99, 50, 20)), SETTINGS) == []


def test_the_period_and_its_days_are_named_with_the_setting() -> None:
    assert warnings_of(results((1000, 0, 0), (1000, 50, 0)), SETTINGS) == [
        "50 of 2,000 messages bounced, 2.5%: above 2% (deliverability.bounce_rate)",
        "days on which more than 2% bounced, the latest first: 2026-03-02 5% "
        "(deliverability.bounce_rate)",
    ]


def test_complaints_have_a_limit_of_their_own() -> None:
    (period, days) = warnings_of(results((1000, 0, 2)), SETTINGS)
    assert period.startswith("2 of 1,000 messages complained about, 0.2%: above 0.1%")
    assert days.endswith("2026-03-01 0.2% (deliverability.complaint_rate)")
