"""The merge of a run in a store: by one delivery at a time, once all fragments exist."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from almanac.errors import (
    AlmanacError,
    LeaseTaken,
    NotFound,
    PreconditionFailed,
    SnapshotMoved,
    Superseded,
)
from almanac.logs import get_log
from almanac.organizations.snapshots import fetching_snapshot
from almanac.progress import Stopwatch
from almanac.report.summary import RunSummary
from almanac.runs.absorb import forget_absorbed, late_objects
from almanac.runs.apply_plan import BrokenChange, commit_run
from almanac.runs.balance import balance, read_fragments
from almanac.runs.columns_of_run import columns_of_run
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
from almanac.runs.time_limit import time_limit
from almanac.storage import layout
from almanac.storage.collection import collect_runs, collect_versions
from almanac.storage.documents import Document, to_json
from almanac.storage.lease import Lease, claim_merge, end_merge
from almanac.storage.store import write_once
from almanac.tracing import traced

# For so long no other delivery merges the run; the one at work renews its claim.
MERGE_SECONDS = 180


class Refusal(Document):
    """runs/<run>/refused/<shard>-<generation>.json: why a fragment was discarded."""

    reason: str


def merge(services: Services, plan: RunPlan, shard: int, folder: Path) -> None:
    """Merge the run if all its fragments exist, and record its end.

    shard: the one whose ShardDone is handled. folder: empty, for the database. Raises LeaseTaken
    while another delivery merges, and errors that a retry may resolve.
    """
    claim = claim_if_due(services, plan, shard)
    if claim is None:
        return
    try:
        with time_limit(services.store, services.merge_seconds) as check, claim.renewing():
            _merge_claimed(services, plan, claim, folder, check)
    except BadFragment as error:
        _refuse(services, plan, error)
    except BrokenChange as error:
        end_broken(services, plan, error.change, str(error))
    except Superseded as error:
        if (done := version_of(services, plan, moved=True)) is not None:
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
    """Claim the merge of the run if there is something to merge; shard as in `merge`.

    Return None if fragments are missing, whose tasks are then published again where needed, or if
    the run has ended, whose end is then completed. Raises LeaseTaken while another delivery
    merges.
    """
    if (done := version_of(services, plan)) is not None:
        # by a delivery that died before it recorded the end
        if late_objects(done):
            forget_absorbed(services, plan, done)
        end_committed(services, plan, done.version)
        return None
    if not is_complete(services.store, plan):
        if services.store.stat(layout.fragment(plan.org_id, plan.run_id, shard)) is None:
            publish_tasks(services, plan)  # the fragment was discarded, or never existed
        return None
    claim = Claim.make(services, plan)
    with ExitStack() as unless_due:
        unless_due.callback(claim.end)
        result = result_of(services.store, plan.org_id, plan.run_id)
        if result is None:
            unless_due.pop_all()
            return claim
        # another delivery ended the run before this one took the lease
        after_end(services, plan, result)
    return None


def _merge_claimed(
    services: Services, plan: RunPlan, claim: Claim, folder: Path, check_time: Callable[[], None]
) -> None:
    parent_of(services, plan)  # if another version is current, all work would be in vain
    database = folder / layout.DATABASE
    watch = Stopwatch(services.progress)

    def progress(step: str, done: int, total: int) -> None:
        watch(step, done, total)
        check_time()
        claim.renew()

    def writing(step: str, done: int, total: int) -> None:
        progress(step, done, total)
        committer.watch()

    def seconds() -> dict[str, float]:
        steps = watch.seconds()
        whole = (services.clock() - plan.started_at).total_seconds()
        before = round(max(0.0, whole - steps["total"]), 3)
        return {"plan contacts": before, **steps, "total": round(before + steps["total"], 3)}

    progress("fetch", 0, 1)
    with fetching_snapshot(services.store, plan.snapshot, database) as fetched:
        read = read_fragments(services.store, plan, progress)
        progress("fetch", 0, 1)
        change = fetched()
    balanced = balance(services.store, plan, database, progress, read)
    columns = columns_of_run(services.store, plan, database, change)
    inner = replace(services, progress=writing)
    committer = StoreCommitter(inner, database, columns, seconds, change)
    summary = commit_run(services.store, balanced, committer, writing)
    _finish(services, plan, summary, watch.seconds(), committer)


@traced("finish")
def _finish(
    services: Services,
    plan: RunPlan,
    summary: RunSummary,
    seconds: dict[str, float],
    committer: StoreCommitter,
) -> None:
    done = version_of(services, plan, moved=True)
    if done is None:
        raise SnapshotMoved(f"run {plan.run_id}: another version replaced its own at once")
    if late_objects(done):
        forget_absorbed(services, plan, done)
    collected = _collect(services, plan)
    end_committed(services, plan, done.version, summary, seconds)
    get_log().info(
        "run committed",
        version=done.version,
        contacts=summary.contacts_in_scope,
        planned=summary.planned_total,
        skipped=summary.skipped_total,
        hit_rate=summary.hit_rate,
        changes=summary.changes,
        events_applied=sum(summary.events.applied.values()),
        entries_refused=summary.events.refused,
        objects_unreadable=len(summary.events.unreadable),
        seconds_by_step=seconds,
        seconds=seconds["total"],
        bytes=done.size,
        collected=collected,
    )


@traced("collect")
def _collect(services: Services, plan: RunPlan) -> int:
    """Delete old versions and run objects under the run's lease; return how many were deleted.

    A failure does not affect the commit: the next run deletes what is left.
    """
    now = services.clock()
    try:
        versions = collect_versions(services.store, plan.org_id, now)
        return len(versions) + collect_runs(services.store, plan.org_id, now)
    except (AlmanacError, OSError) as error:
        get_log().warning("old versions not collected", reason=str(error))
        return 0


def _refuse(services: Services, plan: RunPlan, error: BadFragment) -> None:
    """Discard the fragment and request it again; a second bad one fails the run."""
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
    # First the task: if this delivery dies before it deletes the fragment, its message is delivered
    # again; if it dies after that, the shard's ShardDone finds the fragment missing.
    ask_for_shards(services, plan, [shard])
    if there is not None:
        with suppress(NotFound, PreconditionFailed):  # another delivery did it
            services.store.delete(name, if_generation=there.generation)


@dataclass
class Claim:
    """The exclusive right of a delivery to merge the run, limited in time."""

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
        """Extend the claim if a third of its time has passed."""
        now = self.services.clock()
        if (now - self.renewed_at).total_seconds() > self._seconds / 3:
            self._write(now)
            self.renewed_at = now

    @contextmanager
    def renewing(self) -> Iterator[None]:
        """Renew the claim in a thread, however long a step (fetching, publishing) takes."""
        done = threading.Event()

        def renew() -> None:
            while not done.wait(self._seconds / 6):
                with suppress(AlmanacError):  # the merge itself meets it too
                    self.renew()

        thread = threading.Thread(target=renew, name="claim", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def end(self) -> None:
        """Let other deliveries merge, if the run did not end."""
        try:
            end_merge(self.services.store, self.lease)
        except LeaseTaken:
            pass  # the lease is released, or another run's
        except (AlmanacError, OSError) as error:
            get_log().warning(
                "claim not ended, it ends by itself", seconds=self._seconds, reason=str(error)
            )

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
