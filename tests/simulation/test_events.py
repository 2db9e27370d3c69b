"""Events while anything may go wrong: each is applied once, and a claim holds."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor

import pytest

from tests.support.sampling import sampled
from tests.support.simulation.crash_points import FAULTS
from tests.support.simulation.event_points import (
    event_points,
    survive_a_claim_between_two_merges,
    survive_being_asked_while_a_run_commits,
    survive_with_events,
)
from tests.support.simulation.event_scenario import play_events

CHUNK = 20
SLOW = 2_000  # seeds


def test_whatever_goes_wrong_each_event_is_applied_once() -> None:
    play_events(2)


@pytest.mark.slow
def test_whatever_goes_wrong_each_event_is_applied_once_two_thousand_times() -> None:
    with ProcessPoolExecutor() as pool:
        outcomes = list(pool.map(play_events, range(SLOW), chunksize=CHUNK))
    print(f"\n{SLOW} seeds, {sum(each.versions for each in outcomes)} versions")


@pytest.mark.parametrize("fault", sampled(["dies after", "answer lost"], 1))
def test_a_claim_during_a_merge_survives_a_fault_at_a_point(fault: str) -> None:
    points = [point for point in event_points() if point.can_meet(fault)]
    deletions = [point for point in points if point.call.startswith("delete orgs/206/inbox/")]
    survive_with_events(deletions[-1], fault)


@pytest.mark.slow
def test_nothing_is_handed_out_twice_by_one_who_asks_while_a_run_commits() -> None:
    survive_being_asked_while_a_run_commits()


@pytest.mark.slow
def test_a_claim_that_only_the_merge_that_lost_has_seen_is_not_lost() -> None:
    survive_a_claim_between_two_merges()


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_events_survive_a_fault_at_every_point(fault: str) -> None:
    points = [point for point in event_points() if point.can_meet(fault)]
    for point in points:
        survive_with_events(point, fault)
    print(f"\nevents: {fault} at {len(points)} points")
