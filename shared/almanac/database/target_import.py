"""Import targets of a campaign instance: collect and compare them, then write all new ones.

Rows are passed as arrays (`carray`), and collected in temporary tables, which SQLite keeps on disk.
Everything happens inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import apsw
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from almanac import civil
from almanac.config_contacts import ContactColumns
from almanac.database.campaigns import targets_of
from almanac.database.catalog import scalar
from almanac.database.columnar import ColumnarReader
from almanac.database.contact_columns import contacts_of
from almanac.database.reading import Snapshot
from almanac.database.refused_rows import check_written
from almanac.database.sources import Source
from almanac.database.sql import civil_date, trimmed
from almanac.database.target_removal import EPOCH, targets
from almanac.database.triggers import ignoring_triggers
from almanac.frames import NO_DAY, Days, Ids
from almanac.joins import positions

ROWS_AT_ONCE = 50_000  # existing targets, as Python objects

_TABLES = {
    "almanac_batch": "n INTEGER PRIMARY KEY, contact_id INTEGER, day INTEGER, line INTEGER, "
    "metadata TEXT",
    "almanac_targets": "contact_id INTEGER, day INTEGER, line INTEGER, metadata TEXT, "
    "PRIMARY KEY (contact_id, day)",
    "almanac_addresses": "email TEXT PRIMARY KEY, contacts INTEGER, first INTEGER, last INTEGER",
}
_STAGE = "INSERT INTO temp.almanac_batch (contact_id, day, line, metadata) VALUES (?, ?, ?, ?)"
_GATHER = """
    INSERT OR IGNORE INTO temp.almanac_targets
    SELECT contact_id, day, line, metadata FROM temp.almanac_batch ORDER BY n
"""
# of lines with the same existing target the first one counts
_GATHER_METADATA = """
    UPDATE temp.almanac_targets AS target SET metadata = row.metadata
    FROM (SELECT min(n), contact_id, day, metadata FROM temp.almanac_batch
          WHERE metadata IS NOT NULL GROUP BY contact_id, day) AS row
    WHERE target.contact_id = row.contact_id AND target.day = row.day
      AND target.line = 0 AND target.metadata IS NULL
"""
_FIRST = """
    SELECT target.line FROM temp.almanac_batch AS row
    JOIN temp.almanac_targets AS target USING (contact_id, day) ORDER BY n
"""
_OWNERS = """
    SELECT COALESCE(contacts, 0), COALESCE(first, 0), COALESCE(last, 0) FROM carray(?) AS wanted
    LEFT JOIN temp.almanac_addresses AS known ON known.email = wanted.value
    ORDER BY wanted.rowid
"""
_DATE = f"CASE WHEN day <> {NO_DAY} THEN date(day + {EPOCH}) END"
_WRITE = f"""
    INSERT INTO main.contact_campaigns
        (contact_id, campaign_instance_id, trigger_date, status, metadata, created_at, updated_at)
    SELECT contact_id, ?1, {_DATE}, 'pending', metadata, ?2, ?2
    FROM temp.almanac_targets WHERE line > 0 ORDER BY contact_id, day
"""

_THEIRS = civil_date("COALESCE(CAST(row.trigger_date AS TEXT), '')")
_BEFORE = "CASE WHEN trim(COALESCE(row.metadata, '')) = '' THEN '{}' ELSE row.metadata END"
_MERGED = f"json_patch({_BEFORE}, target.metadata)"
_CHANGED = f"""
    WHERE row.campaign_instance_id = ?1 AND row.contact_id = target.contact_id
      AND target.line = 0 AND target.metadata IS NOT NULL
      AND COALESCE({_THEIRS}, '') = COALESCE({_DATE}, '')
      AND lower(COALESCE(row.status, '')) <> 'sent'
      AND CASE WHEN NOT json_valid({_BEFORE}) OR json_type({_BEFORE}) <> 'object' THEN 0
          ELSE {_MERGED} <> json({_BEFORE}) END
"""
_UPDATE = f"""
    UPDATE main.contact_campaigns AS row SET metadata = {_MERGED}, updated_at = ?2
    FROM temp.almanac_targets AS target {_CHANGED}
"""
_COUNT = f"""
    SELECT count(*) FROM main.contact_campaigns AS row, temp.almanac_targets AS target {_CHANGED}
