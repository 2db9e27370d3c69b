"""What hostile people put into databases, configurations, messages, names and folders: refused
with a reason, or harmless, and never another organization's trouble."""

from __future__ import annotations

import io
import json
import os
import re
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from almanac import logs
from almanac.config import Config
from almanac.config_contacts import ContactColumns
from almanac.contact_ranges import ContactRange
from almanac.database import range_tables
from almanac.database.blocks import CACHE_BYTES, Blocks
from almanac.database.ranged import ranged_source
from almanac.database.reading import Snapshot
from almanac.errors import DatabaseError, RequestError
from almanac.explain.explain import explain_contact
from almanac.messaging.bus import Delivery
from almanac.messaging.envelope import delivery_of
from almanac.organizations.agency_database import FileDatabase
from almanac.organizations.check import check_file
from almanac.organizations.transfer import push
from almanac.report.summary import RunSummary
from almanac.status.organization import organization_status
from almanac.storage import layout
from almanac.storage.folder import FolderStore
from almanac.storage.versions import current
from tests.support.cli_calls import ENVIRONMENT, almanac
from tests.support.clouds import NOW, TOPIC_OF, TOPICS, Cloud, all_rows, event_of, plan_in
from tests.support.sampling import sampled, shares
from tests.support.tiny import Agency

ORG = "206"
RUN = f"{NOW.date()}-daily"
MEGABYTE = "x" * 1_000_000
GIGABYTE = 1 << 30


def quiet(step: str, done: int, total: int) -> None:
    """Tells nobody how far it is."""


def agency(path: Path, contacts: int = 6) -> Agency:
    """Contacts with a birthday and an effective date each, one of them sent to already."""
    made = Agency(path)
    for contact in range(1, contacts + 1):
        made.contact(contact, birth_date="1950-06-01", effective_date="2020-05-01")
    made.sent("birthday", "2026-05-20")
    return made


@pytest.fixture
def cloud(folder: Path) -> Iterator[Cloud]:
    """A cloud with one organization in good order."""
    made = Cloud(folder)
    made.push("good", agency(folder / "good.sqlite3").path)
    yield made
    made.close()


# Hostile strings

HOSTILE = [
    "Robert'); DROP TABLE contacts; --",
    '" OR 1=1; ATTACH DATABASE "/tmp/x" AS x; --',
    "<script>alert(1)</script>",
    "'\"><img src=x onerror=alert(1)>",
    "{{ 7 * 7 }}{% include 'x' %}",
    "../../../../etc/passwd",
    "%2e%2e%2f/orgs/207/current.json",
    "a\x00b",
    "bell \x07 escape \x1b[31m separator \x1f",
    "line\r\nfeed \u2028 {\"severity\": \"ERROR\"}",
    "\u202egnp.exe\u2066 \u200b\ufeff",
    "%s %n {0} $(id) `id` ${HOME}",
    "victim@example.com",
    MEGABYTE,
    "\U0001f600" * 1000,
]  # fmt: skip
HARMLESS = [f"plain text {number}" for number in range(len(HOSTILE))]


def carrying(path: Path, texts: list[str]) -> Agency:
    """An agency with the texts wherever planning only carries texts along, or reads no text."""
    made = Agency(path)
    made.query("ALTER TABLE contacts ADD COLUMN first_name TEXT")
    for number, text in enumerate(texts, start=1):
        columns = {"carrier": text, "phone_number": "212-555-0100", "first_name": text}
        dates = {"birth_date": "1950-06-01", "effective_date": f"2020-05-{number:02}"}
        made.contact(number, **columns, **dates, agent_note=text, sms_consent=1)
        of_type = {"email_template": text, "sms_template": text, "priority": number}
        made.campaign(number, f"type {number:02} {text}", **of_type, instance_name=text)
        made.target(number, "2027-06-01", number)
        made.insert("suppressions", email=f"{text}@example.org", reason=text, source=text)
        made.insert("private_notes", k=text, v=text)
    made.insert("suppressions", contact_id=1, reason=texts[2])
    # a type that is none
    made.insert("campaign_instances", id=100, campaign_type=texts[2], instance_name=texts[3])
    return made


def put_back(value: Any) -> Any:
    """A value of a row with harmless texts in place of hostile ones."""
    if isinstance(value, str):
        for hostile, harmless in zip(HOSTILE, HARMLESS, strict=True):
            value = value.replace(hostile, harmless)
    return value


