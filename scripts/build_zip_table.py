"""Reduce the ZIP codes of the PyPI package `zipcodes` to shared/almanac/rules/zip_ranges.csv.

The ranges give the state of a ZIP code and its time zone. These rules apply:

- A military post office that is listed under the state of its sorting plant takes the code of the
  other military ZIP codes with the same first three digits. It has no zone.
- If all listed ZIP codes with the same first three digits are in one state, all hundred are: the
  Postal Service assigns the first three digits by sorting plant, and new codes appear regularly.
  The same holds for zones.
- Any other code that is not listed is in no state, or has no zone.
- The zones of CORRECTIONS are other than the package says.
- Zones whose clocks have agreed since SINCE and will for all that is known are one, under the name
  of the one with most ZIP codes: America/Detroit is America/New_York.
"""

from __future__ import annotations

import csv
import datetime as dt
import itertools
from collections import Counter, defaultdict
from pathlib import Path
from zoneinfo import ZoneInfo

import zipcodes

TABLE = Path(__file__).parent.parent / "shared" / "almanac" / "rules" / "zip_ranges.csv"
MILITARY_CITIES = {"Apo", "Dpo", "Fpo"}
MILITARY_STATES = {"AA", "AE", "AP"}
SINCE, UNTIL = dt.datetime(2020, 1, 1, tzinfo=dt.UTC), dt.datetime(2038, 1, 1, tzinfo=dt.UTC)
# by 49 CFR 71 and, for Arizona, by the daylight saving time of the Navajo Nation
CORRECTIONS = {
    37338: "America/New_York",  # Graysville, in Rhea County
    37405: "America/New_York",  # Chattanooga
    67857: "America/Denver",  # Kendall, in Hamilton County
    83522: "America/Los_Angeles",  # Cottonwood, north of the Salmon River
    86003: "America/Phoenix",  # Flagstaff
    86040: "America/Phoenix",  # Page
    86045: "America/Denver",  # Tuba City, Navajo Nation
    89883: "America/Denver",  # West Wendover
    96941: "Pacific/Pohnpei",
    96944: "Pacific/Kosrae",
    99634: "America/Anchorage",  # Napakiak, the town where the package should have a zone
}


def main() -> None:
    """Write the table."""
    states, zones = listed()
    states, zones = with_gaps_filled(states), with_gaps_filled(zones)
    with TABLE.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["first", "last", "state", "zone"])
        writer.writerows(ranges(states, zones))
    print(f"{TABLE.name}: {len(states)} ZIP codes, {TABLE.stat().st_size} bytes")


def listed() -> tuple[dict[int, str], dict[int, str]]:
    """Return the state and the zone, or an empty text, of each ZIP code that the package lists."""
    entries: list[dict[str, str]] = zipcodes.list_all()  # type: ignore[no-untyped-call, unused-ignore]
    military: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for entry in entries:
        if entry["state"] in MILITARY_STATES:
            military[entry["zip_code"][:3]][entry["state"]] += 1
    states: dict[int, str] = {}
    zones: dict[int, str] = {}
    for entry in entries:
        code, state = entry["zip_code"], entry["state"]
        if entry["city"] in MILITARY_CITIES and state not in MILITARY_STATES:
            ((state, _),) = military[code[:3]].most_common(1)
        states[int(code)] = state
        zones[int(code)] = "" if state in MILITARY_STATES else entry["timezone"]
    zones |= CORRECTIONS
    name = names_of_clocks(Counter(zones.values()))
    return states, {code: name[zone] for code, zone in zones.items()}


def names_of_clocks(zones: Counter[str]) -> dict[str, str]:
    """Return the name of each zone in the table, from the number of ZIP codes in each."""
    hours = range(int((UNTIL - SINCE).total_seconds()) // 3600)
    moments = [SINCE + dt.timedelta(hours=hour) for hour in hours]
    first: dict[tuple[object, ...], str] = {}
    names = {"": ""}
    for zone, _ in zones.most_common():
        if zone:
            clock = ZoneInfo(zone)
            offsets = tuple(clock.utcoffset(moment) for moment in moments)
            names[zone] = first.setdefault(offsets, zone)
    return names


def with_gaps_filled(known: dict[int, str]) -> dict[int, str]:
    """Return what is known, and the same of all hundred ZIP codes of the prefixes that agree."""
    prefixes: defaultdict[int, set[str]] = defaultdict(set)
    for code, value in known.items():
        prefixes[code // 100].add(value)
    filled = dict(known)
    for prefix, found in prefixes.items():
        if len(found) == 1:
            filled |= dict.fromkeys(range(prefix * 100, prefix * 100 + 100), *found)
    return filled


def ranges(states: dict[int, str], zones: dict[int, str]) -> list[tuple[str, str, str, str]]:
    """Return (first, last, state, zone) of the runs of consecutive ZIP codes that share both."""
    runs = []

    def place_and_run(numbered: tuple[int, int]) -> tuple[str, str, int]:
        number, code = numbered
        return states[code], zones.get(code, ""), code - number

    for (state, zone, _), run in itertools.groupby(enumerate(sorted(states)), place_and_run):
        codes = [code for _, code in run]
        runs.append((f"{codes[0]:05}", f"{codes[-1]:05}", state, zone))
    return runs


if __name__ == "__main__":
    main()
