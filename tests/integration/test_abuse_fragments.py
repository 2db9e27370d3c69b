"""Fragments made by hand that lie: refused and made again, or harmless, and never a crash."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from almanac import civil
from almanac.errors import Corrupt
from almanac.frames import Candidates
from almanac.runs import fragments
from almanac.runs.fragments import Fragment, read_contenders
from almanac.runs.results import RunResult
from almanac.runs.run_plan import RunPlan, read_plan
from almanac.runs.tasks import announce
from almanac.storage import layout
from tests.support import agencies
from tests.support.cli_calls import ENVIRONMENT
from tests.support.clouds import NOW, Cloud, plan_in, query
from tests.support.sampling import sampled

ORG = "206"
RUN = f"{NOW.date()}-daily"
INT32, INT64 = np.iinfo(np.int32).max, np.iinfo(np.int64).max
Rows = dict[str, list[tuple[Any, ...]]]
Lie = Callable[[Fragment], Fragment]


@dataclass
class World:
    """A run of two shards with all its fragments and no merge, and what it should come to."""

    cloud: Cloud
    plan: RunPlan
    expected: Rows
    untouchable: Rows

    def fragment(self, shard: int = 0) -> Fragment:
        data = self.cloud.store.read(layout.fragment(ORG, RUN, shard)).data
        return Fragment.from_parquet(data, "fragment", self.plan.fragment_mark(shard))

    def merged(self, data: bytes | None = None) -> Cloud:
        """What becomes of the run with this as the fragment of its first shard."""
        cloud = Cloud(self.cloud.folder, like=self.cloud)
        if data is not None:
            cloud.overwrite(layout.fragment(ORG, RUN, 0), data)
        announce(cloud.services, ORG, RUN, 0)
        cloud.run()
        return cloud

    def told(self, lie: Fragment) -> Cloud:
        return self.merged(lie.to_parquet(self.plan.fragment_mark(0)))


def not_ours(path: Path) -> Rows:
    """What no run may change: contacts, and rows that the sender owns."""
    sent = "SELECT * FROM email_schedules WHERE COALESCE(status, '') NOT IN ({}) ORDER BY id"
    return {
        "contacts": query(path, "SELECT * FROM contacts ORDER BY id"),
        "sent": query(path, sent.format("'pre-scheduled', 'skipped'")),
    }


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    made = Cloud(folder, shard_contacts=6)
    path = agencies.build(folder / "agency.sqlite3", 9, 12, as_of=NOW.date(), config={})
    made.push(ORG, path)
    made.ask(ORG, reason="manual")
    made.run()  # the second run finds planned rows
    made.configure(ORG, "send_time: '08:31'\n")  # which all want correction
    made.only("orchestrator", "shard")
    made.ask(ORG)
    made.run()
    there = World(made, read_plan(made.store, ORG, RUN), {}, {})
    done = there.merged()
    assert done.result(ORG, RUN).state == "committed"
    pulled = done.pull(ORG)
    yield replace(there, expected=plan_in(pulled), untouchable=not_ours(pulled))
    made.close()


def changed(column: str, change: Callable[[Candidates], Any], alive: bool | None = None) -> Lie:
    """Other values in a column of the candidates; of those only that may be sent, or may not."""

    def lie(fragment: Fragment) -> Fragment:
        rows = fragment.candidates
        new = np.full(len(rows), change(rows)).astype(getattr(rows, column).dtype)
        if alive is not None:
            new = np.where((rows.reason == 0) == alive, new, getattr(rows, column))
        assert (new != getattr(rows, column)).any()
        return replace(fragment, candidates=replace(rows, **{column: new}))

    return lie


def beside(part: str, column: str, value: object) -> Lie:
    """Another value in a column of another part, in its last row."""

    def lie(fragment: Fragment) -> Fragment:
        rows = getattr(fragment, part)
        assert len(rows)
        new = getattr(rows, column).copy()
        new[-1] = value(new[-1]) if callable(value) else value
        return replace(fragment, **{part: replace(rows, **{column: new})})

    return lie


def twice(fragment: Fragment) -> Fragment:
    rows = fragment.candidates
    return replace(fragment, candidates=rows.take(np.repeat(np.arange(len(rows)), 2)))


def swapped(rows: Candidates) -> Any:
    """Two contacts' planned rows, each claimed for the other."""
    new = rows.previous_id.copy()
    have = np.flatnonzero(new)
    one = have[0]
    other = have[rows.contact_id[have] != rows.contact_id[one]][0]
    new[[one, other]] = new[[other, one]]
    return new