"""


class TargetImport:
    """The targets of an instance, existing and new ones, within one transaction."""

    def __init__(
        self,
        connection: apsw.Connection,
        instance: int,
        settings: ContactColumns,
        by_email: bool | None,
        contacts: Ids | None = None,
    ) -> None:
        """by_email: how contacts are looked up; None: they are not. contacts: the only ones that
        are gathered, so that the existing targets of others are not read."""
        self._connection = connection
        self._settings = settings
        self._instance = instance
        path = Path(connection.filename)
        source = Source(path, connection, ColumnarReader(path, connection), lambda: None)
        for name, columns in _TABLES.items():
            connection.execute(f"DROP TABLE IF EXISTS temp.{name}")
            connection.execute(f"CREATE TEMP TABLE {name} ({columns})")
        if contacts is None:
            self._gather_existing(targets_of(source, np.array([instance], np.int64)))
        else:
            there = targets(connection, instance, contacts)
            self.gather(there.contacts, there.days, np.zeros(len(there.ids), np.int64))
        self._ids: Ids = np.empty(0, np.int64)
        if by_email:
            self._read_addresses()
        elif by_email is not None:
            with Snapshot(source) as snapshot:
                self._ids = snapshot.contact_ids(settings)

    def _gather_existing(self, there: pa.Table) -> None:
        for start in range(0, there.num_rows, ROWS_AT_ONCE):
            some = there.slice(start, ROWS_AT_ONCE)
            days = civil.parse_dates(some["trigger_date"])
            self.gather(some["contact_id"].to_numpy(), days, np.zeros(len(days), np.int64))

    def known(self, ids: Ids) -> npt.NDArray[np.bool_]:
        """Return which of the ids a contact has."""
        known: npt.NDArray[np.bool_] = positions(self._ids, ids) >= 0
        return known

    def owners(self, addresses: Sequence[str]) -> tuple[Ids, Ids, Ids]:
        """Return for each address, trimmed and in lower case, the number of contacts that have it,
        and the lowest and the highest of their ids."""
        found = self._connection.execute(_OWNERS, (apsw.carray(tuple(addresses)),)).fetchall()
        count, first, last = np.array(found, np.int64).T
        return count, first, last

    def gather(
        self, contacts: Ids, days: Days, lines: Ids, metadata: Sequence[str | None] | None = None
    ) -> Ids:
        """Add targets, each with the line that it comes from; NO_DAY is no trigger date.

        metadata: JSON objects. Return for each target the line with the first of the same targets,
        0 if it is in the database.
        """
        texts = metadata or [None] * len(lines)
        rows = zip(contacts.tolist(), days.tolist(), lines.tolist(), texts, strict=True)
        self._connection.execute("DELETE FROM temp.almanac_batch")
        self._connection.executemany(_STAGE, rows)
        self._connection.execute(_GATHER)
        if metadata:
            self._connection.execute(_GATHER_METADATA)
        firsts = self._connection.execute(_FIRST)
        return np.fromiter((line for (line,) in firsts), np.int64, len(contacts))

    def write(self, now: str) -> None:
        """Write the new targets into contact_campaigns, in contact order."""
        self._connection.execute(_WRITE, (self._instance, now))

    def update(self, now: str) -> int:
        """Merge the metadata of existing targets with the gathered one; return how many changed.

        Unchanged are targets that are sent, and those whose metadata is not a JSON object. Raises
        apsw.ConstraintError where a trigger ignores a change.
        """
        wanted = 0
        if ignoring_triggers(self._connection, "contact_campaigns"):
            wanted = int(scalar(self._connection, _COUNT, self._instance))
        self._connection.execute(_UPDATE, (self._instance, now))
        check_written(self._connection, wanted)
        return self._connection.changes()

    def close(self) -> None:
        """Drop the temporary tables."""
        for name in _TABLES:
            self._connection.execute(f"DROP TABLE temp.{name}")

    def _read_addresses(self) -> None:
        columns = contacts_of(self._connection, self._settings)
        email, whole = columns.text("email"), columns.whole("id")
        self._connection.execute(
            f"""INSERT INTO temp.almanac_addresses
            SELECT lower({trimmed(email)}) AS address, count(DISTINCT {whole}), min({whole}),
                max({whole})
            FROM main.contacts WHERE {whole} IS NOT NULL AND address <> ''
            GROUP BY address ORDER BY address"""
        )


def addresses_of(texts: pa.Array) -> pa.Array:
    """Return addresses in the form in which they are compared."""
    return pc.ascii_lower(pc.utf8_trim_whitespace(texts))