class Tags(HTMLParser):
    """The tags and attributes of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: set[tuple[str, str]] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found |= {(tag, name) for name, _ in attrs} | {(tag, "")}


def logged(run: Callable[[], None]) -> list[dict[str, Any]]:
    """What is logged meanwhile; fails for a line that is no JSON object."""
    stream = io.StringIO()
    logs.configure("DEBUG", stream)
    try:
        run()
    finally:
        logs.configure(None)
    return [json.loads(line) for line in stream.getvalue().split("\n") if line]


@pytest.mark.slow
def test_hostile_texts_are_carried_along_as_they_are_and_nothing_else_comes_of_them(
    folder: Path,
) -> None:
    cloud = Cloud(folder, shard_contacts=4)
    databases = {
        "harmless": carrying(folder / "harmless.sqlite3", HARMLESS),
        "hostile": carrying(folder / "hostile.sqlite3", HOSTILE),
    }
    before = all_rows(databases["hostile"].path, "contacts")
    pages = {}
    for org, database in databases.items():
        cloud.push(org, database.path)
        cloud.ask(org)
        lines = logged(cloud.run)
        assert {"run started", "run committed"} <= {line["message"] for line in lines}
        assert "@" not in json.dumps(lines)
        assert cloud.result(org, RUN).state == "committed"
        at = cloud.version(org).folder
        pages[org] = cloud.store.read(f"{at}/{layout.REPORT_HTML}").data.decode()
        report = RunSummary.model_validate_json(cloud.store.read(f"{at}/{layout.REPORT_JSON}").data)
        assert report.planned_total > 2 * len(HOSTILE)
        assert organization_status(cloud.store, org, NOW).ok
    rows, hostile = plan_in(cloud.pull("harmless")), plan_in(cloud.pull("hostile"))
    for table, expected in rows.items():
        found = [tuple(map(put_back, row)) for row in hostile[table]]
        assert sorted(found, key=repr) == sorted(expected, key=repr)
    assert all_rows(cloud.pull("hostile"), "contacts") == before
    assert Tags(pages["hostile"]).found == Tags(pages["harmless"]).found
    assert "&lt;script&gt;" in pages["hostile"]
    cloud.close()


@pytest.mark.slow
@shares(9)
def test_hostile_texts_are_explained_and_checked_in_plain_words(folder: Path, every: int) -> None:
    path = carrying(folder / "agency.sqlite3", HOSTILE).path
    assert almanac("run", path, "--as-of", NOW.date()).code == 0
    for contact in range(every, len(HOSTILE) + 1, every):
        explain_contact(FileDatabase(path), contact)
    for contact in (9, 3, 11)[:: min(every, 3)]:
        answer = almanac("explain", path, "--contact", contact)
        assert answer.code == 0
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", answer.out)
        json.loads(almanac("explain", path, "--contact", contact, "--json").out)
    answer = almanac("check", path)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", answer.out)


def test_bytes_that_are_no_text_are_no_obstacle_anywhere(folder: Path) -> None:
    made = carrying(folder / "agency.sqlite3", ["text"] * 5)
    for table, columns in {
        "contacts": ["carrier", "phone_number", "first_name", "zip_code"],
        "campaign_types": ["name"],
        "campaign_instances": ["campaign_type", "email_template", "sms_template", "target_states"],
        "suppressions": ["reason", "email"],
        "email_schedules": ["email_type", "status", "skip_reason", "scheduled_send_date"],
    }.items():
        for n, octets in enumerate((b"\xed\xa0\x80", b"\xff\xfe", b"\xc0\x80", b"\xf0\x9f")):
            changes = ", ".join(f"{column} = CAST(x'{octets.hex()}' AS TEXT)" for column in columns)
            made.query(f"UPDATE {table} SET {changes} WHERE rowid = {n + 1}")
    made.query(
        "INSERT INTO email_schedules (contact_id, email_type, scheduled_send_date, status)"
        " VALUES (2, CAST(x'eda080' AS TEXT), CAST(x'ff' AS TEXT), CAST(x'ff' AS TEXT))"
    )
    cloud = Cloud(folder, shard_contacts=2)
    cloud.push(ORG, made.path)
    cloud.ask()
    lines = logged(cloud.run)
    assert cloud.result(ORG, RUN).state == "committed"
    json.dumps(lines).encode()
    cloud.store.read(f"{cloud.version(ORG).folder}/{layout.REPORT_HTML}").data.decode()
    cloud.close()


HOSTILE_NUMBERS = {
    "a campaign nearly a million days before its event": (
        "UPDATE campaign_types SET days_before_event = 1000000"
    ),
    "a campaign nearly a million days after its event": (
        "UPDATE campaign_types SET days_before_event = -1000000"
    ),
    "an event at the end of dates": "UPDATE contact_campaigns SET trigger_date = '9999-12-31'",
    "an event at their beginning": "UPDATE contact_campaigns SET trigger_date = '0001-01-01'",
    "a spread to the end of dates": (
        "UPDATE campaign_types SET spread_evenly = 1; UPDATE campaign_instances SET "
        "spread_start_date = '2027-01-01', spread_end_date = '9999-12-31'"
    ),
    "a priority at the end of numbers": "UPDATE campaign_types SET priority = 9223372036854775807",
    "an instance at the end of numbers": (
        "UPDATE campaign_instances SET id = 9223372036854775807; "
        "UPDATE contact_campaigns SET campaign_instance_id = 9223372036854775807"
    ),
    "a contact at the end of numbers": "UPDATE contacts SET id = 9223372036854775807 WHERE id = 3",
    "a contact at their beginning": "UPDATE contacts SET id = -9223372036854775808 WHERE id = 3",
    "metadata without a bottom": (f"UPDATE campaign_instances SET metadata = '{'[' * 100_000}'"),
    "a number of a thousand digits": (
        f"""UPDATE campaign_instances SET metadata = '{{"priority": {"9" * 5000}}}'"""
    ),
}


@pytest.mark.parametrize("name", sampled(HOSTILE_NUMBERS, 4))
def test_extreme_numbers_and_dates_leave_all_others_planned(folder: Path, name: str) -> None:
    made = agency(folder / "agency.sqlite3")
    made.campaign(1)
    made.target(1, "2027-06-01")
    made.query(HOSTILE_NUMBERS[name])
    cloud = Cloud(folder, shard_contacts=2)
    cloud.push(ORG, made.path)
    cloud.ask(ORG)
    cloud.run()
    assert cloud.result(ORG, RUN).state == "committed"
    planned = Agency.__new__(Agency)
    planned.path = cloud.pull(ORG)
    ((contacts,),) = planned.query(
        "SELECT count(DISTINCT contact_id) FROM email_schedules WHERE email_type = 'effective_date'"
    )
    assert contacts == 6
    cloud.close()


# Hostile schemas

INSERTED = "CREATE TRIGGER hostile AFTER INSERT ON email_schedules BEGIN"
FAILS = {
    "a trigger that refuses": (
        "CREATE TRIGGER h BEFORE INSERT ON email_schedules BEGIN SELECT RAISE(ABORT, 'no'); END",
        "a constraint of the database forbids it",
    ),
    "a trigger that ignores": (
        "CREATE TRIGGER h BEFORE INSERT ON email_schedules BEGIN SELECT RAISE(IGNORE); END",
        "trigger h of table email_schedules ignores changes",
    ),
    "a trigger that undoes": (f"{INSERTED} SELECT RAISE(ROLLBACK, 'no'); END", "forbids it"),
    "a trigger that deletes what was sent": (
        f"{INSERTED} DELETE FROM email_schedules WHERE status = 'sent'; END",
        "0 rows of the sender where 1 were to be",
    ),
    "a trigger that deletes what is planned": (
        f"{INSERTED} DELETE FROM email_schedules WHERE id = new.id; END",
        "0 pre-scheduled rows where",
    ),
    "a trigger that sends": (
        f"{INSERTED} UPDATE email_schedules SET status = 'sent' WHERE id = new.id; END",
        "pre-scheduled rows where",
    ),
    "a trigger that deletes contacts": (
        f"{INSERTED} DELETE FROM contacts; END",
        "0 contacts where 6 were to be",
    ),
    "a trigger that adds contacts": (
        f"{INSERTED} INSERT INTO contacts (email) WITH RECURSIVE n (i) AS "
        "(SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9) SELECT i FROM n; END",
        "contacts where 6 were to be",
    ),
    "contacts that are a view": (
        "ALTER TABLE contacts RENAME TO people; CREATE VIEW contacts AS SELECT * FROM people",
        "contacts is a view; expected a table",
    ),
    "contacts that are a search index": (
        "DROP TABLE contacts; CREATE VIRTUAL TABLE contacts USING fts5 (id, email)",
        "contacts is a virtual; expected a table",
    ),
    "schedules that are a view": (
        "DROP TABLE email_schedules; "
        "CREATE VIEW email_schedules AS SELECT 1 AS id, 1 AS contact_id, 'x' AS status",
        "email_schedules is a view",
    ),
    "schedules without end": (
        "DROP TABLE email_schedules; CREATE VIEW email_schedules AS WITH RECURSIVE n (id) AS "
        "(SELECT 1 UNION ALL SELECT id + 1 FROM n LIMIT 100000) "
        "SELECT id, id AS contact_id, 'sent' AS status FROM n",
        "email_schedules is a view",
    ),
    "schedules whose status is computed": (
        "DROP TABLE email_schedules; CREATE TABLE email_schedules (id INTEGER PRIMARY KEY, "
        "contact_id INTEGER, email_type TEXT, scheduled_send_date TEXT, "
        "status TEXT AS ('sent') STORED)",
        'cannot INSERT into generated column "status"',
    ),
    "schedules without a rowid": (
        "DROP TABLE email_schedules; CREATE TABLE email_schedules (id INTEGER PRIMARY KEY, "
        "contact_id INTEGER, email_type TEXT, scheduled_send_date TEXT, status TEXT) WITHOUT ROWID",
        "id is not an INTEGER PRIMARY KEY",
    ),
    "schedules with all the columns that there can be": (
        "DROP TABLE email_schedules; CREATE TABLE email_schedules (id INTEGER PRIMARY KEY, "
        f"contact_id INTEGER, {', '.join(f'c{n}' for n in range(1998))})",
        "too many columns",
    ),
    "a table under the name of an index": (
        "CREATE TABLE almanac_planned_identity (x)",
        "there is already a table named almanac_planned_identity",
    ),
    "schedules whose ids have come to their end": (
        "UPDATE email_schedules SET id = 9223372036854775807",
        "its ids are used up: the highest is 9223372036854775807",
    ),
    "a sequence that has come to its end": (
        "UPDATE sqlite_sequence SET seq = 9223372036854775807",
        "its ids are used up: the highest is 9223372036854775807",
    ),
    "instances whose ids have come to their end": (
        "INSERT INTO sqlite_sequence VALUES ('campaign_instances', 9223372036854775807); "
        "INSERT INTO email_schedules (contact_id, email_type, scheduled_send_date, status) "
        "VALUES (1, 'scheduled_rate_increase', '2027-04-01', 'pre-scheduled')",
        "no id is left",
    ),
}
WORKS = {
    "columns named like SQL": (
        'ALTER TABLE contacts ADD COLUMN "x; DROP TABLE contacts; --" TEXT; '
        'ALTER TABLE email_schedules ADD COLUMN """ OR 1 = 1" TEXT'
    ),
    "a computed column": "ALTER TABLE contacts ADD COLUMN g TEXT AS (email || 'x') VIRTUAL",
    "two thousand columns": (
        "ALTER TABLE contacts RENAME TO old; CREATE TABLE contacts (id INTEGER PRIMARY KEY, email, "
        f"state, birth_date, effective_date, {', '.join(f'c{n}' for n in range(1995))}); INSERT "
        "INTO contacts (id, email, state, birth_date, effective_date) "
        "SELECT id, email, state, birth_date, effective_date FROM old; DROP TABLE old"
    ),
    "three thousand tables": "; ".join(f"CREATE TABLE t{n} (x)" for n in range(3000)),
    "a declaration of five megabytes": f"CREATE TABLE huge (x DEFAULT '{MEGABYTE * 5}')",
    "contacts without a rowid": (
        "ALTER TABLE contacts RENAME TO old; CREATE TABLE contacts (id INTEGER PRIMARY KEY, "
        "email TEXT, state TEXT, birth_date TEXT, effective_date TEXT) WITHOUT ROWID; INSERT INTO "
        "contacts SELECT id, email, state, birth_date, effective_date FROM old; DROP TABLE old"
    ),
    "suppressions that are a search index": (
        "DROP TABLE suppressions; "
        "CREATE VIRTUAL TABLE suppressions USING fts5 (email, contact_id, reason)"
    ),
    "clicks that are computed": (
        "DROP TABLE tracking_clicks; CREATE VIEW tracking_clicks AS WITH RECURSIVE n (i) AS "
        "(SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100000) "
        "SELECT i AS contact_id, '2027-02-28' AS clicked_at FROM n"
    ),
    "tables under the names of ours": (
        "CREATE TABLE almanac_shapes (x); CREATE TABLE almanac_details (x)"
    ),
    "an index of ours that is another": (
        "CREATE INDEX almanac_planned_identity ON email_schedules (status)"
    ),
    "schedules that are declared UNIQUE": (
        "ALTER TABLE email_schedules RENAME TO old; CREATE TABLE email_schedules (id INTEGER "
        "PRIMARY KEY AUTOINCREMENT, contact_id INTEGER NOT NULL, email_type TEXT NOT NULL, "
        "scheduled_send_date TEXT NOT NULL, status TEXT NOT NULL, event_year INTEGER, UNIQUE "
        "(contact_id, email_type, event_year)); INSERT INTO email_schedules SELECT id, "
        "contact_id, email_type, scheduled_send_date, status, event_year FROM old; DROP TABLE old"
    ),
    "a trigger that changes other columns": (f"{INSERTED} UPDATE contacts SET carrier = 'x'; END"),
}


