"""What must be true of the simulated cloud after every delivery, and at the end."""

from __future__ import annotations

import datetime as dt
import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import apsw

from almanac.config import Config, first_send_date
from almanac.messaging.messages import CampaignChange, RunRequest
from almanac.names import attempt_run_id, change_run_id, daily_run_id, manual_run_id
from almanac.runs.local import run_file
from almanac.runs.results import RunResult, result_of
from almanac.runs.run_options import RunOptions
from almanac.runs.run_plan import RunPlan
from almanac.status.organization import listed_status, organization_status
from almanac.storage import layout
from almanac.storage.checksums import crc32c_of
from almanac.storage.documents import read_document
from almanac.storage.lease import LeaseDocument
from almanac.storage.versions import Current, Manifest, manifest_of
from tests.support.agreement import planned_rows
from tests.support.outside import OWNED, PLANNED, SHARED, photograph
from tests.support.simulation.world import Letter, World

Rows = dict[Any, tuple[Any, ...]]


class Inspector:
    """Watches the store of a world from outside."""

    def __init__(self, world: World, orgs: list[str], folder: Path) -> None:
        self.world = world
        self.orgs = orgs
        self.folder = folder
        self.pointers: dict[str, list[Current]] = {org: [] for org in orgs}
        self._checked: dict[str, int] = dict.fromkeys(orgs, 0)
        self._files: dict[str, Path] = {}
        self.letters: list[Letter] = []  # that were sent from outside
        world.medium.written = self._written

    def _written(self, name: str, data: bytes) -> None:
        if not name.endswith(("/current.json", "/lease.json", "/summary.json")):
            # what was deleted may be written anew: a fragment that was thrown away
            assert not self.world.medium.overwrote, f"{name} was overwritten"
        for org in self.orgs:
            if name == layout.current(org):
                self.pointers[org].append(Current.model_validate_json(data))
            if name.startswith(layout.runs(org)) and name.endswith(layout.PLAN):
                self._check_plan(org, RunPlan.model_validate_json(data))

    def _check_plan(self, org: str, plan: RunPlan) -> None:
        """A run is planned by whom the lease belongs to, or did until time ran out."""
        lease = read_document(self.world.medium, layout.lease(org), LeaseDocument)
        over = result_of(self.world.medium, org, plan.run_id)
        mine = lease and plan.run_id in (lease[0].run_id, *lease[0].dead_runs)
        assert mine or over, f"{plan.run_id} is planned without the lease"
        if lease and lease[0].run_id == plan.run_id:
            assert not lease[0].dead_runs, "a dead run has not been recorded"
        t0 = first_send_date(plan.as_of, plan.asked.requested_at, Config())
        assert plan.t0 == t0
        sent = {letter.published_at for letter in self.letters}
        assert plan.asked.requested_at in sent, "the time of no request"

    def check(self) -> None:
        """Every version that has come into force since the last check."""
        for org in self.orgs:
            pointers = self.pointers[org]
            for number in range(self._checked[org], len(pointers)):
                self._check_version(pointers[number], pointers[number - 1] if number else None)
            self._checked[org] = len(pointers)

    def _check_version(self, now: Current, before: Current | None) -> None:
        manifest = manifest_of(self.world.medium, now.folder)
        assert manifest is not None, f"{now.path} is in force without a manifest"
        database = self.world.medium.read(now.path)
        assert (database.size, crc32c_of(database.data)) == (now.size, now.crc32c)
        assert (manifest.size, manifest.crc32c) == (now.size, now.crc32c)
        for name, content in manifest.attachments.items():
            assert self.world.medium.read(f"{now.folder}/{name}").crc32c == content.crc32c
        path = self.file(now)
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            assert [row[0] for row in connection.execute("PRAGMA integrity_check")] == ["ok"]
        finally:
            connection.close()
        if before is None:
            return
        assert manifest.parent_path == before.path, f"{now.path} overwrote {before.path}"
        if now.run_id[:4].isdigit():  # a run of ours, and not another writer's
            self._check_untouched(self.file(before), path, manifest)

    def _check_untouched(self, before: Path, after: Path, manifest: Manifest) -> None:
        """Committed rows and tables of others are byte for byte what they were."""
        old, new = photograph(before), photograph(after)
        for name, table in old.tables.items():
            if name not in OWNED and name not in SHARED:
                assert new.tables[name] == table, f"{after}: {name} was changed"
        for row_id, row in old.scheduled.items():
            if row["status"] not in PLANNED:
                there = new.scheduled[row_id]
                assert {name: there[name] for name in row} == row, f"committed row {row_id}"
        # whatever else is different, this run has put its name to
        for row_id, row in new.scheduled.items():
            if row_id in old.scheduled and row["scheduler_run_id"] != manifest.run_id:
                was = old.scheduled[row_id]
                assert {name: row[name] for name in was} == was, f"planned row {row_id}"

    def file(self, version: Current) -> Path:
        """The version's database as a file."""
        if version.path not in self._files:
            path = self.folder / f"{len(self._files)}.sqlite3"
            path.write_bytes(self.world.medium.read(version.path).data)
            self._files[version.path] = path
        return self._files[version.path]

    # At the end

    def check_ends(self, letters: list[Letter], rejected: set[str]) -> list[RunResult]:
        """Every request has come to an end: committed, failed with a reason, or rejected."""
        results = []
        for letter in letters:
            for org, base in self._asked(letter):
                ended = self._last_result(org, base)
                refused = str(letter.number) in rejected
                assert ended or refused, f"{letter} has come to nothing: {base} of {org}"
                if ended is None:
                    continue
                assert ended.state != "superseded"
                assert ended.state == "committed" or ended.reason, ended
                results.append(ended)
        for org in self.orgs:
            self._check_chain(org)
            self.check_status(org)
            lease = read_document(self.world.medium, layout.lease(org), LeaseDocument)
            if lease is not None:  # taken again by a delivery that came too late, and died
                ended = result_of(self.world.medium, org, lease[0].run_id)
                assert ended is not None, f"{org}: a lease is left"
            for info in self.world.medium.list(layout.changes(org)):
                event = info.name.rpartition("/")[2].removesuffix(".json")
                asked = [base for letter in letters for _, base in self._asked(letter)]
                mine = [base for base in asked if base.endswith(f"-change-{event}")]
                assert any(self._last_result(org, base) for base in mine), f"{event} waits"
        return results

    def check_status(self, org: str) -> None:
        """With summary.json the status is what it is without."""
        store, now = self.world.medium, self.world.now
        assert listed_status(store, org, now) == organization_status(store, org, now)

    def _check_chain(self, org: str) -> None:
        """Each run is in the chain once, and is recorded as committed."""
        runs = [pointer.run_id for pointer in self.pointers[org] if pointer.run_id[:4].isdigit()]
        assert len(runs) == len(set(runs)), f"{org}: a run took effect twice: {runs}"
        for run_id in runs:
            ended = result_of(self.world.medium, org, run_id)
            assert ended is not None, f"{run_id} is in force without a result"
            # not promised: it committed after its lease had run out and another run took over
            believed_dead = "its lease ran out" in (ended.reason or "")
            assert ended.state == "committed" or believed_dead, f"{ended}, and it is in the chain"

    def _last_result(self, org: str, base: str) -> RunResult | None:
        """How the last attempt at it ended."""
        for number in itertools.count(1):
            following = attempt_run_id(base, number + 1)
            names = (layout.plan(org, following), layout.result(org, following))
            if not any(self.world.medium.stat(name) for name in names):
                return result_of(self.world.medium, org, attempt_run_id(base, number))
        raise AssertionError("counting never ends")

    def _asked(self, letter: Letter) -> list[tuple[str, str]]:
        """The first run ids of what the letter asks for."""
        content = json.loads(letter.data or b"{}")
        as_of = letter.published_at.astimezone(Config().zone).date()
        if "campaign_instance_id" in content:
            change = CampaignChange.model_validate(content)
            return [(change.org_id, change_run_id(as_of, change.event_id))]
        request = RunRequest.model_validate_json(letter.data or b"{}")
        as_of = request.as_of or as_of
        if request.reason == "replan":
            return [(str(request.org_id), change_run_id(as_of, str(request.event_id)))]
        daily = request.reason == "daily"
        base = daily_run_id(as_of) if daily else manual_run_id(as_of, str(letter.number))
        return [(org, base) for org in ([request.org_id] if request.org_id else self.orgs)]

    def check_events(self, org: str, letters: list[Letter]) -> None:
        """An event whose request is committed is in the log, each of its fields once."""
        current = self.pointers[org][-1]
        connection = apsw.Connection(str(self.file(current)), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            there = connection.execute(
                "SELECT count(*) FROM sqlite_schema WHERE name = 'campaign_change_log'"
            ).get
            sql = "SELECT event_id, count(*) FROM campaign_change_log GROUP BY event_id"
            logged = dict(connection.execute(sql)) if there else {}
        finally:
            connection.close()
        for letter in letters:
            content = json.loads(letter.data or b"{}")
            if content.get("org_id") != org or "campaign_instance_id" not in content:
                continue
            ((_, base),) = self._asked(letter)
            ended = self._last_result(org, base)
            times = logged.get(content["event_id"], 0)
            if ended is not None and ended.state == "committed":
                assert times == max(1, len(content["changes"])), (content, times)
            elif ended is not None and ended.state == "rejected":
                # unless its instance was made later, and the same event sent once more
                assert times == 0 or self._sent_again(content["event_id"], letter, letters)

    @staticmethod
    def _sent_again(event: str, letter: Letter, letters: list[Letter]) -> bool:
        later = letters[letters.index(letter) + 1 :]
        return any(json.loads(each.data or b"{}").get("event_id") == event for each in later)

    def check_rows(self, org: str, config: Mapping[str, Any] | None = None) -> None:
        """The last whole run wrote the rows that `almanac run` writes into the version before."""
        last, before = self.pointers[org][-1], self.pointers[org][-2]
        manifest = manifest_of(self.world.medium, last.folder)
        assert manifest is not None
        assert manifest.t0 is not None
        path = self.folder / "fault-free.sqlite3"
        path.write_bytes(self.file(before).read_bytes())
        late = manifest.t0 != manifest.as_of
        now = dt.datetime.combine(manifest.as_of, dt.time(23, 59)) if late else None
        run_file(path, Config(), RunOptions(as_of=manifest.as_of, now=now, workers=1))
        assert planned_rows(self.file(last)) == planned_rows(path)