def facts(**values: Any) -> Lie:
    return lambda fragment: replace(fragment, facts=fragment.facts | values)


def counted(name: str, key: Any) -> Lie:
    """One more contact, of something that is not there."""

    def lie(fragment: Fragment) -> Fragment:
        counts = getattr(fragment.audience, name) + Counter({key: 1})
        return replace(fragment, audience=replace(fragment.audience, **{name: counts}))

    return lie


def issues(fragment: Fragment) -> Fragment:
    other = pa.table({"contact_id": [999_999], "issue": ["invalid_zip"], "detail": ["x"]})
    found = replace(fragment.issues, written=other, gone=other.select(["contact_id", "issue"]))
    return replace(fragment, issues=found)


LIES: dict[str, Lie] = {
    "contacts of another shard": changed("contact_id", lambda rows: rows.contact_id + 100),
    "a negative contact": changed("contact_id", lambda rows: rows.contact_id - 10**9),
    "a contact at the end of the numbers": changed("contact_id", lambda rows: INT64),
    "skipped rows of another contact": changed("contact_id", lambda rows: INT64, alive=False),
    "no such kind": changed("kind", lambda rows: rows.kind + 1000),
    "a negative kind": changed("kind", lambda rows: -1),
    "a negative kind of a skipped row": changed("kind", lambda rows: -1, alive=False),
    "no such reason": changed("reason", lambda rows: 10_000, alive=False),
    "a negative reason": changed("reason", lambda rows: -1, alive=False),
    "days before the first": changed("floor", lambda rows: rows.floor - 400),
    "a first day that never comes": changed("floor", lambda rows: INT32),
    "a last day that has passed": changed("ceiling", lambda rows: 0),
    "days past the deadline": changed("ceiling", lambda rows: rows.deadline + 5),
    "a deadline at the end of time": changed("deadline", lambda rows: INT32),
    "all days, to the end of time": lambda fragment: changed("deadline", lambda rows: INT32)(
        changed("ceiling", lambda rows: INT32)(fragment)
    ),
    "an ideal day beyond the horizon": changed("ideal", lambda rows: INT32),
    "an ideal day before all dates": changed("ideal", lambda rows: -INT32, alive=False),
    "an event before all dates": changed("event", lambda rows: -INT32),
    "an event after all dates": changed("event", lambda rows: INT32, alive=False),
    "each message twice": twice,
    "no order": lambda f: replace(f, candidates=f.candidates.take(slice(None, None, -1))),
    "no such reason of before": changed("previous_reason", lambda rows: 10**6),
    "a negative reason of before": changed("previous_reason", lambda rows: -2),
    "planned rows of each other": changed("previous_id", swapped),
    "a planned row of nobody": changed("previous_id", lambda rows: 10**12),
    "a negative planned row": changed("previous_id", lambda rows: -5),
    "one planned row for all": changed("previous_id", lambda rows: rows.previous_id.max()),
    "a detail that is not there": changed("details", lambda rows: 10**6),
    "a negative detail": changed("details", lambda rows: -2),
    "a removed row of another contact": beside("removals", "contact_id", 999_999),
    "a removed row that is not there": beside("removals", "previous_id", 10**12),
    "a removed row of no kind": beside("removals", "kind", 10**6),
    "a removed row of a negative kind": beside("removals", "kind", -2),
    "a removed row that is history": beside("removals", "history", lambda old: not old),
    "a target that is not there": beside("statuses", "target_id", 10**12),
    "a target's message that is not there": beside("statuses", "candidate", 10**6),
    "a target's negative message": beside("statuses", "candidate", -2),
    "rows by day of the past": beside("scheduled", "day", 0),
    "rows by day at the end of time": beside("scheduled", "day", INT32),
    "a negative number of rows by day": beside("scheduled", "count", -5),
    "a huge number of rows by day": beside("scheduled", "count", INT64),
    "more effective dates than rows": beside("scheduled", "effective_dates", 10**6),
    "another number of candidates": facts(candidates=1),
    "another number of contacts": facts(eligible=1),
    "a state that is none": changed("state", lambda rows: 100),
    "a negative state": changed("state", lambda rows: -2, alive=False),
    "a row removed for no reason": beside("removals", "why", 100),
    "contacts of no state": counted("states", "XX"),
    "contacts suppressed for no reason": counted("suppressed", "Suppressed: nothing"),
    "contacts of no campaign": counted("reach", 10**6),
    "messages of no campaign": lambda f: replace(f, sent=Counter({10**6: 1})),
    "issues of another contact": issues,
}