@pytest.mark.parametrize("name", sampled([*FAILS, *WORKS], 4))
def test_a_hostile_schema_fails_its_own_run_with_the_reason_or_is_harmless(
    cloud: Cloud, folder: Path, name: str
) -> None:
    made = agency(folder / "agency.sqlite3")
    made.query(FAILS[name][0] if name in FAILS else WORKS[name])
    cloud.push(ORG, made.path)
    cloud.send(TOPICS.run_requests, b"{}")
    cloud.run()
    assert cloud.result("good", RUN).state == "committed"
    result = cloud.result(ORG, RUN)
    assert result.state == ("failed" if name in FAILS else "committed"), result.reason
    if name in FAILS:
        assert FAILS[name][1] in (result.reason or "")
        assert cloud.version(ORG).version == 1
    else:
        assert (result.planned or 0) >= 12
    assert not [each for each in cloud.names() if each.endswith("lease.json")]


# Configurations

LAUGHS = "\n".join(
    [
        "a0: &a0 [lol, lol]",
        *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)),
    ]
)
BOMBS = {
    "a billion laughs": LAUGHS,
    "a billion merges": "\n".join(
        ["l0: &l0 {x: 1}", *(f"l{n}: &l{n} {{<<: [*l{n - 1}, *l{n - 1}]}}" for n in range(1, 30))]
    ),
    "an alias of itself": "a: &a [*a]",
    "a bottomless list": "[" * 500_000,
    "a bottomless mapping": "{a: " * 200_000,
    "a bottomless block": "- " * 500_000,
    "a megabyte of text": f"timezone: '{MEGABYTE}'",
    "a megabyte of digits": f"horizon_days: {'9' * 1_000_000}",
    "a megabyte of minutes": f"horizon_days: {'1:' * 400_000}1",
    "two megabytes": "#" * 2_000_000,
    "ten thousand equal keys": "horizon_days: 1\n" * 9_999,
    "a key twice": "horizon_days: 1\nhorizon_days: 2",
    "an object of Python": "a: !!python/object/apply:os.system ['touch /tmp/almanac-was-here']",
    "a name of Python": "a: !!python/name:os.system",
    "octets": "a: !!binary aGk=",
    "a NUL": "a: \0",
    "a path for a zone": f"timezone: {'../' * 20}etc/passwd",
    "an infinite number": "load_balancing: {overage_threshold: .inf}",
    "a surrogate": 'timezone: "\\ud800"',
}
QUICK = [name for name in BOMBS if "megabyte of" not in name] + ["a megabyte of minutes"]
MEASURED = """
import resource, sys
from pathlib import Path
from almanac.config import load_config
from almanac.errors import ConfigError
load_config(b"{}")
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
for path in sys.argv[1:]:
    try:
        load_config(Path(path).read_bytes(), "config.yaml")
    except ConfigError as error:
        print(len(str(error)))
"""


