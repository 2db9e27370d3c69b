"""What a run took from the inbox of its organization, as its report and `--json` give it."""

from __future__ import annotations

from collections import Counter

from pydantic import BaseModel

from almanac.plurals import plural
from almanac.report.table import ReportColumn, ReportTable

EXAMPLES = 5
REFUSED = "refused"  # the table on the page of a run that took events
ALL_REFUSED = (
    "All of them are in the table intake_log of the database (almanac store pull), with the "
    "reasons: SELECT event_id, refused FROM intake_log WHERE refused <> ''."
)


REFUSED_LATER = "What that run refuses is in the part Events of its report."


class RefusedExample(BaseModel):
    """An entry that was refused; index: its place in its event, None for the event as a whole."""

    event_id: str
    index: int | None
    why: str


class RunEvents(BaseModel):
    """The events that a run applied. The reasons are without e-mail addresses."""

    applied: dict[str, int] = {}  # events, by kind
    entries: dict[str, int] = {}  # of them, those that hold now, by kind
    refused: int = 0  # entries; an event that is refused as a whole counts as one
    examples: list[RefusedExample] = []
    unreadable: dict[str, str] = {}  # objects that are no events, which stay; with the reason

    def plus(self, other: RunEvents) -> RunEvents:
        """Return these events and others of the same run."""
        return RunEvents(
            applied=Counter(self.applied) + Counter(other.applied),
            entries=Counter(self.entries) + Counter(other.entries),
            refused=self.refused + other.refused,
            examples=[*self.examples, *other.examples][:EXAMPLES],
            unreadable=self.unreadable | other.unreadable,
        )

    def __bool__(self) -> bool:
        """Return whether there is anything to say."""
        return bool(self.applied or self.refused or self.unreadable)

    @property
    def in_words(self) -> str:
        """Return how many were applied, by kind."""
        kinds = [
            f"{plural(count, 'event')} of {kind} ({plural(self.entries.get(kind, 0), *_ENTRY)})"
            for kind, count in self.applied.items()
        ]
        return f"{', '.join(kinds) or 'No event'} applied"

    @property
    def refused_in_words(self) -> str:
        """Return how many entries were refused."""
        return f"{plural(self.refused, *_ENTRY)} refused"

    @property
    def stays(self) -> list[str]:
        """Return what is said of each object that cannot be read."""
        return [unreadable_in_words(name, why) for name, why in self.unreadable.items()]


_ENTRY = ("entry", "entries")


def unreadable_in_words(name: str, why: str) -> str:
    """Return what is said of an object of the inbox that cannot be read."""
    problem = why.removeprefix(f"{name}: ")
    text = f"{name} is in the inbox and no batch of events ({problem}): it was not applied"
    return f"{text}, and almanac due hands out nothing while it is there"


def refused_table(events: RunEvents) -> ReportTable:
    """Return the examples of refused entries."""
    columns = ("Event", "Index in it", "Why it was refused")
    rows = [(x.event_id, "" if x.index is None else str(x.index), x.why) for x in events.examples]
    return ReportTable(REFUSED, "Refused entries", tuple(map(ReportColumn, columns)), [*rows])