def recovered(world: World, cloud: Cloud) -> bool:
    """Whether the lie was refused and the run came to what it should."""
    assert cloud.result(ORG, RUN).state == "committed"
    path = cloud.pull(ORG)
    assert not_ours(path) == world.untouchable
    refusals = cloud.names(layout.refusals(ORG, RUN))
    return plan_in(path) == world.expected and len(refusals) == 1


@pytest.mark.parametrize("name", sampled(LIES, 6))
def test_a_fragment_that_lies_is_refused_and_made_again(world: World, name: str) -> None:
    assert recovered(world, world.told(LIES[name](world.fragment())))


def put(column: Any, at: Any, value: object) -> Any:
    new = column.copy()
    new[at] = value
    return new


def own_rows(world: World, condition: str) -> list[tuple[int, int]]:
    """Ids and contacts of rows of the snapshot."""
    sql = f"SELECT id, contact_id FROM email_schedules WHERE {condition} ORDER BY id"
    return query(world.cloud.pull(ORG), sql)


@pytest.mark.parametrize("whose", ["the sender's", "another shard's"])
@pytest.mark.parametrize("part", ["candidates", "removals"])
def test_rows_that_are_not_the_shards_to_change_stay_as_they_are(
    world: World, whose: str, part: str
) -> None:
    first, last = world.plan.shards[0]
    mine = f"contact_id BETWEEN {first} AND {last}"
    planned = "status IN ('pre-scheduled', 'skipped')"
    condition = (
        f"NOT {planned} AND {mine}" if whose == "the sender's" else f"{planned} AND NOT {mine}"
    )
    ((row_id, contact), *_) = own_rows(world, condition)
    fragment = world.fragment()
    if part == "candidates":
        rows = fragment.candidates
        at = np.flatnonzero(rows.contact_id == contact)[:1] if contact <= last else [0]
        lie = replace(
            fragment, candidates=replace(rows, previous_id=put(rows.previous_id, at, row_id))
        )
    else:
        gone = fragment.removals
        gone = replace(
            gone,
            previous_id=put(gone.previous_id, [0], row_id),
            contact_id=put(gone.contact_id, [0], contact if contact <= last else last),
            previous_day=put(gone.previous_day, [0], civil.day_of(NOW.date())),
            history=put(gone.history, [0], False),
        )
        lie = replace(fragment, removals=gone)
    cloud = world.told(lie)
    result = cloud.result(ORG, RUN)
    if result.state == "failed":
        assert "planned rows" in (result.reason or "")
        assert cloud.version(ORG) == world.cloud.version(ORG)
        assert not_ours(cloud.pull(ORG)) == world.untouchable
    else:
        assert recovered(world, cloud)


def test_targets_of_another_shard_keep_their_status(world: World) -> None:
    other = world.fragment(1).statuses.target_id
    lie = beside("statuses", "target_id", other[0])(world.fragment())
    assert recovered(world, world.told(lie))


@pytest.mark.parametrize(
    ("lie", "reason"),
    [
        (beside("scheduled", "count", 10_000), "more rows on a day than the database has"),
        (facts(scheduled_before=5), "pre-scheduled rows where"),
    ],
    ids=["more rows by day than there are", "another number of rows before"],
)
def test_sums_that_the_database_contradicts_fail_the_run_with_the_reason(
    world: World, lie: Lie, reason: str
) -> None:
    cloud = world.told(lie(world.fragment()))
    result: RunResult = cloud.result(ORG, RUN)
    assert result.state == "failed"
    assert reason in (result.reason or "")
    assert cloud.version(ORG) == world.cloud.version(ORG)
    assert cloud.store.stat(layout.lease(ORG)) is None