@pytest.mark.slow
def test_a_bomb_as_configuration_fails_its_own_run_with_a_short_reason(cloud: Cloud) -> None:
    orgs = {f"bomb-{number}": BOMBS[name] for number, name in enumerate(QUICK)}
    for org, text in orgs.items():
        cloud.push(org, cloud.folder / "good.sqlite3")
        cloud.configure(org, text)
    cloud.ask()
    lines = logged(cloud.run)
    for org in orgs:
        result = cloud.result(org, RUN)
        assert result.state == "failed"
        reason = result.reason or ""
        assert layout.config(org) in reason
        assert len(reason) < 5000
        status = organization_status(cloud.store, org, NOW)
        assert not status.ok or status.warnings
    assert max(len(json.dumps(line)) for line in lines) < 10_000
    assert cloud.result("good", RUN).state == "committed"
    assert not Path("/tmp/almanac-was-here").exists()


@shares(4)
def test_a_bomb_as_configuration_takes_little_memory(tmp_path: Path, every: int) -> None:
    paths = []
    for number, text in enumerate(list(BOMBS.values())[::every]):
        paths.append(tmp_path / f"{number}.yaml")
        paths[-1].write_text(text)
    command = [sys.executable, "-c", MEASURED, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=ENVIRONMENT)
    assert done.stderr == ""
    assert len(done.stdout.split()) == len(paths)


