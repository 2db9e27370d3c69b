"""Addresses that several contacts share are counted, with examples by contact id."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from almanac.report.lines import SharedAddresses
from almanac.statistics.shared_addresses import shared_addresses
from tests.support.cli_calls import AS_OF, almanac
from tests.support.tiny import Agency

EXPECTED = SharedAddresses(addresses=2, contacts=5, examples=[[1, 4], [2, 3, 9]])


@pytest.fixture
def tiny(tmp_path: Path) -> Agency:
    made = Agency(tmp_path / "agency.sqlite3")
    emails = {
        1: "ann@example.com",
        2: "bob@example.com",
        3: " Bob@Example.com ",
        4: "ANN@example.com",
        5: "",
        6: None,
        7: "N/A",
        8: "N/A",
        9: "bob@example.com",
        10: "eve@example.com",
        11: "",
    }
    for contact, email in emails.items():
        made.contact(contact, email=email, birth_date="1950-12-20")
    return made


def words(text: str) -> str:
    return " ".join(text.split())


def test_check_counts_them_with_examples(tiny: Agency) -> None:
    answer = almanac("check", tiny.path)
    assert answer.code == 0
    assert "2 addresses of 5 contacts" in words(answer.out)
    assert "contacts 1, 4; 2, 3, 9" in words(answer.out)
    found = json.loads(almanac("check", tiny.path, "--json").out)
    assert SharedAddresses(**found["shared_addresses"]) == EXPECTED


def test_the_page_counts_them_with_examples(tiny: Agency, tmp_path: Path) -> None:
    page, after = tmp_path / "run.html", tmp_path / "after.html"
    run = almanac("run", tiny.path, "--as-of", AS_OF, "--report", page, "--json")
    assert SharedAddresses(**json.loads(run.out)["shared_addresses"]) == EXPECTED
    assert almanac("report", tiny.path, "--out", after).code == 0
    for each in (page, after):
        text = each.read_text()
        assert "Addresses that several contacts share" in text
        assert EXPECTED.in_words() in text


def test_a_page_without_any_does_not_speak_of_them(tmp_path: Path) -> None:
    tiny = Agency(tmp_path / "agency.sqlite3")
    tiny.contact(1)
    page = tmp_path / "run.html"
    assert almanac("run", tiny.path, "--as-of", AS_OF, "--report", page).code == 0
    assert "several contacts share" not in page.read_text()
    assert "several contacts share" not in almanac("check", tiny.path).out


def test_examples_are_few() -> None:
    ids = np.arange(1, 1001)
    found = shared_addresses(ids, (ids % 10 + 1).astype(np.uint64))
    assert (found.addresses, found.contacts) == (10, 1000)
    assert [len(each) for each in found.examples] == [5] * 5
    assert shared_addresses(ids[:0], np.empty(0, np.uint64)) == SharedAddresses()
