"""Write the exclusion windows of every state, so that a change of a rule shows as a diff.

`make snapshots` rewrites tests/snapshots/windows/<STATE>.json: for each day of the year as birth or
effective date, the windows of the anniversaries in four consecutive years. These are an ordinary
year (2026), the one before a leap year, the leap year and the one after it: the windows of any
other year have the same days as one of them.
"""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import numpy as np

from almanac import civil
from almanac.config import Config
from almanac.frames import NO_DAY
from almanac.rules.rule_table import RuleTable
from almanac.rules.states import USPS_STATES
from almanac.rules.windows import window_in_year

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "snapshots" / "windows"
YEARS = range(2026, 2030)
WITHOUT_A_RULE = "states_without_a_rule.json"

ANCHORS = [dt.date(1952, 1, 1) + dt.timedelta(days=n) for n in range(366)]


def snapshots(config: Config) -> dict[str, str]:
    """Return the text of each file by name."""
    texts = {f"{state}.json": _state_text(state, config) for state in sorted(config.rules)}
    without = [state for state in sorted(USPS_STATES) if state not in config.rules]
    return texts | {WITHOUT_A_RULE: json.dumps(without, indent=1) + "\n"}


def _state_text(state: str, config: Config) -> str:
    """Return JSON with one line for each day of the year."""
    rule = config.rules[state][0].model_dump(exclude_defaults=True)
    lines = [f'  "{anchor:%m-%d}": {json.dumps(w)}' for anchor, w in _windows(state, config)]
    return (
        f'{{\n "state": {json.dumps(state)},\n'
        f' "rule": {json.dumps(rule)},\n'
        f' "pre_window_days": {config.timing.pre_window_days},\n'
        f' "years": {json.dumps(list(YEARS))},\n'
        ' "windows": {' + ("\n" + ",\n".join(lines) + "\n " if lines else "") + "}\n}\n"
    )


def _windows(state: str, config: Config) -> list[tuple[dt.date, str]]:
    """Yield each anchor and its windows as text; nothing for a state without windows."""
    days = np.array([civil.day_of(anchor) for anchor in ANCHORS], np.int32)
    anchored_by_birth = config.rules[state][0].kind == "birthday_window"
    nothing = np.full(len(days), NO_DAY, np.int32)
    exclusions = RuleTable(config).exclusions(
        np.full(len(days), USPS_STATES.index(state), np.int32),
        days if anchored_by_birth else nothing,
        nothing if anchored_by_birth else days,
    )
    (slot,) = exclusions.slots
    if (slot.anchor < 0).all():
        return []
    by_year = [window_in_year(slot, year) for year in YEARS]
    return [
        (
            anchor,
            ", ".join(
                f"{civil.text_of(start[row])} to {civil.text_of(end[row])}"
                for start, end in by_year
            ),
        )
        for row, anchor in enumerate(ANCHORS)
    ]


def main() -> None:
    """Write the files, and remove those of states that no longer have a rule."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    texts = snapshots(Config())
    for path in FOLDER.glob("*.json"):
        if path.name not in texts:
            path.unlink()
    for name, text in texts.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    print(f"{len(texts)} files in {FOLDER}")


if __name__ == "__main__":
    main()