# Messages

CHANGE = '{"event_id": "e", "org_id": "good", "campaign_instance_id": 1, "changes": %s}'
JSON_BOMBS = {
    "a bottomless list": b"[" * 1_000_000,
    "a bottomless object": b'{"org_id": ' * 300_000,
    "ten megabytes of text": b'{"org_id": "' + b"x" * 10_000_000 + b'"}',
    "very many keys": json.dumps({f"k{n}": n for n in range(100_000)}).encode(),
    "ten megabytes of nothing": b" " * 10_000_000,
    "not a number": b'{"org_id": NaN}',
    "an infinite shard": b'{"org_id": "good", "run_id": "r", "shard": Infinity}',
    "a number of a million digits": b'{"org_id": ' + b"9" * 1_000_000 + b"}",
    "half a character": b'{"org_id": "\\ud800"}',
    "a NUL": b'{"org_id": "good\\u0000"}',
    "bytes": bytes(range(256)) * 100,
    "changes without a bottom": (CHANGE % ('{"metadata": ' + '{"a":' * 100_000)).encode(),
    "metadata without a bottom": (CHANGE % json.dumps({"metadata": '{"a":' * 100_000})).encode(),
    "metadata of numbers that are none": (CHANGE % '{"metadata": {"a": NaN}}').encode(),
    "a field that is SQL": (CHANGE % '{"id = 1; DROP TABLE contacts; --": "x"}').encode(),
    "the key of another table": (CHANGE % '{"campaign_type": "x"}').encode(),
}


