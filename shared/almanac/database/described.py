"""Snapshots of files in use, which are open only while rows are read."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from almanac.database.columnar import ColumnarReader, FileReader
from almanac.database.opening import open_database
from almanac.database.reading import Snapshot
from almanac.database.sources import Columnar, Source

_TABLES = (
    *("contacts", "email_schedules", "contact_campaigns", "contact_issues", "suppressions"),
    *("tracking_clicks", "contact_events", "message_deliveries"),
)


class DescribedSnapshot(Snapshot):
    """A snapshot that needs no connection to read rows by range, once its tables are described."""

    @classmethod
    def of_file(cls, path: Path) -> Self:
        """Describe the tables of the file, which is closed again: see `read_only_through`.

        Raises as `open_database`.
        """
        connection = open_database(path, writable=False)
        try:
            snapshot = cls(Source(path, connection, ColumnarReader(path, connection), lambda: None))
            for name in _TABLES:
                snapshot._tables.columns(name)
        finally:
            connection.close()
        return snapshot

    @classmethod
    def of_live(cls, path: Path, uri: str) -> Self:
        """Open a file that this process has not open otherwise, to read rows by columns.

        uri: of the file, see `opening.live_uri`. Raises as `of_file`.
        """
        snapshot = cls.of_file(path)
        snapshot.read_only_through(FileReader(path, uri))
        return snapshot

    def read_only_through(self, columnar: Columnar) -> None:
        """Read rows through this from now on."""
        self._tables.read_through(columnar)
