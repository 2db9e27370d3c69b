"""Which status may follow which, as senders report them."""

from __future__ import annotations

from almanac.schedule_status import COMPLAINT, SENT_STATUSES, Status

_ENDS = {Status.DELIVERED, Status.FAILED, Status.BOUNCED}
# the statuses that may follow each status
NEXT: dict[str, set[Status]] = {
    Status.PRE_SCHEDULED: {Status.SCHEDULED, Status.PROCESSING, Status.SENT, *_ENDS},
    Status.SCHEDULED: {Status.PROCESSING, Status.SENT, *_ENDS},
    Status.PROCESSING: {Status.SENT, *_ENDS},
    Status.SENT: _ENDS,
    Status.DELIVERED: {Status.BOUNCED},  # some bounces arrive days later
    Status.SKIPPED: set(),
    Status.FAILED: set(),
    Status.BOUNCED: set(),
}
# marks that arrive after a later status, and change nothing
OVERTAKEN: dict[str, set[Status]] = {Status.SENT: {Status.DELIVERED, Status.BOUNCED}}
OVERTAKEN_LATE: dict[str, set[Status]] = {
    Status.SCHEDULED: {Status.PROCESSING, Status.SENT, *_ENDS},
    Status.PROCESSING: {Status.SENT, *_ENDS},
    Status.SENT: {Status.DELIVERED, Status.BOUNCED},
    Status.DELIVERED: {Status.BOUNCED},
}
GONE = SENT_STATUSES
SUPPRESSING: dict[str, str] = {Status.BOUNCED: "bounce", COMPLAINT: "complaint"}