@pytest.mark.parametrize("function", sorted(TOPIC_OF))
def test_a_bomb_as_message_is_recorded_with_a_short_reason(cloud: Cloud, function: str) -> None:
    some = [data for data in JSON_BOMBS.values() if len(data) < 10**6 or function == "merge"]
    for data in some:
        cloud.send(TOPIC_OF[function], data)
    lines = logged(cloud.run)
    rejected = cloud.rejections()
    assert len(rejected) == len(some)
    assert max(len(each["reason"]) for each in rejected) < 500
    assert max(len(json.dumps(line)) for line in lines) < 2_000
    assert not cloud.names(layout.runs("good"))


def test_of_equal_keys_in_a_message_the_last_one_counts_for_all_who_read_it(cloud: Cloud) -> None:
    cloud.send(TOPICS.run_requests, b'{"org_id": "../x", "org_id": "good"}')
    cloud.run()
    assert cloud.result("good", RUN).state == "committed"


# Names

ODD_IDS = [
    "", ".", "..", "../206", "../../etc/passwd", "206/..", "206/../207", "/206", "//",
    "/etc/passwd", "206/", "a/b", "a\\b", "..\\..", "%2e%2e", "%2e%2e%2f207", "206%2F207",
    "206\n", "\n", "206\r\nX: y",
    "206\0", "\x1b[31m", "x" * 1000, "２０６", "2\u03006", "ｏrg", "օrg", "org\u200b", "\u202e602",
    ".almanac", "~root", "$HOME", "*", "206 ", " 206", "--help", "-", "gs://206", "con|nul", "..~2",
]  # fmt: skip


def test_an_id_that_leads_elsewhere_is_refused_in_every_message(cloud: Cloud) -> None:
    before = cloud.names()
    messages = 0
    for odd in ODD_IDS:
        run = {"org_id": "good", "run_id": odd, "shard": 0}
        task = {"first_id": 1, "last_id": 5}
        change = {"campaign_instance_id": 1}
        for function, fields in (
            ("orchestrator", {"org_id": odd}),
            ("shard", run | task),
            ("shard", run | task | {"org_id": odd, "run_id": RUN}),
            ("merge", run),
            ("merge", run | {"org_id": odd, "run_id": RUN}),
            ("campaign_change", change | {"org_id": odd, "event_id": "e"}),
            ("campaign_change", change | {"org_id": "good", "event_id": odd}),
        ):
            cloud.send(TOPIC_OF[function], json.dumps(fields).encode())
            messages += 1
    cloud.run()
    new = set(cloud.names()) - set(before)
    assert len(new) == messages
    assert all(re.fullmatch(r"rejected/2027-03-01/[0-9]+\.json", name) for name in new)


@pytest.mark.parametrize("odd", sampled(ODD_IDS, 5))
def test_a_message_id_that_leads_elsewhere_is_a_plain_name_or_refused(
    cloud: Cloud, odd: str
) -> None:
    before = set(cloud.names())
    for reason in ("manual", "whim"):
        data = json.dumps({"org_id": "good", "reason": reason}).encode()
        cloud.send(TOPICS.run_requests, data, request_id=odd)
    cloud.run()
    for name in set(cloud.names()) - before:
        known = r"orgs/good/summary\.json|(orgs/good/(runs|versions)|rejected)/[A-Za-z0-9./~_-]+"
        assert re.fullmatch(known, name)
        assert not {".", "..", ""} & set(name.split("/"))
    assert len(cloud.rejections()) >= 1