def test_wrong_numbers_for_the_report_change_no_row(world: World) -> None:
    lie = replace(world.fragment(), issue_counts=Counter({"<script>alert(1)</script>": 10**15}))
    cloud = world.told(facts(contacts=10**18, contacts_checksum=1, history_checksum=2)(lie))
    assert cloud.result(ORG, RUN).state == "committed"
    assert plan_in(cloud.pull(ORG)) == world.expected
    page = cloud.store.read(f"{cloud.version(ORG).folder}/{layout.REPORT_HTML}").data
    assert b"<script>alert" not in page


# Parquet that this program does not write


def written(table: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True, **options)
    return sink.getvalue()


def as_table(world: World) -> pa.Table:
    return pq.read_table(io.BytesIO(world.cloud.store.read(layout.fragment(ORG, RUN, 0)).data))


def with_column(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, values)


def with_note(table: pa.Table, text: bytes) -> pa.Table:
    return table.replace_schema_metadata({"almanac": text, "crc32": str(crc32(text))})


def read_both(world: World, data: bytes) -> list[str]:
    """Why each of the two readings refuses it."""
    reasons = []
    for read in (Fragment.from_parquet, read_contenders):
        with pytest.raises(Corrupt, match="fragment: not a fragment of this program") as caught:
            read(data, "fragment", world.plan.fragment_mark(0))
        reasons.append(str(caught.value))
    return reasons


def doubles(value: float) -> Callable[[pa.Table], pa.Array]:
    return lambda table: pa.array([value] * table.num_rows, pa.float64())


ODD_COLUMNS: dict[str, Callable[[pa.Table], pa.Array]] = {
    "not a number": doubles(float("nan")),
    "infinity": doubles(float("inf")),
    "fractions": doubles(1.5),
    "larger than any id": lambda t: pa.array([2**64 - 1] * t.num_rows, pa.uint64()),
    "texts": lambda t: pa.array(["five"] * t.num_rows),
    "nothing": lambda t: pa.nulls(t.num_rows, pa.int64()),
    "lists": lambda t: pa.array([[1]] * t.num_rows),
}


@pytest.mark.parametrize("name", ODD_COLUMNS)
def test_a_column_of_other_values_is_refused(world: World, name: str) -> None:
    table = as_table(world)
    for column in ("contact_id", "kind"):
        if (name, column) == ("larger than any id", "kind"):
            continue
        read_both(world, written(with_column(table, column, ODD_COLUMNS[name](table))))


NOTES: dict[str, Callable[[dict[str, Any]], object]] = {
    "a billion rows": lambda note: note | {"rows": note["rows"] | {"candidates": 10**9}},
    "a negative number of rows": lambda note: (
        note | {"rows": note["rows"] | {"candidates": -1, "removals": 10**3}}
    ),
    "no number of rows": lambda note: note | {"rows": {}},
    "fractions of rows": lambda note: note | {"rows": note["rows"] | {"statuses": 0.5}},
    "infinite facts": lambda note: note | {"facts": note["facts"] | {"contacts": float("inf")}},
    "facts that are no numbers": lambda n: n | {"facts": n["facts"] | {"contacts": float("nan")}},
    "negative facts": lambda note: note | {"facts": note["facts"] | {"contacts": -1}},
    "facts of a thousand digits": lambda n: n | {"facts": n["facts"] | {"contacts": 10**1000}},
    "counts that are texts": lambda note: note | {"issue_counts": {"invalid_zip": "many"}},
    "counts in a list": lambda note: note | {"issue_counts": [1, 2]},
    "another mark": lambda note: note | {"mark": ["x" * 10**6]},
    "a list": lambda note: [note],
}


