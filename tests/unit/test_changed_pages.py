"""A copy-on-write view of a database: what a real file would hold, page by page."""

from __future__ import annotations

import random
import shutil
from contextlib import suppress
from pathlib import Path

import apsw
import pytest

from almanac.database.blocks import Blocks
from almanac.database.changed_pages import (
    ChangedPages,
    FileBytes,
    View,
    changed_view,
)
from almanac.database.page_map import write_pages
from almanac.database.sources import Traffic
from almanac.errors import DatabaseError, TransientError
from tests.support.sampling import sampled

KINDS = ("insert", "update", "delete", "refused", "rolled back", "table", "shrink")


def make(path: Path, *pragmas: str) -> Path:
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA synchronous = OFF")
    for pragma in pragmas:
        connection.execute(f"PRAGMA {pragma}")
    connection.execute(
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT UNIQUE, size INTEGER);"
        "CREATE INDEX by_size ON notes (size)"
    )
    insert(connection, random.Random("first"), 300)
    connection.close()
    return path


def insert(connection: apsw.Connection, chance: random.Random, rows: int) -> None:
    texts = [(f"{chance.random()}" + "x" * chance.randrange(200),) for _ in range(rows)]
    connection.executemany("INSERT INTO notes (text, size) VALUES (?1, length(?1))", texts)


def transact(connection: apsw.Connection, kind: str, seed: int) -> None:
    """Make the same random transaction for the same seed."""
    chance = random.Random(seed)
    low = chance.randrange(300)
    connection.execute("BEGIN IMMEDIATE")
    match kind:
        case "insert" | "rolled back":
            insert(connection, chance, 150)
        case "update":
            connection.execute("UPDATE notes SET size = size + 7 WHERE id % 5 = ?", (low % 5,))
        case "delete":
            connection.execute("DELETE FROM notes WHERE id BETWEEN ?1 AND ?1 + 60", (low,))
        case "refused":
            # the last row violates UNIQUE, after other rows have been changed
            with suppress(apsw.ConstraintError):
                connection.execute(
                    "UPDATE notes SET size = 1, text = CASE WHEN id = (SELECT max(id) FROM notes)"
                    " THEN (SELECT text FROM notes LIMIT 1) ELSE text || 'y' END"
                )
        case "table":
            connection.execute(f"CREATE TABLE t{seed} AS SELECT * FROM notes LIMIT 40")
        case "shrink":
            connection.execute("DELETE FROM notes WHERE id % 3 > 0")
    connection.execute("ROLLBACK" if kind == "rolled back" else "COMMIT")


def patched(view: View, base: Path, to: Path) -> bytes:
    """Put the written pages into a copy of the base, as a merge does."""
    shutil.copy(base, to)
    write_pages(to, view.pages.map(), view.pages.content())
    return to.read_bytes()


def in_blocks(path: Path) -> Blocks:
    data = path.read_bytes()
    return Blocks(path.name, len(data), lambda at, length: data[at : at + length], block_bytes=4096)


@pytest.mark.parametrize("seed", sampled(range(40), 2))
def test_a_view_holds_what_a_file_would_hold(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    shrinking = chance.choice(["auto_vacuum = FULL", "auto_vacuum = NONE"])
    size = chance.choice([512, 4096, 65536])
    path = make(tmp_path / "a.sqlite3", f"page_size = {size}", shrinking)
    real = shutil.copy(path, tmp_path / "real.sqlite3")
    base = path.read_bytes()
    connection = apsw.Connection(str(real))
    # what is left in free pages depends on it
    connection.execute("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF").fetchall()
    with (
        FileBytes(path) as file,
        changed_view(path, file if seed % 2 else in_blocks(path), tmp_path) as view,
    ):
        for number in range(6):
            kind = chance.choice(KINDS)
            transact(view.connection, kind, number)
            transact(connection, kind, number)
            assert patched(view, path, tmp_path / "copy.sqlite3") == Path(real).read_bytes()
            assert view.pages.read(0, view.pages.size) == Path(real).read_bytes()
    assert path.read_bytes() == base
    assert {each.name for each in tmp_path.iterdir()} == {
        "a.sqlite3",
        "real.sqlite3",
        "copy.sqlite3",
    }


def test_a_file_in_wal_mode_is_written_and_keeps_its_mode(tmp_path: Path) -> None:
    path = make(tmp_path / "a.sqlite3", "journal_mode = wal")
    with FileBytes(path) as file, changed_view(path, file, tmp_path) as view:
        transact(view.connection, "insert", 1)
        copy = tmp_path / "copy.sqlite3"
        assert patched(view, path, copy)[18:20] == b"\x02\x02"
    connection = apsw.Connection(str(copy))
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("SELECT count(*) FROM notes").fetchall() == [(450,)]


def test_pages_cut_off_and_grown_over_again_are_zeros(tmp_path: Path) -> None:
    path = make(tmp_path / "a.sqlite3")
    pages = ChangedPages(in_blocks(path), Traffic(), tmp_path)
    pages.write(4 * 4096, b"a" * 4096)
    pages.truncate(3 * 4096)
    pages.write(5 * 4096, b"b" * 4096)
    grown = pages.map()
    assert (grown.kept, grown.size, grown.numbers.tolist()) == (3 * 4096, 6 * 4096, [5])
    assert pages.read(3 * 4096, 3 * 4096) == bytes(2 * 4096) + b"b" * 4096
    assert pages.read(3 * 4096 - 1, 2) == path.read_bytes()[3 * 4096 - 1 : 3 * 4096] + b"\0"
    pages.close()


def test_what_the_store_raises_arrives_unchanged(tmp_path: Path) -> None:
    path = make(tmp_path / "a.sqlite3")
    data = path.read_bytes()

    def fetch(start: int, length: int) -> bytes:
        if start:
            raise TransientError("the store is away")
        return data[start : start + length]

    blocks = Blocks(path.name, len(data), fetch, block_bytes=4096)
    with (
        changed_view(path, blocks, tmp_path) as view,
        pytest.raises(TransientError, match="the store is away"),
    ):
        view.connection.execute("UPDATE notes SET size = 0")


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite3"
    path.write_bytes(b"no database" * 100)
    with (
        pytest.raises(DatabaseError, match="not an SQLite database"),
        changed_view(path, in_blocks(path), tmp_path),
    ):
        pass