@pytest.mark.parametrize(
    "message",
    [
        {"messageId": "\ud800"},
        {"messageId": "1", "attributes": {"request_id": "\udfff"}},
        {"messageId": "1", "data": "\ud800"},
        {"messageId": "1", "publishTime": "\ud800"},
        {"messageId": "1", "data": "e30=", "attributes": {"\ud800": "\ud800"}},
        {"messageId": ["1"]},
        {"messageId": "1", "data": {"a": 1}},
        {"messageId": "1", "publishTime": "9999-12-31T23:59:59-23:59"},
        {"messageId": "1", "attributes": {"requested_at": "0001-01-01T00:00:00+23:59"}},
    ],
)
def test_an_envelope_of_half_characters_is_refused_or_dealt_with(
    cloud: Cloud, message: dict[str, Any]
) -> None:
    usual = Delivery(TOPICS.run_requests, "1", NOW, b'{"org_id": "../x"}')
    event = event_of(usual)
    event.data = {"message": {**event.data["message"], **message}}
    try:
        delivery = delivery_of(event, TOPICS.run_requests)
    except RequestError as error:
        reason = str(error).encode()
    else:
        cloud.bus.publish(TOPICS.run_requests, [delivery.data], delivery.attributes)
        cloud.run()
        refused = [each["reason"].encode() for each in cloud.rejections()]
        reason = refused[0] if refused else cloud.result("good", RUN).state.encode()
    assert len(reason) < 500


@pytest.mark.parametrize("odd", sampled(ODD_IDS, 8))
def test_an_id_that_leads_elsewhere_is_refused_by_the_command_line(folder: Path, odd: str) -> None:
    tmp_path = folder / "in" / "side"
    tmp_path.mkdir(parents=True)
    database = agency(tmp_path / "agency.sqlite3").path
    out = tmp_path / "out.sqlite3"
    store = tmp_path / "store"
    there = {path for path in folder.rglob("*") if tmp_path not in path.parents}
    options = ("--store", store)
    for command in (
        ("store", "init", *options, "--", odd),
        ("store", "push", *options, "--", odd, database),
        ("store", "pull", *options, "--out", out, "--", odd),
        ("store", "versions", *options, "--", odd),
        ("store", "rollback", *options, "--", odd, 1),
        ("store", "status", *options, "--", odd),
        ("request", "run", f"--org={odd}"),
        ("request", "change", f"--org={odd}", "--instance=1"),
        ("request", "change", "--org=206", "--instance=1", f"--event-id={odd}"),
    ):
        answer = almanac(*command)
        assert answer.code == 2, command
        assert answer.err.count("\n") <= 3
        assert not re.search(r"[\x00-\x08\x0b-\x1f\u202a-\u202e]", answer.err), command
    assert not store.exists()
    assert not out.exists()
    assert {p for p in folder.rglob("*") if tmp_path not in p.parents} == there


# A folder with links out of it


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder beside the store, with a file that is nobody's object."""
    folder = tmp_path / "outside"
    (folder / "versions").mkdir(parents=True)
    (folder / "current.json").write_text("a secret")
    return folder


def test_no_name_leads_over_a_link_out_of_the_folder(tmp_path: Path, outside: Path) -> None:
    root = tmp_path / "store"
    (root / "orgs/207").mkdir(parents=True)
    (root / "orgs/206").symlink_to(outside)
    (root / "orgs/207/current.json").symlink_to(outside / "current.json")
    store = FolderStore(root)
    store.write("orgs/208/current.json", b"{}", 0)
    for name in ("orgs/206/current.json", "orgs/207/current.json", "orgs/206/new.json"):
        target = tmp_path / "fetched"
        for use in (
            store.read,
            store.stat,
            store.open_local,
            lambda name: store.write(name, b"x", None),
            lambda name: store.put_file(name, outside / "current.json"),
            lambda name, target=target: store.fetch_file(name, target),
            lambda name: store.read_range(name, 1, 0, 1),
            lambda name: store.delete(name, None),
        ):
            with pytest.raises(RequestError, match="is a symbolic link"):
                use(name)
        assert not target.exists()
    assert [info.name for info in store.list("")] == ["orgs/208/current.json"]
    assert store.subfolders("orgs/") == ["208"]
    assert sorted(path.name for path in outside.iterdir()) == ["current.json", "versions"]
    assert (outside / "current.json").read_text() == "a secret"


def test_an_organization_behind_a_link_is_refused_by_name(tmp_path: Path, outside: Path) -> None:
    root = tmp_path / "store"
    (root / "orgs").mkdir(parents=True)
    (root / "orgs/206").symlink_to(outside)
    database = agency(tmp_path / "agency.sqlite3").path
    for command in (("init", "206"), ("push", "206", database), ("status", "206")):
        answer = almanac("store", *command, "--store", root)
        assert answer.code == 2
        assert "is a symbolic link" in answer.err
    assert almanac("store", "status", "--store", root).code == 0
    assert len(list(outside.iterdir())) == 2


