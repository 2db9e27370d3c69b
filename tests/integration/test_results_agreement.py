"""The numbers of `almanac results`, compared with a slow and independent count."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from pathlib import Path

import pytest

from almanac.config import Config
from almanac.organizations.agency_database import FileDatabase
from almanac.progress import silent
from almanac.report.results import COUNTS, MessageCounts, Results, SplitArm
from almanac.results.results import ResultsRequest, results_of
from almanac.statistics import steady
from tests.oracle.results import Counted, count
from tests.support.results_agencies import FIRST, LAST, build
from tests.support.sampling import sampled

SEEDS = range(600)
ARM = (
    *("contacts", "reached", "clicked", "answered", "yes", "unsubscribed"),
    *("span_answered", "span_yes", "span_unsubscribed"),
)
# how a note says what the independent count says in a word
WORDS = {
    "whose date cannot be read": "no date",
    "whose time cannot be read": "no time",
    "without a contact's id": "no contact",
    "before which nothing was sent": "nothing before",
    "days after their message": "late",
    "after others of the same message": "repeated",
    "that are not sent": "not sent",
}


def counted(line: MessageCounts) -> Counter[str]:
    return +Counter({name: getattr(line, name) for name in COUNTS})


def of_arm(arm: SplitArm) -> Counter[str]:
    return +Counter({name: getattr(arm, name) for name in ARM})


def ignored(found: Results) -> dict[tuple[str, str], int]:
    result = {}
    for note in found.notes:
        word = next((word for text, word in WORDS.items() if text in note.what), "")
        if word:
            result[note.what.split()[0], word] = note.rows
    return result


def same(found: Results, expected: Counted) -> None:
    assert counted(found.total) == expected.total
    for name, lines in found.by.items():
        assert {line.key: counted(line) for line in lines} == expected.by.get(name, {}), name
    arms = {(g.group, arm.instance): of_arm(arm) for g in found.groups for arm in g.arms}
    assert arms == {key: +counts for key, counts in expected.arms.items()}
    assert ignored(found) == dict(expected.ignored)


@pytest.mark.parametrize("seed", sampled(SEEDS, 6))
def test_the_numbers_are_those_of_an_independent_count(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "agency.sqlite3"
    build(path, seed)
    first, last = FIRST, LAST - dt.timedelta(seed % 3)
    request = ResultsRequest(first, last, within=(7, 0, 30)[seed % 3])
    found = results_of(FileDatabase(path), Config(), request, silent)
    same(found, count(path, first, last, request.within))


@pytest.mark.slow
def test_worker_processes_count_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    agency = FileDatabase(tmp_path / "agency.sqlite3")
    build(agency.path, 7)
    request = ResultsRequest(FIRST, LAST)
    here = results_of(agency, Config(), request, silent)
    monkeypatch.setattr(steady, "SMALL", 0)
    assert results_of(agency, Config(), request, silent) == here
