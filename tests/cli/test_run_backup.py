"""`almanac run --backup`: the file as it was, checked, and nothing else is ever deleted."""

from __future__ import annotations

import datetime as dt
import errno
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

from almanac.organizations.kept_copies import KeptCopies
from tests.support.cli_calls import Answer, almanac
from tests.support.tiny import Agency
from tests.support.undo_calls import tables

NOW = dt.datetime(2026, 11, 28, 12, tzinfo=dt.UTC)


@pytest.fixture
def agency(tmp_path: Path) -> Agency:
    agency = Agency(tmp_path / "agency.sqlite3")
    agency.contact(1, birth_date="1960-12-20")
    (tmp_path / "copies").mkdir()
    return agency


def run(agency: Agency, *more: object) -> Answer:
    return almanac("run", agency.path, "--as-of", "2026-11-28", "--workers", 1, *more)


def copies(agency: Agency, at: dt.datetime) -> KeptCopies:
    return KeptCopies(agency.path, agency.path.parent / "copies", 7, lambda: at)


def test_the_file_as_it_was_is_in_the_folder_and_named(agency: Agency) -> None:
    before, folder = tables(agency.path), agency.path.parent / "copies"
    answer = run(agency, "--backup", folder)
    assert answer.code == 0, answer.err
    (copy,) = folder.iterdir()
    assert copy.name in answer.out
    assert tables(copy) == before != tables(agency.path)


def test_only_old_copies_of_this_file_are_deleted(agency: Agency) -> None:
    folder = agency.path.parent / "copies"
    days = [0, 6, 8, 30]
    for age in days:
        copies(agency, NOW - dt.timedelta(days=age)).make(agency.path)
    first = sorted(folder.iterdir())
    elsewhere = KeptCopies(Path("/elsewhere/agency.sqlite3"), folder, 7, copies(agency, NOW).now)
    others = [folder / "agency.sqlite3", folder / first[0].name.replace("agency", "agency2")]
    for other in others:
        shutil.copy(agency.path, other)
    assert elsewhere.remove_old() == []
    gone = copies(agency, NOW).remove_old()
    assert sorted(gone) == first[:2]
    assert sorted(folder.iterdir()) == sorted([*first[2:], *others])


def test_a_second_try_of_a_run_replaces_its_own_copy(agency: Agency) -> None:
    kept = copies(agency, NOW)
    kept.make(agency.path)
    first, kept.now = kept.made, lambda: NOW + dt.timedelta(seconds=1)
    kept.make(agency.path)
    assert list(kept.folder.iterdir()) == [kept.made]
    assert kept.made != first


@pytest.mark.parametrize(
    ("number", "words"), [(errno.ENOSPC, "no room left"), (errno.EIO, "Input/output error")]
)
def test_without_a_copy_no_run_begins(
    agency: Agency, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    def fail(*_: object) -> NoReturn:
        raise OSError(number, words)

    folder = agency.path.parent / "copies"
    (old := folder / "old").touch()
    before = tables(agency.path)
    monkeypatch.setattr(shutil, "copyfile", fail)
    answer = run(agency, "--backup", folder)
    assert (answer.code, answer.err) == (
        1,
        f"Error: --backup: {folder}: a copy cannot be written ({words}); the run was not begun\n",
    )
    assert tables(agency.path) == before
    assert list(folder.iterdir()) == [old]


def test_mistakes_are_named(agency: Agency) -> None:
    folder = agency.path.parent / "copies"
    assert "is no folder; create it" in run(agency, "--backup", folder / "none").err
    assert "changes nothing" in run(agency, "--backup", folder, "--dry-run").err
    assert "add --backup" in run(agency, "--keep", 3).err
    assert "takes only" in almanac("run", "--org", "206", "--backup", folder).err
    assert list(folder.iterdir()) == []
