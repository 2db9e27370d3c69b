"""A store with runs that have ended, as `status` finds it: made by hand, without a database."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from almanac.database.census import Census
from almanac.errors import TransientError
from almanac.report.summary import Checksums, LeftOut, RunSummary
from almanac.runs.results import RunResult, record_result
from almanac.storage import layout
from almanac.storage.memory import MemoryStore
from almanac.storage.publish import NewVersion, publish
from almanac.storage.store import ObjectInfo, StoredObject
from almanac.storage.versions import Current, current

ORG = "206"
NOW = dt.datetime(2026, 11, 21, 14, 0, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
DAILY = "2026-11-21-daily"


class CountingStore(MemoryStore):
    """Counts what is asked of it; the names of `broken` answer that the service is down."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.broken: set[str] = set()

    def read(self, name: str) -> StoredObject:
        self.asked += 1
        if name in self.broken:
            raise TransientError(f"{name}: 503 Service Unavailable")
        return super().read(name)

    def subfolders(self, prefix: str) -> list[str]:
        self.asked += 1
        if prefix in self.broken:
            raise TransientError(f"{prefix}: 503 Service Unavailable")
        return super().subfolders(prefix)

    def list(self, prefix: str, *, deep: bool = True) -> Iterator[ObjectInfo]:
        self.asked += 1
        if prefix in self.broken:
            raise TransientError(f"{prefix}: 503 Service Unavailable")
        return super().list(prefix, deep=deep)


def summary(run_id: str) -> RunSummary:
    return RunSummary.model_construct(
        org_id=ORG,
        run_id=run_id,
        as_of=NOW.date(),
        first_send_date=NOW.date(),
        contacts_total=1000,
        contacts_in_scope=1000,
        contacts_eligible=950,
        scheduled_before=0,
        planned={"birthday": 900},
        skipped={},
        placement={},
        days={},
        daily_cap=70,
        ceiling=84,
        days_at_cap=[],
        days_above_ceiling=[],
        changes={},
        changes_by_type={},
        issues={"no_state": 12},
        left_out=[LeftOut(instance_id=7, name="promo 7", problem="its metadata is no JSON")],
        checksums=Checksums(contacts="1", schedules_before="2", schedules_after="3"),
        config_digest="",
    )


def census(**outcomes: int) -> Census:
    due = {dt.date(2026, 11, 19): 3, dt.date(2026, 11, 20): 4, dt.date(2026, 11, 21): 50}
    return Census(as_of=NOW.date(), contacts=1000, ids=1000, due=due, outcomes=outcomes)


def put(
    store: MemoryStore,
    tmp_path: Path,
    run_id: str,
    at: dt.datetime,
    *,
    org: str = ORG,
    extra: dict[str, Any] | None = None,
) -> Current:
    """Publish a version of the run; a run of Almanac says how it ended, and reports."""
    file = tmp_path / "database"
    file.write_text(run_id)
    own = run_id[0] == "2"
    reports = {
        layout.REPORT_JSON: summary(run_id).model_dump_json().encode(),
        layout.REPORT_HTML: f"<!doctype html>{run_id}".encode(),
        f"{layout.REPORT_TABLES}/days.csv": f"Day\r\n{run_id}\r\n".encode(),
        f"{layout.REPORT_TABLES}/notes.txt": b"for nobody",
    }
    done = publish(
        store,
        org,
        file,
        NewVersion(
            run_id=run_id,
            parent=current(store, org),
            as_of=at.date(),
            now=at,
            manifest_extra={"census": census(sent=97, failed=3).model_dump(mode="json")}
            | (extra or {}),
            attachments=lambda _: reports if own else {},
        ),
    )
    if own:
        end(store, run_id, "committed", at, org=org)
    return done


def end(
    store: MemoryStore,
    run_id: str,
    state: str,
    at: dt.datetime,
    *,
    org: str = ORG,
    reason: str | None = None,
) -> None:
    result = {"org_id": org, "run_id": run_id, "state": state, "reason": reason, "finished_at": at}
    record_result(store, RunResult.model_validate(result))
