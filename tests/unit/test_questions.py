"""Questions to a database, answered beside what a run does meanwhile."""

from __future__ import annotations

import threading
from pathlib import Path

import apsw
import pytest

from almanac.database.columnar import ColumnarReader
from almanac.database.reading import Snapshot
from almanac.database.sources import Source
from almanac.errors import DatabaseError
from almanac.runs.questions import THREADS, asking
from tests.support.tiny import Agency


@pytest.fixture
def path(tmp_path: Path) -> Path:
    agency = Agency(tmp_path / "agency.sqlite3")
    agency.contact(1)
    return agency.path


def live(path: Path) -> Source:
    connection = apsw.Connection(str(path))
    return Source(
        path, connection, ColumnarReader(path, connection), connection.close, uri=path.as_uri()
    )


def asked_in(_: Snapshot) -> str:
    return threading.current_thread().name


def test_a_file_and_a_source_are_asked_in_other_threads(path: Path) -> None:
    for database in (path, live(path)):
        with asking(database) as ask:
            thread, contacts = ask(asked_in), ask(Snapshot.total_contacts)
            assert (contacts(), thread().partition("_")[0]) == (1, "questions")


def test_an_error_is_raised_where_the_answer_is_wanted(path: Path, tmp_path: Path) -> None:
    def broken(_: Snapshot) -> None:
        raise DatabaseError("no such answer")

    with asking(path) as ask:
        wrong, right = ask(broken), ask(Snapshot.total_contacts)
        assert right() == 1
        with pytest.raises(DatabaseError, match="no such answer"):
            wrong()
    with asking(tmp_path / "missing.sqlite3") as ask:
        never = ask(Snapshot.total_contacts)
        with pytest.raises(DatabaseError):
            never()


def test_what_ends_early_waits_for_the_questions_at_hand_and_drops_the_others(path: Path) -> None:
    begun, go_on = threading.Barrier(THREADS + 1), threading.Event()
    asked: list[str] = []

    def at_hand(_: Snapshot) -> None:
        begun.wait()
        go_on.wait()
        asked.append("at hand")

    def interrupted() -> None:
        with asking(path) as ask:
            for _ in range(THREADS):
                ask(at_hand)
            ask(lambda _: asked.append("behind it"))
            begun.wait()
            threading.Timer(0.01, go_on.set).start()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert asked == ["at hand"] * THREADS
    assert not [each for each in threading.enumerate() if each.name.startswith("questions")]
