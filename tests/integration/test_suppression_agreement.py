"""Who is suppressed: the last look before a commit and the planning read odd tables alike."""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path
from typing import Any

import apsw
import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from almanac.config import Config
from almanac.config_contacts import ContactColumns
from almanac.contact_ranges import EVERYONE
from almanac.database import range_tables
from almanac.database.reading import Snapshot
from almanac.database.suppressed_contacts import by_scope, suppressed
from almanac.database.suppressions import IN_FORCE, of_contact
from almanac.frames import Ids
from almanac.organizations.brief import run_context_of
from almanac.planning.contacts import read_contacts
from almanac.planning.kinds import KindTable

AS_OF = dt.date(2027, 3, 1)
BLANKS = [
    *("", " ", "\t", "\n", "\r\n", "\x0b", "\x0c", "\x1c", "\x1f", "\x85", "\xa0", "\u1680"),
    *("\u2003", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000", "\u200b", "\ufeff", "\0"),
]
NAMES = ["ada@example.com", "ADA@example.com", "Bo@Example.Com", "cé@example.com", "CÉ@example.com"]
NAMES += ["\u212aay@example.com", "kay@example.com", "\u0130@example.com", "a@example.com\0b", ""]
DAYS = [
    *("2027-02-28", "2027-03-01", "2027-03-02", "2027-3-1", "2027-02-29", "2027-02-30", "soon"),
    *("2027-03-01T00:00", "2027-03-01 23:59:59", "2027-03-01x", "2027-03-01\n", " 2027-03-02"),
    *("0000-01-01", "0001-01-01", "9999-12-31", "2027-02-28\0", "2027-02-28 \0", "2027-13-01", ""),
]
addresses = st.builds(
    "{}{}{}".format, st.sampled_from(BLANKS), st.sampled_from(NAMES), st.sampled_from(BLANKS)
)
bounds = st.sampled_from([*DAYS, *(day.encode() for day in DAYS), None, 20270302, 2027.5, b"\xff"])
numbers = st.sampled_from(
    [None, 0, 1, 2, 3, -1, "1", " 2", "3.0", "2x", "", 1.0, 2.7, 1e300, 2**62, -(2**63), b"1"]
)
texts = st.one_of(st.none(), addresses, addresses.map(str.encode), st.sampled_from([b"\xff@x.us"]))
COLUMNS = {
    "email": texts,
    "contact_id": numbers,
    "reason": st.sampled_from([None, "", " bounce ", "bounce", "\xa0", "x\0y", b"\xff", 5]),
    "since": bounds,
    "until": bounds,
    "channel": st.sampled_from([None, "", "email", "sms", " SMS\xa0", b"sms", "s\0ms"]),
    "email_types": st.sampled_from(
        [None, "", " , ", "Birthday", " aep ,birthday", "campaign_*", b"aep", "a\xe9p", b"\xff"]
    ),
}
rows = st.fixed_dictionaries({}, optional=COLUMNS)
contacts = st.lists(
    st.tuples(st.sampled_from([0, 1, 2, 3, -1, 2**62, "1", 2.5, None]), texts), max_size=6
)


class Tables:
    """Contacts and suppressions, however they are declared."""

    def __init__(
        self,
        people: list[tuple[Any, Any]],
        entries: list[dict[str, Any]],
        declared: str = "",
        encoding: str = "UTF-8",
        view: bool = False,
    ) -> None:
        self.people, self.entries = people, entries
        self.declared, self.encoding, self.view = declared, encoding, view

    def __repr__(self) -> str:
        told = (self.people, self.entries, self.declared, self.encoding, self.view)
        return f"Tables{told!r}"

    def write(self, path: Path) -> None:
        connection = apsw.Connection(str(path))
        connection.execute(f"PRAGMA encoding = '{self.encoding}'")
        connection.execute(f"CREATE TABLE contacts (id {self.declared}, email {self.declared})")
        connection.executemany("INSERT INTO contacts VALUES (?, ?)", self.people)
        names = sorted({name for entry in self.entries for name in entry}) or ["reason"]
        table = "kept" if self.view else "suppressions"
        connection.execute(
            f"CREATE TABLE {table} ({', '.join(f'{n} {self.declared}' for n in names)})"
        )
        for entry in self.entries:
            connection.execute(
                f"INSERT INTO {table} VALUES ({', '.join('?' * len(names))})",
                [entry.get(name) for name in names],
            )
        if self.view:
            connection.execute("CREATE VIEW suppressions AS SELECT * FROM kept")
        connection.close()


tables = st.builds(
    Tables,
    contacts,
    st.lists(rows, max_size=4),
    st.sampled_from(["", "INTEGER", "TEXT", "BLOB"]),
    st.sampled_from(["UTF-8", "UTF-8", "UTF-16le"]),
    st.booleans(),
)


KINDS = ("birthday", "aep")
Taken = set[tuple[int, str, bool]]  # contact, type, whether it is only the text message


def by_planning(path: Path) -> tuple[Ids, Ids, Taken]:
    """The contacts who can get messages, those of them whom the planning has suppressed, and what
    it takes from each."""
    taken: Taken = set()
    with Snapshot(path) as snapshot:
        context = run_context_of(snapshot, Config(), AS_OF, AS_OF)
        people = snapshot.read(range_tables.CONTACTS, EVERYONE)
        table = KindTable(context)
        batch = read_contacts(people, snapshot.suppressions(), context, table)
    held, everyone = batch.contacts, np.arange(len(batch.contacts))
    for name in KINDS:
        kind = np.full(len(everyone), table.kind(name), np.int32)
        gone = batch.suppressed.reason(everyone, kind, table.kinds) > 0
        silent = batch.suppressed.without_text(everyone, kind, table.kinds)
        taken |= {(int(contact), name, False) for contact in held.id[gone]}
        taken |= {(int(contact), name, True) for contact in held.id[silent]}
    return held.id, held.id[held.suppressed > 0], taken


@given(tables)
@example(Tables([(0, "ada@example.com")], [{"email": "Ada@example.com"}]))
def test_the_check_at_commit_and_the_planning_hold_the_same_contacts(made: Tables) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "agency.sqlite3"
        made.write(path)
        everybody, expected, taken = by_planning(path)
        connection = apsw.Connection(str(path))
        day = str(AS_OF)
        found = np.intersect1d(suppressed(connection, day, ContactColumns()), everybody).tolist()
        told = [
            contact
            for contact in everybody.tolist()
            if any(
                row.state == IN_FORCE and row.of_all_messages
                for row in of_contact(connection, contact, day, ContactColumns())
            )
        ]
        scopes = by_scope(connection, day, ContactColumns())
        connection.close()
    assert found == told == expected.tolist()
    assert taken == {
        (contact, name, scope.only_texts)
        for scope, contacts in scopes.items()
        for contact in np.intersect1d(contacts, everybody).tolist()
        for name in KINDS
        if scope.concerns(name)
    }