@pytest.mark.parametrize("name", NOTES)
def test_a_note_that_cannot_be_true_is_refused(world: World, name: str) -> None:
    table = as_table(world)
    note = json.loads(table.schema.metadata[b"almanac"])
    for reason in read_both(
        world, written(with_note(table, json.dumps(NOTES[name](note)).encode()))
    ):
        assert len(reason) < 500


@pytest.mark.parametrize("note", [b"[" * 100_000, b'{"mark": ' * 50_000, b"\xff\xfe", b""])
def test_a_note_that_is_no_json_is_refused(world: World, note: bytes) -> None:
    read_both(world, written(with_note(as_table(world), note)))


def test_a_text_that_is_none_is_refused(world: World) -> None:
    table = as_table(world)
    note = json.loads(table.schema.metadata[b"almanac"])
    note["rows"]["issues_gone"] += 1
    broken = pa.array([None] * table.num_rows + [b"\xff\xfe"], pa.binary()).view(pa.string())
    row = pa.table({"contact_id": [1], "issue": pa.array(["x"])})
    table = pa.concat_tables([table, row], promote_options="default")
    table = with_note(with_column(table, "issue", broken), json.dumps(note).encode())
    data = written(table)
    with pytest.raises(Corrupt, match="fragment: not a fragment"):
        Fragment.from_parquet(data, "fragment", world.plan.fragment_mark(0))


# More than memory holds


READING = """
import json, os, sys
from pathlib import Path
import pyarrow as pa
from almanac import civil
from almanac.errors import Corrupt
from almanac.runs import fragments
path, mark, fragments.MAX_BYTES = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
reasons = []
for read in (fragments.Fragment.from_parquet, fragments.read_contenders):
    try:
        read(path.read_bytes(), "fragment", mark)
    except Corrupt as error:
        reasons.append(str(error))
print(json.dumps({"reasons": reasons, "peak": pa.default_memory_pool().max_memory()}), flush=True)
os._exit(0)  # Arrow's threads may still give back what they have read
"""


def read_apart(world: World, data: bytes, most: int = fragments.MAX_BYTES) -> dict[str, Any]:
    """Why the readings refuse a small file in a process of its own, and what memory they took."""
    assert len(data) < 1 << 20
    path = world.cloud.folder / "large.parquet"
    path.write_bytes(data)
    arguments = [str(path), world.plan.fragment_mark(0), str(most)]
    command = [sys.executable, "-c", READING, *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.slow
def test_very_many_rows_in_a_small_file_are_refused_unread(world: World) -> None:
    rows = fragments.MAX_ROWS + 1
    columns = {name: pa.nulls(rows, pa.string()) for name in ("metadata", "issue", "detail")}
    found = read_apart(world, written(pa.table(columns | {"contact_id": np.zeros(rows, np.int8)})))
    assert [f"{rows} rows" in reason for reason in found["reasons"]] == [True, True]
    assert found["peak"] < 4 << 20


def test_very_many_bytes_in_a_small_file_are_refused_unread(world: World) -> None:
    table = as_table(world)
    many = pa.array(["x" * (1 << 20) + str(n) for n in range(table.num_rows)])
    data = written(with_column(table, "metadata", many), use_dictionary=False)
    found = read_apart(world, data, most=8 << 20)
    assert ["bytes; at most" in reason for reason in found["reasons"]] == [True, True]
    assert found["peak"] < 4 << 20


def test_one_long_text_for_very_many_rows_is_refused_before_it_is_repeated(world: World) -> None:
    table = as_table(world)
    note = json.loads(table.schema.metadata[b"almanac"])
    rows = 300  # of ten million characters each
    note["rows"]["issues_written"] += rows
    long = pa.DictionaryArray.from_arrays(np.zeros(rows, np.int32), ["x" * 10**7])
    added = pa.table({"contact_id": np.ones(rows, np.int64), "issue": ["x"] * rows, "detail": long})
    old = with_column(table, "detail", table["detail"].dictionary_encode())
    whole = pa.concat_tables([old, added], promote_options="default").unify_dictionaries()
    data = written(with_note(whole, json.dumps(note).encode()))
    found = read_apart(world, data)
    assert "bytes of detail; at most" in found["reasons"][0]
    assert found["peak"] < 100 << 20
