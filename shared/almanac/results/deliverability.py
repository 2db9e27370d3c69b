"""Days, and the period, of which more messages bounced or were complained about than is good."""

from __future__ import annotations

from almanac.config_delivery import Deliverability
from almanac.report.results import MessageCounts, Results

MINIMUM = 100  # messages sent: of fewer a single bounce would be a warning
MOST = 5  # days in a warning


def warnings_of(found: Results, settings: Deliverability) -> list[str]:
    """Return a warning for each rate that the period or some days exceed."""
    kinds = (
        ("bounced", "bounced", "bounce_rate", settings.bounce_rate),
        ("complaints", "complained about", "complaint_rate", settings.complaint_rate),
    )
    result = []
    for count, word, key, limit in kinds:
        if _exceeds(found.total, count, limit):
            of = f"{getattr(found.total, count):,} of {found.total.sent:,} messages"
            result.append(
                f"{of} {word}, {_percent(found.total, count)}: above {100 * limit:g}% "
                f"(deliverability.{key})"
            )
        days = [line for line in found.by["day"] if _exceeds(line, count, limit)]
        if days:
            latest = [f"{line.key[0]} {_percent(line, count)}" for line in days[::-1][:MOST]]
            more = f" and {len(days) - MOST:,} more" if len(days) > MOST else ""
            result.append(
                f"days on which more than {100 * limit:g}% {word}, the latest first: "
                f"{', '.join(latest)}{more} (deliverability.{key})"
            )
    return result


def _exceeds(line: MessageCounts, count: str, limit: float) -> bool:
    return line.sent >= MINIMUM and getattr(line, count) > limit * line.sent


def _percent(line: MessageCounts, count: str) -> str:
    return f"{100 * getattr(line, count) / line.sent:.2g}%"
