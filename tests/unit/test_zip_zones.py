"""From ZIP codes to time zones."""

from __future__ import annotations

import pyarrow as pa
import pytest

from almanac.rules.states import USPS_STATES
from almanac.rules.zip import zip_numbers, zip_table, zones_of_state

EASTERN, CENTRAL, MOUNTAIN = "America/New_York", "America/Chicago", "America/Denver"
PACIFIC, ARIZONA = "America/Los_Angeles", "America/Phoenix"
MILITARY = {"AA", "AE", "AP"}
PLACES = {
    "Manhattan": ("10001", EASTERN),
    "Detroit": ("48226", EASTERN),
    "Ironwood in Michigan": ("49938", CENTRAL),
    "Pensacola": ("32501", CENTRAL),
    "Miami": ("33101", EASTERN),
    "Louisville": ("40202", EASTERN),
    "Bowling Green in Kentucky": ("42101", CENTRAL),
    "Nashville": ("37201", CENTRAL),
    "Knoxville": ("37902", EASTERN),
    "Chattanooga north of the river": ("37405", EASTERN),
    "Gary": ("46402", CENTRAL),
    "Indianapolis": ("46204", EASTERN),
    "El Paso": ("79901", MOUNTAIN),
    "Dallas": ("75201", CENTRAL),
    "Rapid City": ("57701", MOUNTAIN),
    "Sioux Falls": ("57104", CENTRAL),
    "Scottsbluff": ("69361", MOUNTAIN),
    "Goodland in Kansas": ("67735", MOUNTAIN),
    "Dickinson in North Dakota": ("58601", MOUNTAIN),
    "Boise": ("83702", MOUNTAIN),
    "Coeur d'Alene": ("83814", PACIFIC),
    "Ontario in Oregon": ("97914", MOUNTAIN),
    "Portland": ("97201", PACIFIC),
    "Las Vegas": ("89101", PACIFIC),
    "West Wendover": ("89883", MOUNTAIN),
    "Phoenix": ("85001", ARIZONA),
    "Flagstaff, a post office box": ("86003", ARIZONA),
    "Tuba City, Navajo Nation": ("86045", MOUNTAIN),
    "Window Rock, Navajo Nation": ("86515", MOUNTAIN),
    "Anchorage": ("99501", "America/Anchorage"),
    "Juneau": ("99801", "America/Anchorage"),
    "Adak": ("99546", "America/Adak"),
    "Honolulu": ("96813", "Pacific/Honolulu"),
    "San Juan": ("00901", "America/Puerto_Rico"),
    "Charlotte Amalie": ("00802", "America/Puerto_Rico"),
    "Guam": ("96910", "Pacific/Guam"),
    "Saipan": ("96950", "Pacific/Guam"),
    "Pago Pago": ("96799", "Pacific/Pago_Pago"),
    "Pohnpei": ("96941", "Pacific/Pohnpei"),
    "Majuro": ("96960", "Pacific/Majuro"),
    "a code of Manhattan that is not listed": ("10299", EASTERN),
}


def zone_of(zip_code: str) -> str | None:
    table = zip_table()
    (number,) = zip_numbers(pa.array([zip_code]))
    zone = table.zones[number]
    return table.zone_names[zone] if zone >= 0 else None


@pytest.mark.parametrize("place", PLACES)
def test_a_zip_code_has_the_zone_of_its_place(place: str) -> None:
    zip_code, zone = PLACES[place]
    assert zone_of(zip_code) == zone


@pytest.mark.parametrize("zip_code", ["09001", "34001", "96601", "00000", "98700"])
def test_military_post_and_codes_of_no_state_have_no_zone(zip_code: str) -> None:
    assert zone_of(zip_code) is None


def test_a_code_that_is_not_listed_has_no_zone_where_its_neighbours_disagree() -> None:
    table = zip_table()
    unknown = (table.zones < 0) & (table.states == USPS_STATES.index("KY"))
    assert 0 < unknown.sum() < 300


def test_each_state_but_the_military_begins_with_its_most_populous_zone() -> None:
    assert {state for state in USPS_STATES if not zones_of_state(state)} == MILITARY
    divided = {state: zones for state in USPS_STATES if len(zones := zones_of_state(state)) > 1}
    assert divided == {
        "AK": ("America/Anchorage", "America/Adak"),
        "AZ": (ARIZONA, MOUNTAIN),
        "FL": (EASTERN, CENTRAL),
        "ID": (MOUNTAIN, PACIFIC),
        "IN": (EASTERN, CENTRAL),
        "KS": (CENTRAL, MOUNTAIN),
        "KY": (EASTERN, CENTRAL),
        "MI": (EASTERN, CENTRAL),
        "ND": (CENTRAL, MOUNTAIN),
        "NE": (CENTRAL, MOUNTAIN),
        "NV": (PACIFIC, MOUNTAIN),
        "OR": (PACIFIC, MOUNTAIN),
        "SD": (CENTRAL, MOUNTAIN),
        "TN": (CENTRAL, EASTERN),
        "TX": (CENTRAL, MOUNTAIN),
        "FM": ("Pacific/Guam", "Pacific/Pohnpei"),
    }