def test_the_folder_itself_may_be_named_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "store").symlink_to(tmp_path / "real")
    store = FolderStore(tmp_path / "store")
    store.write("orgs/206/a.json", b"x", 0)
    assert store.read("orgs/206/a.json").data == b"x"
    assert [info.name for info in store.list("")] == ["orgs/206/a.json"]


# Five gigabytes of nothing


def inflated(path: Path, *, lies: bool) -> Path:
    """A small agency in a file of five gigabytes, nearly all of it a hole.

    lies: its header says that all of it are pages of the database.
    """
    agency(path)
    with path.open("r+b") as file:
        if lies:
            file.seek(28)
            file.write(struct.pack(">I", 5 * GIGABYTE // 4096))
        file.truncate(5 * GIGABYTE)
    assert path.stat().st_blocks * 512 < 1 << 20
    return path


def read_so_far() -> int:
    """Bytes that this process has asked the system for."""
    return int(re.search(r"rchar: (\d+)", Path("/proc/self/io").read_text())[1])  # type: ignore[index]


def test_a_hole_that_the_header_calls_pages_is_refused_unread(folder: Path) -> None:
    path = inflated(folder / "large.sqlite3", lies=True)
    store = FolderStore(folder / "store")
    before = read_so_far()
    with pytest.raises(
        DatabaseError, match=r"large.sqlite3: the database is damaged: .*never used"
    ):
        push(store, ORG, path, expect=None, now=NOW, progress=quiet)
    assert not check_file(path, Config()).usable
    answer = almanac("run", path)
    assert answer.code == 2
    assert "the database is damaged" in answer.err
    assert read_so_far() - before < 64 << 20
    assert current(store, ORG) is None


def test_a_hole_behind_the_last_page_is_left_behind(folder: Path) -> None:
    path = inflated(folder / "large.sqlite3", lies=False)
    before = read_so_far()
    done = push(FolderStore(folder / "store"), ORG, path, expect=None, now=NOW, progress=quiet)
    assert done.size < 1 << 20
    assert read_so_far() - before < 64 << 20


@pytest.mark.parametrize("lies", [False, True])
def test_five_gigabytes_in_a_store_are_read_by_the_few_pages_that_matter(
    folder: Path, lies: bool
) -> None:
    path = inflated(folder / "large.sqlite3", lies=lies)
    with path.open("rb") as file:
        fetched: list[int] = []

        def fetch(start: int, length: int) -> bytes:
            fetched.append(length)
            return os.pread(file.fileno(), length, start)

        blocks = Blocks("large", path.stat().st_size, fetch)
        with Snapshot(ranged_source(path, blocks)) as snapshot:
            assert snapshot.contact_ids(ContactColumns()).tolist() == [1, 2, 3, 4, 5, 6]
            assert snapshot.read(range_tables.CONTACTS, ContactRange(1, 6)).num_rows == 6
            assert snapshot.read(range_tables.PLANNED, ContactRange(1, 6)).num_rows == 0
            assert snapshot.read(range_tables.COMMITTED, ContactRange(1, 6)).num_rows == 1
        assert sum(fetched) < CACHE_BYTES // 16


@pytest.mark.parametrize("pointer", [2, 5 * GIGABYTE // 4096, 2**32 - 1])
def test_a_page_that_points_anywhere_is_an_error_and_no_walk_without_end(
    folder: Path, pointer: int
) -> None:
    path = inflated(folder / "large.sqlite3", lies=True)
    made = agency(folder / "small.sqlite3")
    made.query(
        "INSERT INTO contacts (email, state) WITH RECURSIVE n (i) AS "
        "(SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) "
        "SELECT 'x@example.org', 'TX' FROM n"
    )
    ((root,),) = made.query("SELECT rootpage FROM sqlite_schema WHERE name = 'contacts'")
    content = bytearray(made.path.read_bytes())
    right = (root - 1) * 4096 + 8  # the interior page's last child
    content[right : right + 4] = struct.pack(">I", pointer)
    content[28:32] = struct.pack(">I", 5 * GIGABYTE // 4096)
    with path.open("r+b") as file:
        file.write(content)
    with path.open("rb") as file:
        blocks = Blocks("large", 5 * GIGABYTE, lambda at, n: os.pread(file.fileno(), n, at))
        with (
            Snapshot(ranged_source(path, blocks)) as snapshot,
            pytest.raises(DatabaseError, match=r"large.sqlite3: the database is damaged"),
        ):
            snapshot.read(range_tables.CONTACTS, ContactRange(1, 5000))
