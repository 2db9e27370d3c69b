"""What SQLite alone takes for the rows of a run: `scripts.bench` divides its times by this.

    python -m scripts.bench_sqlite DATABASE

Reads the contacts, each column that a run reads, copies the rows of email_schedules into a new
table, and creates the same indexes: in plain SQL, in one process, without journal and
`synchronous`, with a cache of 400 MB. (Into a table that has the indexes already SQLite would copy
their entries as they lie in the source, which a run does not have.) Prints elapsed and processor
seconds as JSON. Beside it, "floor" is a fixed piece of work, by which machines are compared
(`scripts.bench_ratios`).
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import apsw

CONTACTS = """SELECT id, email, zip_code, state, birth_date, effective_date, current_carrier,
    phone_number, status, created_at, failed_underwriting FROM planned.contacts"""
TABLE, INDEXES = (
    f"""SELECT sql FROM planned.sqlite_master WHERE tbl_name = 'email_schedules'
    AND type = '{kind}' AND sql IS NOT NULL"""
    for kind in ("table", "index")
)
COPY = "INSERT INTO main.email_schedules SELECT * FROM planned.email_schedules"
SETTINGS = ("journal_mode = OFF", "synchronous = OFF", "cache_size = -400000")


def measure(planned: Path) -> dict[str, object]:
    """Return the seconds, also by step, and as `work` those of the processor."""
    with tempfile.TemporaryDirectory(prefix="sqlite-", dir=planned.parent) as folder:
        connection = apsw.Connection(str(Path(folder) / "copy.sqlite3"))
        connection.execute("ATTACH ? AS planned", (str(planned),))
        for setting in (*SETTINGS, "planned.cache_size = -400000"):
            connection.execute(f"PRAGMA {setting}")
        before = resource.getrusage(resource.RUSAGE_SELF)
        steps = {
            "read contacts": _seconds(lambda: _read(connection)),
            "copy rows": _seconds(lambda: _copy(connection)),
            "index": _seconds(lambda: _execute(connection, INDEXES)),
        }
        after = resource.getrusage(resource.RUSAGE_SELF)
        connection.close()
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": sum(steps.values()), "work": cpu, "steps": steps}


def _seconds(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _read(connection: apsw.Connection) -> None:
    for _ in connection.execute(CONTACTS):
        pass


def _copy(connection: apsw.Connection) -> None:
    _execute(connection, TABLE)
    connection.execute(COPY)


def _execute(connection: apsw.Connection, statements: str) -> None:
    """Execute the statements that a query returns."""
    for (sql,) in connection.execute(statements).fetchall():
        connection.execute(str(sql))


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]))))
