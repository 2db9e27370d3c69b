"""The merge as a job of its own, for databases that take longer than a function may run.

    python -m almanac.runs.merge_job ORGANIZATION RUN HOLDER [TRACEPARENT]

The function that receives the last ShardDone claims the merge, starts the job in its name, and has
the message delivered again until the run has ended. If the job dies, its claim expires and the
message's next delivery starts another job: only the message has to last.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from almanac.errors import InputError, OutcomeUnknown, TransientError
from almanac.logs import bound, get_log
from almanac.runs.cloud_services import services_of_this_process
from almanac.runs.finish import after_end
from almanac.runs.merge import claim_if_due, merge
from almanac.runs.results import result_of
from almanac.runs.run_plan import RunPlan, read_plan
from almanac.runs.services import Job, Services
from almanac.tracing import TRACEPARENT, Value, carrier, flush, log_fields, root
from almanac.workspaces import workspace


class Merging(TransientError):
    """The job is at work: the message is delivered again until the run has ended."""


def hand_over(services: Services, plan: RunPlan, shard: int, job: Job) -> None:
    """Start the job for the run if all its fragments exist; shard as in `merge`.

    Raises Merging once it is started, LeaseTaken while it works, and the errors of Job.start.
    """
    claim = claim_if_due(services, plan, shard)
    if claim is None:
        return
    try:
        job.start([plan.org_id, plan.run_id, claim.lease.holder, *carrier().values()])
    except OutcomeUnknown:
        raise  # the job may be at work, and then the claim is its own
    except BaseException:
        claim.end()
        raise
    raise Merging(f"run {plan.run_id} of organization {plan.org_id}: the merge job was started")


def merge_as(services: Services, org_id: str, run_id: str, holder: str) -> None:
    """Merge the run under the claim of this holder."""
    services = replace(services, new_holder=lambda: holder)
    plan = read_plan(services.store, org_id, run_id)
    if (result := result_of(services.store, org_id, run_id)) is not None:
        after_end(services, plan, result)
        return
    with workspace(services.workspace) as folder:
        merge(services, plan, 0, folder)


def main(arguments: Sequence[str]) -> int:
    """Run the job and return its exit code: 0 if nothing is left to do for the run."""
    if len(arguments) not in (3, 4):
        print("usage: merge_job ORGANIZATION RUN HOLDER [TRACEPARENT]", file=sys.stderr)
        return 2
    org_id, run_id, holder = arguments[:3]
    started = time.perf_counter()
    fields: dict[str, Any] = {"outcome": "done"}
    level = logging.INFO
    traced: dict[str, Value] = {}
    # the same log line as that of a delivery to the function: the same metrics read it
    with bound(org_id=org_id, run_id=run_id):
        try:
            services = services_of_this_process()
            named = dict(zip([TRACEPARENT], arguments[3:], strict=False))
            with root("merge job", merge_as, named, org_id=org_id, run_id=run_id):
                traced = log_fields()
                merge_as(services, org_id, run_id, holder)
        except (TransientError, OutcomeUnknown) as error:
            level, fields = logging.WARNING, {"outcome": "again", "reason": str(error)}
        except InputError as error:
            level, fields = logging.ERROR, {"outcome": "rejected", "reason": str(error)}
        except Exception as error:
            level = logging.ERROR
            fields = {"outcome": "failed", "reason": str(error), "exc_info": error}
        seconds = round(time.perf_counter() - started, 3)
        get_log().log(
            level, "delivery", step="merge", job=True, **traced, **fields, seconds=seconds
        )
    flush()
    return 0 if fields["outcome"] == "done" else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
