"""Generated agencies: the same for the same seed, like real ones, and all or nothing."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import apsw
import pyarrow as pa
import pytest

from almanac.errors import DatabaseError, InputError
from almanac.generation import Summary, facts, generate
from almanac.generation import contacts as contact_rows
from almanac.generation import writing as module
from almanac.generation.places import STATES
from almanac.rules.states import USPS_STATES
from almanac.rules.zip import state_codes_of

AS_OF = dt.date(2026, 11, 21)
TABLES = tuple(Summary.__dataclass_fields__)
EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}")
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def rows(path: Path, sql: str) -> list[Any]:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return list(connection.execute(sql))
    finally:
        connection.close()


def column(path: Path, sql: str) -> list[Any]:
    return [value for (value,) in rows(path, sql)]


def digest(path: Path) -> str:
    content = hashlib.sha256()
    for (statement,) in rows(path, "SELECT sql FROM sqlite_master ORDER BY name"):
        content.update(repr(statement).encode())
    for table in TABLES:
        content.update(repr(rows(path, f"SELECT * FROM {table} ORDER BY rowid")).encode())
    return content.hexdigest()


@pytest.fixture(scope="module")
def agency(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("generation") / "agency.sqlite3"
    generate(path, 30_000, 7, AS_OF)
    return path


@pytest.fixture(params=[2_000, pytest.param(contact_rows.CHUNK, marks=pytest.mark.slow)])
def chunk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """The contacts of a chunk: fewer than there are, and as they are."""
    size = int(request.param)
    gaps = size // facts.GAP_EVERY * (facts.GAP_LONGEST + 1)
    monkeypatch.setattr(module, "CHUNK", size)
    monkeypatch.setattr(contact_rows, "ID_STRIDE", size + gaps)
    return size


def test_the_same_seed_gives_the_same_content(tmp_path: Path, chunk: int) -> None:
    for name in ("one", "two"):
        generate(tmp_path / name, chunk + chunk // 20, 3, AS_OF)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_another_seed_or_day_gives_other_content(tmp_path: Path) -> None:
    generate(tmp_path / "a", 50, 3, AS_OF)
    generate(tmp_path / "again", 50, 3, AS_OF)
    generate(tmp_path / "b", 50, 4, AS_OF)
    generate(tmp_path / "c", 50, 3, AS_OF + dt.timedelta(days=1))
    assert digest(tmp_path / "a") == digest(tmp_path / "again")
    assert len({digest(tmp_path / name) for name in "abc"}) == 3


def test_the_chunks_of_a_large_agency_differ_and_share_no_id(tmp_path: Path, chunk: int) -> None:
    path = tmp_path / "large"
    summary = generate(path, chunk + 200, 3, AS_OF)
    assert summary.contacts == chunk + 200
    ids = column(path, "SELECT id FROM contacts ORDER BY id")
    assert len(set(ids)) == len(ids) == chunk + 200
    second = column(path, f"SELECT last_name FROM contacts ORDER BY id LIMIT 200 OFFSET {chunk}")
    assert second != column(path, "SELECT last_name FROM contacts ORDER BY id LIMIT 200")


@pytest.mark.parametrize("contacts", [1, 2, 10, 199, 200])
def test_a_small_agency_has_the_contacts_asked_for(tmp_path: Path, contacts: int) -> None:
    path = tmp_path / "small.sqlite3"
    for seed in range(5):
        summary = generate(path, contacts, seed, AS_OF)
        assert summary.contacts == contacts
        path.unlink()


@pytest.mark.parametrize(
    "as_of", [dt.date(2028, 2, 29), dt.date(2027, 1, 1), dt.date(1000, 1, 1), dt.date(9000, 12, 31)]
)
def test_any_day_will_do(tmp_path: Path, as_of: dt.date) -> None:
    path = tmp_path / "agency.sqlite3"
    generate(path, 500, 1, as_of)
    last_year = str(as_of.replace(day=1, year=as_of.year - 1))
    sent = column(path, "SELECT scheduled_send_date FROM email_schedules WHERE status = 'sent'")
    assert all(DATE.fullmatch(day) and last_year[:4] <= day[:4] for day in sent)
    assert max(sent) < as_of.isoformat()


def test_the_summary_counts_the_rows_of_every_table(tmp_path: Path) -> None:
    path = tmp_path / "agency.sqlite3"
    summary = generate(path, 3_000, 1, AS_OF)
    for table in TABLES:
        assert column(path, f"SELECT count(*) FROM {table}") == [getattr(summary, table)]
    others = column(path, "SELECT name FROM sqlite_master WHERE type = 'table'")
    assert set(others) == {*TABLES, "sqlite_sequence"}


def test_the_database_is_sound_and_in_the_old_schema(agency: Path) -> None:
    assert column(agency, "PRAGMA integrity_check") == ["ok"]
    assert rows(agency, "PRAGMA foreign_key_check") == []
    columns = column(agency, "SELECT name FROM pragma_table_info('email_schedules')")
    assert "ideal_send_date" not in columns
    indexes = rows(
        agency,
        "SELECT l.name, group_concat(i.name) FROM pragma_index_list('email_schedules') l,"
        ' pragma_index_info(l.name) i WHERE l."unique" GROUP BY l.name',
    )
    assert {names for _, names in indexes} == {
        "contact_id,email_type,scheduled_send_date",
        "contact_id,email_type,event_year",
    }


def test_the_old_trigger_sets_updated_at(agency: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.sqlite3"
    copy.write_bytes(agency.read_bytes())
    connection = apsw.Connection(str(copy))
    connection.execute("UPDATE email_schedules SET status = 'sent' WHERE id = 1")
    connection.close()
    before = column(agency, "SELECT updated_at FROM email_schedules WHERE id = 1")
    assert column(copy, "SELECT updated_at FROM email_schedules WHERE id = 1") != before


def test_contacts_live_in_all_states_by_population(agency: Path) -> None:
    states = Counter(column(agency, "SELECT state FROM contacts"))
    codes = {state.code for state in STATES}
    assert len(codes) == 51
    assert codes < set(USPS_STATES)
    assert codes <= set(states)
    assert states.most_common(1)[0][0] == "CA"
    assert 0.09 < states["CA"] / 30_000 < 0.12
    assert states["WY"] / 30_000 < 0.005


def test_zip_codes_belong_to_the_state_but_for_the_odd_one(agency: Path) -> None:
    known = {state.code: set(state.zip_codes) for state in STATES}
    pairs = rows(agency, "SELECT trim(upper(state)), substr(zip_code, 1, 5) FROM contacts")
    elsewhere = [p for p in pairs if p[0] in known and p[1] not in known[p[0]]]
    assert 0 < len(elsewhere) < 0.005 * len(pairs)
    assert len({code for codes in known.values() for code in codes}) == sum(
        map(len, known.values())
    )


def test_every_zip_code_that_is_drawn_is_one_of_its_state() -> None:
    for state in STATES:
        found = state_codes_of(pa.array(state.zip_codes))
        assert {USPS_STATES[code] for code in found} == {state.code}


def test_ages_run_from_40_to_95_with_most_from_65_to_80(agency: Path) -> None:
    births = [
        dt.date.fromisoformat(text)
        for text in column(agency, "SELECT birth_date FROM contacts WHERE birth_date GLOB '????-*'")
        if DATE.fullmatch(text) and not text.endswith("-02-30")
    ]
    ages = [AS_OF.year - b.year - ((AS_OF.month, AS_OF.day) < (b.month, b.day)) for b in births]
    assert min(ages) >= 40
    assert max(ages) <= 95
    assert 0.55 < sum(65 <= age <= 80 for age in ages) / len(ages) < 0.75


def test_a_third_to_a_half_of_the_policies_begin_on_the_first(agency: Path) -> None:
    texts = column(agency, "SELECT effective_date FROM contacts")
    days = [text for text in texts if DATE.fullmatch(text) and text != "0000-00-00"]
    assert 1 / 3 < sum(day.endswith("-01") for day in days) / len(days) < 1 / 2
    assert len({day[8:] for day in days}) == 31
    assert sum(day >= "2016-11-21" for day in days) / len(days) > 0.8
    assert 0.05 < sum(day >= "2025-12-21" for day in days) / len(days) < 0.2


def test_shares_of_phones_failed_underwriting_and_other_statuses(agency: Path) -> None:
    phones = [p for p in column(agency, "SELECT phone_number FROM contacts") if p]
    assert 0.57 < len(phones) / 30_000 < 0.63
    assert all(re.fullmatch(r"\d{6}01\d\d", re.sub(r"\D", "", phone)) for phone in phones)
    failed = column(agency, "SELECT failed_underwriting FROM contacts")
    assert 0.02 < sum(failed) / 30_000 < 0.04
    statuses = Counter(column(agency, "SELECT status FROM contacts"))
    assert 0.94 < statuses["active"] / 30_000 < 0.98
    assert {"inactive", "unsubscribed", "Active", ""} < set(statuses)


def test_emails_are_unique_and_reach_nobody(agency: Path) -> None:
    emails = column(agency, "SELECT lower(trim(email)) FROM contacts")
    assert len(set(emails)) == len(emails)
    sound = [email for email in emails if EMAIL.fullmatch(email)]
    assert 0.998 < len(sound) / len(emails) < 1
    assert all(re.search(r"[@.]example\.(com|net|org)$", email) for email in sound)


@pytest.mark.parametrize(
    "condition",
    [
        "effective_date = ''",
        "birth_date = ''",
        "effective_date = '0000-00-00'",
        "birth_date GLOB '[01][0-9]/[0-3][0-9]/[12][0-9][0-9][0-9]'",
        "birth_date GLOB '*-02-30'",
        "effective_date GLOB '????-??-?? 00:00:00'",
        "birth_date GLOB '????-??-??T00:00:00'",
        "state GLOB '[a-z][a-z]'",
        "state GLOB ' [A-Z][A-Z] '",
        "state = 'XX'",
        "state = ''",
        "zip_code GLOB '[0-9][0-9][0-9][0-9][0-9]-[0-9][0-9][0-9][0-9]'",
        "length(zip_code) = 4",
        "zip_code = ''",
        "email NOT LIKE '%@%'",
        "email LIKE '%@@%'",
        "email GLOB ' *@* '",
        "email <> lower(email) AND email = upper(email)",
    ],
)
def test_odd_rows_are_there_in_small_numbers(agency: Path, condition: str) -> None:
    (count,) = column(agency, f"SELECT count(*) FROM contacts WHERE {condition}")
    assert 0 < count < 0.004 * 30_000


def test_ids_have_gaps(agency: Path) -> None:
    (last,) = column(agency, "SELECT max(id) FROM contacts")
    assert 30_000 < last < 31_500
    assert column(agency, "SELECT seq FROM sqlite_sequence WHERE name = 'contacts'") == [last]


def test_the_older_scheduler_left_half_a_committed_row_a_contact(agency: Path) -> None:
    statuses = Counter(column(agency, "SELECT status FROM email_schedules"))
    planned = statuses["pre-scheduled"] + statuses["skipped"]
    assert 0.4 < (statuses.total() - planned) / 30_000 < 0.6
    assert 0.02 < planned / 30_000 < 0.04
    assert set(statuses) == {"sent", "delivered", "failed", "scheduled", "pre-scheduled", "skipped"}
    types = set(column(agency, "SELECT email_type FROM email_schedules"))
    assert {"BIRTHDAY", "EFFECTIVE_DATE", "AEP", "POST_WINDOW_BIRTHDAY", "birthday"} < types
    assert {"campaign_rate_increase_1", "followup_1_cold"} < types
    rates = column(
        agency,
        "SELECT count(*) FROM email_schedules WHERE email_type = 'SCHEDULED_RATE_INCREASE'"
        " AND status = 'pre-scheduled'",
    )
    assert 0 < rates[0] < 0.01 * 30_000
    dull = column(agency, "SELECT avg(event_month = 1 AND event_day = 1) FROM email_schedules")
    assert 0.3 < dull[0] < 0.7


def test_history_is_of_the_past_year_and_nothing_is_updated_later(agency: Path) -> None:
    sent = column(
        agency,
        "SELECT scheduled_send_date FROM email_schedules"
        " WHERE status IN ('sent', 'delivered', 'failed')",
    )
    assert min(sent) >= "2025-11-20"
    assert max(sent) < AS_OF.isoformat()
    for table in ("contacts", "email_schedules", "contact_campaigns", "campaign_instances"):
        times = f"SELECT count(*) FROM {table} WHERE created_at > updated_at"
        assert column(agency, times) == [0], table
        (latest,) = column(agency, f"SELECT max(updated_at) FROM {table}")
        assert latest < AS_OF.isoformat()


def test_clicks_and_answers_follow_recently_sent_mail(agency: Path) -> None:
    for table, moment in (("tracking_clicks", "clicked_at"), ("contact_events", "created_at")):
        reactions = rows(agency, f"SELECT contact_id, substr({moment}, 1, 10) FROM {table}")
        sent = rows(
            agency,
            "SELECT contact_id, scheduled_send_date FROM email_schedules"
            " WHERE status IN ('sent', 'delivered') AND scheduled_send_date >= '2026-10-07'",
        )
        earliest: dict[int, str] = {}
        for contact, day in sent:
            earliest[contact] = min(day, earliest.get(contact, day))
        assert reactions
        assert all(earliest[contact] <= day <= "2026-11-21" for contact, day in reactions)


def test_campaigns_cover_what_goes_well_and_what_does_not(agency: Path) -> None:
    types = rows(agency, "SELECT name, active, target_all_contacts FROM campaign_types")
    assert {active for _, active, _ in types} == {0, 1}
    instances = rows(agency, "SELECT campaign_type, metadata FROM campaign_instances")
    assert {name for name, _ in instances} - {name for name, _, _ in types} == {"webinar_invite"}
    assert (
        sum(
            json_valid == 0
            for (json_valid,) in rows(
                agency,
                "SELECT json_valid(metadata) FROM campaign_instances WHERE metadata IS NOT NULL",
            )
        )
        == 1
    )
    per_type = Counter(name for name, _ in instances)
    assert per_type["rate_increase"] == 2


def test_a_campaign_for_all_contacts_is_bounded_in_states_carriers_or_days(agency: Path) -> None:
    wide = rows(
        agency,
        "SELECT i.instance_name FROM campaign_instances i JOIN campaign_types t"
        " ON t.name = i.campaign_type WHERE t.target_all_contacts"
        " AND coalesce(target_states, '') = '' AND coalesce(target_carriers, '') = ''",
    )
    assert wide == []
    (blast,) = column(
        agency,
        "SELECT count(*) FROM contacts, campaign_instances WHERE campaign_type = 'initial_blast'"
        " AND instr(target_states, state) AND state <> ''",
    )
    assert 0 < blast < 0.02 * 30_000
    (letters,) = column(
        agency,
        "SELECT count(*) FROM contacts, campaign_instances WHERE campaign_type = 'newsletter'"
        " AND instr(target_carriers, current_carrier)",
    )
    assert 0 < letters < 0.15 * 30_000


def test_a_twentieth_of_the_contacts_are_targets(agency: Path) -> None:
    (targeted,) = column(agency, "SELECT count(DISTINCT contact_id) FROM contact_campaigns")
    assert 0.04 < targeted / 30_000 < 0.06
    for condition in (
        "trigger_date IS NULL",
        "contact_id NOT IN (SELECT id FROM contacts)",
        "status = 'sent'",
    ):
        (count,) = column(agency, f"SELECT count(*) FROM contact_campaigns WHERE {condition}")
        assert 0 < count < 0.01 * 30_000, condition


def test_some_contacts_are_suppressed_by_id_or_address_for_good_or_for_a_time(agency: Path) -> None:
    kinds = rows(
        agency,
        "SELECT DISTINCT email IS NULL, contact_id IS NULL, until IS NULL FROM suppressions",
    )
    assert set(kinds) == {(1, 0, 0), (1, 0, 1), (0, 1, 0), (0, 1, 1)}
    unknown = "SELECT count(*) FROM suppressions WHERE email NOT IN (SELECT email FROM contacts)"
    assert column(agency, unknown) == [0]


def test_what_exists_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("mine")
    with pytest.raises(InputError, match=r"mine\.txt exists already"):
        generate(path, 10, 1, AS_OF)
    assert path.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_appears_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "agency.sqlite3"

    def somebody_else_writes(what: str, done: int, total: int) -> None:
        path.write_text("theirs")

    with pytest.raises(InputError, match="exists already"):
        generate(path, 10, 1, AS_OF, somebody_else_writes)
    assert path.read_text() == "theirs"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("contacts", "seed", "as_of", "message"),
    [
        (0, 1, AS_OF, "contacts: 0"),
        (-5, 1, AS_OF, "contacts: -5"),
        (5, -1, AS_OF, "seed: .* found -1"),
        (5, 1, dt.date(999, 1, 1), "as_of: .* found 0999-01-01"),
    ],
)
def test_arguments_out_of_range_are_named(
    tmp_path: Path, contacts: int, seed: int, as_of: dt.date, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        generate(tmp_path / "agency.sqlite3", contacts, seed, as_of)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere is not a folder"):
        generate(tmp_path / "nowhere" / "agency.sqlite3", 10, 1, AS_OF)


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="could not be written"):
        generate(tmp_path / ("x" * 250), 10, 1, AS_OF)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("stage", ["contacts", "indexes"])
def test_whoever_interrupts_leaves_nothing_behind(
    tmp_path: Path, error: type[BaseException], stage: str, chunk: int
) -> None:
    def interrupt(what: str, done: int, total: int) -> None:
        if what == stage and done:
            raise error

    with pytest.raises(error):
        generate(tmp_path / "agency.sqlite3", 5 * chunk // 4, 1, AS_OF, interrupt)
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_amid_a_statement_leaves_nothing_behind(tmp_path: Path) -> None:
    program = (
        "import datetime, pathlib, signal, sys; from almanac.generation import generate\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "generate(pathlib.Path(sys.argv[1]), 50_000_000, 1, datetime.date(2026, 11, 21))\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "agency.sqlite3")],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stderr=subprocess.PIPE,
        text=True,
    )
    with child:
        while child.poll() is None and not any(f.stat().st_size > 1 for f in tmp_path.iterdir()):
            time.sleep(0.01)
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=60)
    assert said.rstrip().endswith("KeyboardInterrupt")
    assert list(tmp_path.iterdir()) == []


def test_progress_is_told_from_nothing_to_all(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    generate(tmp_path / "a.sqlite3", 100, 1, AS_OF, lambda *step: told.append(step))
    contacts = [(done, total) for what, done, total in told if what == "contacts"]
    indexes = [(done, total) for what, done, total in told if what == "indexes"]
    assert contacts[0] == (0, 100)
    assert contacts[-1] == (100, 100)
    assert indexes[0][0] == 0
    assert indexes[-1][0] == indexes[-1][1]
