"""Where the contacts of messages live, as far as ZIP code and state say (semantics: Hours)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from almanac.planning.contact_states import states_of
from almanac.planning.texts import trimmed
from almanac.rules.states import USPS_STATES
from almanac.rules.zip import zip_numbers, zip_table, zones_of_state

UNKNOWN = -1
# whose quiet hours are not those of the United States
FREELY_ASSOCIATED = {"FM", "MH", "PW"}

PlaceCodes = tuple[int, int, int]  # the contact's state, the ZIP code's state and zone; or UNKNOWN


class Place(NamedTuple):
    """A state, or the part of it in one time zone."""

    state: str  # USPS
    zone: str  # IANA


class Whereabouts(NamedTuple):
    """The zone of a contact, None if nothing is known of it, and all places where it may be."""

    zone: str | None
    places: tuple[Place, ...]


def place_codes(states: Sequence[object], zip_codes: Sequence[object]) -> list[PlaceCodes]:
    """Return what each contact's state and ZIP code say."""
    columns = {"state": states, "zip_code": zip_codes}
    table = pa.table(
        {
            name: pa.array([str(value or "") for value in values], pa.string())
            for name, values in columns.items()
        }
    )
    numbers = zip_numbers(trimmed(table, "zip_code"))
    formed, known = numbers >= 0, zip_table()
    zip_states = np.where(formed, np.maximum(known.states[numbers], UNKNOWN), UNKNOWN)
    zones = np.where(formed, known.zones[numbers], UNKNOWN)
    found = (states_of(table), zip_states, zones)
    return list(zip(*(codes.tolist() for codes in found), strict=True))


@cache
def whereabouts(codes: PlaceCodes) -> Whereabouts:
    """Return the zone and the possible places of a contact with such codes."""
    state, zip_state, zip_zone = codes
    places: list[Place] = []
    for each in sorted({state, zip_state} - {UNKNOWN}):
        name = USPS_STATES[each]
        if each == zip_state and zip_zone != UNKNOWN:
            zones: tuple[str, ...] = (zip_table().zone_names[zip_zone],)
        else:
            zones = zones_of_state(name)
        # the military is everywhere
        places += [Place(name, zone) for zone in zones] or _everywhere()
    zone = None
    if zip_zone != UNKNOWN:
        zone = zip_table().zone_names[zip_zone]
    elif state != UNKNOWN:
        zone = next(iter(zones_of_state(USPS_STATES[state])), None)
    return Whereabouts(zone, tuple(places or _everywhere()))


def _everywhere() -> list[Place]:
    states = [state for state in USPS_STATES if state not in FREELY_ASSOCIATED]
    return [Place(state, zone) for state in states for zone in zones_of_state(state)]
