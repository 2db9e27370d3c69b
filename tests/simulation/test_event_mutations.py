"""Would the simulation notice? Each guard of events is taken away, and a seed or point must fail.

`make simulate` runs this; what caught each is printed.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from almanac.intake import inbox
from almanac.organizations.agency_database import StoreDatabase
from almanac.storage.store import ObjectStore
from tests.support.simulation.crash_points import FAULTS
from tests.support.simulation.event_points import (
    event_points,
    survive_a_claim_between_two_merges,
    survive_being_asked_while_a_run_commits,
    survive_with_events,
)
from tests.support.simulation.event_scenario import play_events
from tests.support.simulation.scenario import Failed

SEEDS = 100
# Everything that a mutation takes away or calls, by the name under which it is used.
NAMES = {
    "logged": "almanac.database.intake_log.logged",
    "store change": "almanac.runs.absorb.store_change",
    "late look": "almanac.runs.commit_version.absorb_late",
    "late objects": "almanac.runs.merge.late_objects",
    "deleted late objects": "almanac.runs.absorb.late_objects",
    "put once": "almanac.intake.inbox.write_once",
    "applied objects": "almanac.runs.absorb._applied",
    "day view": "tests.support.simulation.outsiders.day_view",
    "page map": "almanac.organizations.changed_snapshots.write_pages",
}

Mutate = Callable[[pytest.MonkeyPatch], None]
MUTATIONS: dict[str, Mutate] = {}


def real(what: str) -> Any:
    """Return what a name of NAMES refers to."""
    return pkgutil.resolve_name(NAMES[what])


def mutation(mutate: Mutate) -> Mutate:
    MUTATIONS[mutate.__name__.replace("_", " ")] = mutate
    return mutate


@mutation
def events_are_not_looked_up_in_intake_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NAMES["logged"], lambda *_: {})


@mutation
def events_are_deleted_before_their_version_is_in_force(monkeypatch: pytest.MonkeyPatch) -> None:
    store_change = real("store change")

    def hasty(store: ObjectStore, run: str, base: Any, pages: Any, events: Any, *rest: Any) -> str:
        name = str(store_change(store, run, base, pages, events, *rest))
        inbox.delete(store, events.objects)
        return name

    monkeypatch.setattr(NAMES["store change"], hasty)


@mutation
def a_merge_does_not_look_at_the_inbox_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NAMES["late look"], lambda *_: None)


@mutation
def a_merge_deletes_what_it_applied_though_another_one_won(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    look, applied = real("late look"), list[str]()

    def noting(*given: Any) -> Any:
        late = look(*given)
        applied[:] = late.objects if late is not None else []
        return late

    monkeypatch.setattr(NAMES["late look"], noting)
    monkeypatch.setattr(NAMES["late objects"], lambda version: list(applied))
    monkeypatch.setattr(NAMES["deleted late objects"], lambda version: list(applied))


@mutation
def objects_of_the_inbox_are_overwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NAMES["put once"], lambda store, name, data: store.write(name, data, None))


@mutation
def objects_are_deleted_with_events_that_still_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NAMES["applied objects"], lambda batches, _: list(batches.events))


@mutation
def the_version_lacks_the_pages_that_the_plan_was_made_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(NAMES["page map"], lambda *_: None)


@mutation
def due_reads_the_version_before_the_inbox(monkeypatch: pytest.MonkeyPatch) -> None:
    day_view = real("day view")

    @contextmanager
    def early(agency: StoreDatabase, *given: Any, **more: Any) -> Iterator[Any]:
        version = agency.version()

        class Early(StoreDatabase):
            def version(self) -> Any:
                return version

        with day_view(Early(agency.store, agency.org), *given, **more) as view:
            yield view

    monkeypatch.setattr(NAMES["day view"], early)


def caught_by() -> str | None:
    """The first seed or point that fails; None if all of them pass."""
    found = _caught_at_a_point(0)
    for seed in range(SEEDS):
        if found is not None:
            return found
        try:
            play_events(seed)
        except Failed as error:
            return str(error).splitlines()[0]
        if seed % 10 == 9:
            found = _caught_at_a_point(seed // 10 + 1)
    return found


def _caught_at_a_point(number: int) -> str | None:
    try:
        points = event_points()
        survive_being_asked_while_a_run_commits()
        survive_a_claim_between_two_merges()
    except AssertionError as error:
        return f"without a fault: {str(error).splitlines()[0]}"
    for fault in FAULTS:
        for point in [p for p in points if p.can_meet(fault)][number::40]:
            try:
                survive_with_events(point, fault)
            except AssertionError as error:
                return f"{fault} at {point}: {str(error).splitlines()[0]}"
    return None


@pytest.mark.parametrize("what", NAMES)
def test_what_a_mutation_of_events_takes_away_is_there(what: str) -> None:
    assert callable(real(what))


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTATIONS)
def test_a_guard_of_events_that_is_taken_away_is_missed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    event_points.cache_clear()
    MUTATIONS[name](monkeypatch)
    found = caught_by()
    event_points.cache_clear()
    print(f"\n{name}: {found}")
    assert found is not None, f"no test noticed that {name}"
