"""Reduce the ZIP codes of the PyPI package `zipcodes` to shared/almanac/rules/zip_ranges.csv.

The ranges give the state of a ZIP code. Three rules apply:

- A military post office that is listed under the state of its sorting plant takes the code of the
  other military ZIP codes with the same first three digits.
- If all listed ZIP codes with the same first three digits are in one state, all hundred are: the
  Postal Service assigns the first three digits by sorting plant, and new codes appear regularly.
- Any other code that is not listed is in no state.
"""

from __future__ import annotations

import csv
import itertools
from collections import Counter, defaultdict
from pathlib import Path

import zipcodes

TABLE = Path(__file__).parent.parent / "shared" / "almanac" / "rules" / "zip_ranges.csv"
MILITARY_CITIES = {"Apo", "Dpo", "Fpo"}
MILITARY_STATES = {"AA", "AE", "AP"}


def main() -> None:
    """Write the table."""
    states = with_gaps_filled(listed())
    with TABLE.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["first", "last", "state"])
        writer.writerows(ranges(states))
    print(f"{TABLE.name}: {len(states)} ZIP codes, {TABLE.stat().st_size} bytes")


def listed() -> dict[int, str]:
    """Return the state of each ZIP code that the package lists."""
    entries: list[dict[str, str]] = zipcodes.list_all()  # type: ignore[no-untyped-call, unused-ignore]
    military: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for entry in entries:
        if entry["state"] in MILITARY_STATES:
            military[entry["zip_code"][:3]][entry["state"]] += 1
    states: dict[int, str] = {}
    for entry in entries:
        code, state = entry["zip_code"], entry["state"]
        if entry["city"] in MILITARY_CITIES and state not in MILITARY_STATES:
            ((state, _),) = military[code[:3]].most_common(1)
        states[int(code)] = state
    return states


def with_gaps_filled(states: dict[int, str]) -> dict[int, str]:
    """Return the states with all hundred ZIP codes of the prefixes that are in one state."""
    prefixes: defaultdict[int, set[str]] = defaultdict(set)
    for code, state in states.items():
        prefixes[code // 100].add(state)
    filled = dict(states)
    for prefix, found in prefixes.items():
        if len(found) == 1:
            filled |= dict.fromkeys(range(prefix * 100, prefix * 100 + 100), *found)
    return filled


def ranges(states: dict[int, str]) -> list[tuple[str, str, str]]:
    """Return (first, last, state) of the runs of consecutive ZIP codes in one state."""
    runs = []
    keyed = itertools.groupby(enumerate(sorted(states)), lambda i: (states[i[1]], i[1] - i[0]))
    for (state, _), run in keyed:
        codes = [code for _, code in run]
        runs.append((f"{codes[0]:05}", f"{codes[-1]:05}", state))
    return runs


if __name__ == "__main__":
    main()
