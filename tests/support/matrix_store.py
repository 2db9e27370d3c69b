"""The store that the commands of the fault matrix meet: small, and quickly made once more."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import apsw

from almanac.organizations.earlier_configs import replace_config
from almanac.storage import layout
from almanac.storage.cloud import CloudStore
from almanac.storage.publish import NewVersion, publish
from almanac.storage.versions import current
from almanac_emulation.cloud_storage.emulator import StorageEmulator
from tests.support.cli_calls import almanac
from tests.support.tiny import Agency

ORG = "206"
OTHER = "other@example.com"  # whom another writer suppresses
TODAY = dt.datetime.now(dt.UTC).date()

_BASE = "base"
# what two runs of the same command never have in common
_PASSING = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d[\d:.]*(\+00:00|Z)?|\d{8}T\d{6}Z|[0-9a-f]{6,}|[\d.]+ hours"
)


def masked(text: str) -> str:
    """The text without times, random ids and checksums."""
    return _PASSING.sub("~", text).replace("point-", "")


@dataclass(frozen=True)
class State:
    """What an organization has: the rows in force, the versions before them, settings, inbox."""

    rows: str
    chain: tuple[str, ...]  # paths, the one in force first
    configs: tuple[str, ...]  # config.yaml, and what it was before
    inbox: tuple[str, ...]  # the entries of its objects
    names: tuple[str, ...]  # of all objects

    @property
    def plain(self) -> tuple[str, ...]:
        """What a command must have changed once or not at all."""
        texts = (self.rows, str(len(self.chain)), "\n".join(self.configs), "\n".join(self.inbox))
        return tuple(map(masked, texts))

    def numbers(self) -> list[int]:
        return [int(re.findall(r"versions/(\d+)-", path)[0]) for path in self.chain]


class Bucket:
    """A copy of the prepared store, which the test sees beside the client."""

    def __init__(self, emulator: StorageEmulator, name: str) -> None:
        self.name = name
        self.url = f"gs://{name}"
        self.run_of_other = ""  # of the version that another writer has published
        self._emulator = emulator
        self._objects = emulator._buckets._buckets[name]  # no requests: they would cost most

    def read(self, name: str) -> bytes:
        return self._objects[name].path.read_bytes()

    def state(self) -> State:
        names = tuple(sorted(self._objects))
        chain = tuple(self._chain()) if layout.current(ORG) in names else ()
        configs = [layout.config(ORG)] if layout.config(ORG) in names else []
        configs += [name for name in names if name.startswith(layout.earlier_configs(ORG))]
        texts = [self.read(name).decode() for name in configs]
        waiting = [json.loads(self.read(n)) for n in names if n.startswith(layout.inbox(ORG))]
        inbox = tuple(
            json.dumps(event["event"]["entries"]) for each in waiting for event in each["events"]
        )
        rows = rows_of(self.read(chain[0])) if chain else ""
        return State(rows, chain, tuple(texts), inbox, names)

    def number(self, sql: str) -> int:
        """What the statement gives in the version in force."""
        ((found,),) = _opened(self.read(next(self._chain()))).execute(sql)
        return int(found)

    def _chain(self) -> Iterator[str]:
        path = json.loads(self.read(layout.current(ORG)))["path"]
        while path:
            yield path
            manifest = json.loads(self.read(f"{path.rpartition('/')[0]}/{layout.MANIFEST}"))
            path = manifest["parent_path"] if manifest["parent_path"] in self._objects else None

    def store(self) -> CloudStore:
        """The store by a way around the proxy."""
        return CloudStore(self.name, client=self._emulator.client(), first_pause=0.005)

    def publish_other(self) -> None:
        """Act as another writer, who suppresses an address."""
        store = self.store()
        there = current(store, ORG)
        if there is None:
            return
        with tempfile.TemporaryDirectory(dir=self._emulator._folder) as folder:
            copy = Path(folder) / "other.sqlite3"
            store.fetch_file(there[0].path, copy)
            connection = apsw.Connection(str(copy))
            connection.execute("INSERT INTO suppressions(email) VALUES (?)", (OTHER,))
            connection.close()
            now = dt.datetime.now(dt.UTC)
            run = f"push-{now:%Y%m%dT%H%M%SZ}-{next(_NUMBERS):06x}"
            publish(store, ORG, copy, NewVersion(run_id=run, parent=there, as_of=TODAY, now=now))
            self.run_of_other = run

    def configure_other(self) -> None:
        """Act as another writer, who adds a line to the configuration."""
        store = self.store()
        there = store.read(layout.config(ORG)) if layout.config(ORG) in self._objects else None
        text = (there.data if there else b"") + b"# another writer was here\n"
        replace_config(store, ORG, there, text, "another writer")

    def drop(self) -> None:
        """Remove the bucket and its files."""
        for stored in self._emulator._buckets._buckets.pop(self.name).values():
            stored.path.unlink(missing_ok=True)


_NUMBERS = itertools.count(1)


def new_bucket(emulator: StorageEmulator, *, empty: bool = False) -> Bucket:
    """A copy of the prepared store: links to its files, which nothing ever changes."""
    name = f"point-{next(_NUMBERS):06}"
    emulator.create_bucket(name)
    copy = emulator._buckets._buckets[name]
    for key, stored in ({} if empty else emulator._buckets._buckets[_BASE]).items():
        path = emulator._buckets.new_file()
        os.link(stored.path, path)
        copy[key] = replace(stored, bucket=name, path=path)
    return Bucket(emulator, name)


def prepare(emulator: StorageEmulator, folder: Path) -> Path:
    """Fill the store with three versions and two configurations; the file to push next."""
    emulator.create_bucket(_BASE)
    agency = Agency(folder / "agency.sqlite3")
    for number in (1, 2, 3):
        agency.contact(number, birth_date=f"1960-{TODAY + dt.timedelta(40):%m-%d}")
    agency.campaign(2, "promo", active=1, target_all_contacts=0)
    agency.campaign(3, "promo")
    agency.target(2, str(TODAY + dt.timedelta(20)))
    url = f"gs://{_BASE}"
    where = ("--org", ORG, "--store", url)
    for arguments in (
        ("store", "init", ORG, "--store", url),
        ("config", "set", "timezone=America/New_York", *where),
        ("run", agency.path, "--as-of", TODAY),
        ("store", "push", ORG, agency.path, "--store", url),
        ("suppression", "add", agency.path, "--email", "second@example.com"),
        ("store", "push", ORG, agency.path, "--store", url),
        ("suppression", "add", agency.path, "--email", "third@example.com"),
        ("store", "push", ORG, agency.path, "--store", url),
        ("suppression", "add", "--email", "waiting@example.com", *where),
    ):
        answer = almanac(*arguments)
        assert answer.code == 0, (arguments, answer)
    agency.query("INSERT INTO private_notes(k) VALUES ('pushed')")
    return agency.path


def rows_of(database: bytes) -> str:
    """All rows of all tables, as lines of text."""
    connection = _opened(database)
    tables = [
        name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")
    ]
    return "\n".join(
        f"{table}: {row}"
        for table in sorted(tables)
        for row in sorted(map(repr, connection.execute(f'SELECT * FROM "{table}"')))
    )


def _opened(database: bytes) -> apsw.Connection:
    connection = apsw.Connection(":memory:")
    plain = database[:18] + b"\1\1" + database[20:]  # no write-ahead log in memory
    connection.deserialize("main", plain)
    return connection
