"""Write the protected days of both rule sets, so that a change of law shows as a diff.

`make snapshots` rewrites tests/snapshots/rules/<RULE SET>.txt: for each state and a few contacts,
the spans of days from 2024 to 2034 on which a rule excludes messages, with windows and days ahead
of them as a run takes them.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np

from almanac import civil
from almanac.config import Config
from almanac.frames import NO_DAY
from almanac.rules.gaps import days_of
from almanac.rules.protected import protection, spans_of
from almanac.rules.states import USPS_STATES

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "snapshots" / "rules"
RULE_SETS = ("standard", "statutory")
FIRST, LAST = dt.date(2024, 1, 1), dt.date(2034, 12, 31)
# Birth and policy date: 65 in 2020 and 76 in 2031; 65 in 2025, on a leap day; 65 in 2031; unknown.
CONTACTS: tuple[tuple[dt.date | None, dt.date | None], ...] = (
    (dt.date(1955, 6, 15), dt.date(2015, 9, 1)),
    (dt.date(1960, 2, 29), dt.date(2012, 2, 29)),
    (dt.date(1966, 12, 31), dt.date(2020, 1, 1)),
    (None, None),
)


def snapshot(rule_set: str) -> str:
    """Return the text of a rule set."""
    config = Config.model_validate({"rule_set": rule_set})
    lines = [
        f"Rule set {rule_set}: protected days from {FIRST} to {LAST},",
        f"windows beginning {config.timing.pre_window_days} days ahead.",
        "",
    ]
    for state in sorted(config.rules):
        lines += [state, *_contacts(config, state), ""]
    others = [state for state in USPS_STATES if state not in config.rules]
    return "\n".join([*lines, f"No rule: {' '.join(sorted(others))}"]) + "\n"


def _contacts(config: Config, state: str) -> list[str]:
    births, policies = (
        np.array([NO_DAY if day is None else civil.day_of(day) for day in dates], np.int32)
        for dates in zip(*CONTACTS, strict=True)
    )
    states = np.full(len(CONTACTS), USPS_STATES.index(state), np.int32)
    inside = protection(config, states, births, policies, days_of(FIRST, LAST))
    lines = []
    for number, (birth, policy) in enumerate(CONTACTS):
        lines.append(f"  born {birth or 'unknown'}, policy {policy or 'unknown'}")
        spans = [
            (FIRST + dt.timedelta(days=start), FIRST + dt.timedelta(days=end))
            for start, end in spans_of(inside[:, number])
        ]
        lines += [f"    {start} to {end}" for start, end in spans] or ["    never"]
    return lines


def main() -> None:
    """Write the files."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for rule_set in RULE_SETS:
        (FOLDER / f"{rule_set}.txt").write_text(snapshot(rule_set), encoding="utf-8")
    print(f"{len(RULE_SETS)} files in {FOLDER}")


if __name__ == "__main__":
    main()
