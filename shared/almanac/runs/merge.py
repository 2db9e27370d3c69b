"""The merge of a run in a store: once, by one delivery, whatever the fragments are worth."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from almanac.errors import (
    AlmanacError,
    NotFound,
    PreconditionFailed,
    SnapshotMoved,
    Superseded,
)
from almanac.logs import get_log
from almanac.organizations.snapshots import located
from almanac.progress import Stopwatch
from almanac.report.summary import RunSummary
from almanac.runs.apply_plan import BrokenChange, merge_run
from almanac.runs.commit_version import StoreCommitter, parent_of
from almanac.runs.finish import (
    Ended,
    after_end,
    end_broken,
    end_committed,
    end_failed,
    end_superseded,
    take_lease,
    version_of,
)
from almanac.runs.fragment_validation import BadFragment
from almanac.runs.results import is_final, result_of
from almanac.runs.run_plan import RunPlan
from almanac.runs.services import Services
from almanac.runs.tasks import ask_for_shards, is_complete, publish_tasks
from almanac.storage import layout
from almanac.storage.collection import collect_runs, collect_versions
from almanac.storage.documents import Document, to_json
from almanac.storage.lease import Lease, claim_merge, end_merge
from almanac.storage.store import write_once

# For so long nobody else merges the run; who is at work says so again and again.
MERGE_SECONDS = 180


class Refusal(Document):
    """runs/<run>/refused/<shard>-<generation>.json: why a fragment was thrown away."""

    reason: str


def merge(services: Services, plan: RunPlan, shard: int, folder: Path) -> None:
    """Merge the run if all its fragments are there; shard is the one whose word came last.

    folder is for the database, and empty. Raises LeaseTaken while another delivery merges.
    """
    claim = claim_if_due(services, plan, shard)
    if claim is None:
        return
    try:
        with claim.renewing():
            _merge(services, plan, claim, folder)
    except BadFragment as error:
        _refuse(services, plan, error)
    except BrokenChange as error:
        end_broken(services, plan, error.change, str(error))
    except Superseded as error:
        if (done := version_of(services, plan)) is not None:
            end_committed(services, plan, done.version)
        else:
            end_superseded(services, plan, str(error))
    except Exception as error:
        if not is_final(error):
            raise
        end_failed(services, Ended.of_plan(plan), plan, str(error))
    finally:
        claim.end()


def claim_if_due(services: Services, plan: RunPlan, shard: int) -> Claim | None:
    """The right to merge the run, if there is something to merge; shard as in `merge`.

    None where fragments are missing or the run has ended, with what follows from that done.
    Raises LeaseTaken while another delivery merges.
    """
    if (done := version_of(services, plan)) is not None:
        end_committed(services, plan, done.version)  # by a delivery that did not get further
        return None
    if not is_complete(services.store, plan):
        if services.store.stat(layout.fragment(plan.org_id, plan.run_id, shard)) is None:
            publish_tasks(services, plan)  # it was there once, or its word came from elsewhere
        return None
    claim = Claim.make(services, plan)
    with ExitStack() as unless_due:
        unless_due.callback(claim.end)
        result = result_of(services.store, plan.org_id, plan.run_id)
        if result is None:
            unless_due.pop_all()
            return claim
        after_end(
            services, plan, result
        )  # another delivery ended it before the lease was taken anew
    return None


def _merge(services: Services, plan: RunPlan, claim: Claim, folder: Path) -> None:
    parent_of(services, plan)  # if another version is in force, all work would be for nothing
    database = folder / layout.DATABASE
    watch = Stopwatch(services.progress)
    watch("fetch", 0, 1)
    generation = located(services.store, plan.snapshot)
    try:
        services.store.fetch_file(plan.snapshot.name, database, generation)
    except (NotFound, PreconditionFailed) as error:
        raise SnapshotMoved(f"{plan.snapshot.name}: replaced while it was fetched") from error
    watch("fetch", 1, 1)

    def progress(step: str, done: int, total: int) -> None:
        watch(step, done, total)
        committer.watch()
        claim.renew()

    def seconds() -> dict[str, float]:
        steps = watch.seconds()
        whole = (services.clock() - plan.started_at).total_seconds()
        before = round(max(0.0, whole - steps["total"]), 3)
        return {"plan contacts": before, **steps, "total": round(before + steps["total"], 3)}

    committer = StoreCommitter(replace(services, progress=progress), database, seconds)
    summary = merge_run(services.store, plan, database, committer, progress)
    _finish(services, plan, summary, watch.seconds())


def _finish(
    services: Services, plan: RunPlan, summary: RunSummary, seconds: dict[str, float]
) -> None:
    done = version_of(services, plan)
    if done is None:
        raise SnapshotMoved(f"run {plan.run_id}: its version was taken out of force at once")
    collected = _collect(services, plan)
    end_committed(services, plan, done.version, summary, seconds)
    get_log().info(
        "run committed",
        version=done.version,
        contacts=summary.contacts_in_scope,
        planned=summary.planned_total,
        skipped=summary.skipped_total,
        changes=summary.changes,
        seconds_by_step=seconds,
        seconds=seconds["total"],
        bytes=done.size,
        collected=collected,
    )


def _collect(services: Services, plan: RunPlan) -> int:
    """Delete what is old, while the lease is still the run's; how many things went.

    What cannot be deleted now will be by the next run: the commit stands in any case.
    """
    now = services.clock()
    try:
        versions = collect_versions(services.store, plan.org_id, now)
        return len(versions) + collect_runs(services.store, plan.org_id, now)
    except AlmanacError as error:
        get_log().warning("old versions not collected", reason=str(error))
        return 0


def _refuse(services: Services, plan: RunPlan, error: BadFragment) -> None:
    """Throw the fragment away and have it made again; a second bad one fails the run."""
    org, run, shard = plan.org_id, plan.run_id, error.shard
    name = layout.fragment(org, run, shard)
    there = services.store.stat(name)
    if there is not None:
        write_once(
            services.store,
            layout.refused(org, run, shard, there.generation),
            to_json(Refusal(reason=str(error))),
        )
        earlier = [
            each.name for each in services.store.list(f"{layout.refusals(org, run)}{shard:05}-")
        ]
        if len(earlier) > 1:
            end_failed(services, Ended.of_plan(plan), plan, f"twice a bad fragment: {error}")
            return
    get_log().error("fragment refused", shard=shard, reason=str(error))
    # First the task: if this delivery dies before the fragment is gone, its word comes again, and
    # if it dies after that, the shard's word does, which then finds the fragment missing.
    ask_for_shards(services, plan, [shard])
    if there is not None:
        with suppress(NotFound, PreconditionFailed):  # another delivery did it
            services.store.delete(name, if_generation=there.generation)


@dataclass
class Claim:
    """The delivery's right to be the one that merges the run."""

    services: Services
    lease: Lease
    renewed_at: dt.datetime

    @classmethod
    def make(cls, services: Services, plan: RunPlan) -> Claim:
        lease = take_lease(services, plan.org_id, plan.run_id)
        claim = cls(services, lease, services.clock())
        claim._write(claim.renewed_at)
        return claim

    def renew(self) -> None:
        """Say again that this delivery is at work, if it has not lately."""
        now = self.services.clock()
        if (now - self.renewed_at).total_seconds() > self._seconds / 3:
            self._write(now)
            self.renewed_at = now

    @contextmanager
    def renewing(self) -> Iterator[None]:
        """Meanwhile renew it, however long a step (fetching, publishing) has nothing to say."""
        done = threading.Event()

        def renew() -> None:
            while not done.wait(self._seconds / 6):
                with suppress(AlmanacError):  # whoever is at work meets it too
                    self.renew()

        thread = threading.Thread(target=renew, name="claim", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def end(self) -> None:
        """Let others merge, if the run did not end."""
        with suppress(AlmanacError):  # the lease is given back, or another's
            end_merge(self.services.store, self.lease)

    @property
    def _seconds(self) -> int:
        return min(MERGE_SECONDS, self.services.lease_seconds)

    def _write(self, now: dt.datetime) -> None:
        claim_merge(
            self.services.store,
            self.lease,
            now,
            seconds=self.services.lease_seconds,
            merge_seconds=self._seconds,
        )
