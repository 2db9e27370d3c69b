"""`almanac campaign import`: good rows become targets, bad ones are told by line."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from almanac.campaigns import target_file as target_rows
from almanac.campaigns import target_validation as judging
from almanac.config import Config
from almanac.csv_input import reader
from almanac.database.schema import CONTACT_CAMPAIGNS
from almanac.intake import inbox
from almanac.messaging.messages import CampaignChange, parse
from almanac.runs.local import run_file
from almanac.runs.run_options import RunOptions
from almanac.storage.folder import FolderStore
from tests.support.campaign_calls import put, version
from tests.support.cli_calls import Answer, almanac, check_import, record_requests, state_of
from tests.support.clouds import query
from tests.support.database_agencies import change
from tests.support.sampling import sampled
from tests.support.tiny import Agency

PROMO, EVERYONE = 1, 2
DAY = "2027-04-01"
TODAY = dt.date(2027, 3, 1)
TARGETS = """SELECT contact_id, trigger_date FROM contact_campaigns
    WHERE campaign_instance_id = 1 AND contact_id < 90 ORDER BY 1, 2"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    agency = Agency(tmp_path_factory.mktemp("agency") / "agency.sqlite3")
    for n in range(1, 10):
        agency.contact(n, email=f" User{n}@Example.COM ")
    for n in (41, 42):
        agency.contact(n, email="twins@example.com")
    agency.contact(2**62, email="far@example.com")
    agency.contact(50, email=None)
    agency.campaign(PROMO, "promo", days_before_event=3)
    agency.campaign(EVERYONE, "all", target_all_contacts=1, active_end_date="2027-01-01")
    agency.target(PROMO, f"{DAY} 00:00:00", 9)
    agency.target(PROMO, None, 8)
    agency.target(EVERYONE, DAY, 1)
    return agency.path


@pytest.fixture
def path(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALMANAC_STORE", str(tmp_path / "store"))
    return Path(shutil.copy(made, tmp_path / "agency.sqlite3"))


def take(path: Path, text: str | bytes, *options: object) -> Answer:
    """Import a file with this text into the promo."""
    file = path.with_name("targets.csv")
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return almanac("campaign", "import", path, PROMO, file, *options, "--as-of", TODAY)


def told(path: Path, text: str | bytes, *options: object) -> dict[str, Any]:
    answer = take(path, text, *options, "--json")
    found: dict[str, Any] = json.loads(answer.out)
    taken, rejected = found["added"] + found["there_already"], sum(found["rejected"].values())
    assert found["read"] == taken + rejected
    check_import(answer, taken, rejected)
    return found


def rejects(path: Path) -> list[tuple[str, str]]:
    """Line and why of each reject."""
    with path.with_name("targets.csv.rejects.csv").open(newline="", errors="replace") as file:
        return [(row[0], row[1]) for row in csv.reader(file)][1:]


HERE = [(8, None), (9, f"{DAY} 00:00:00")]  # the promo's targets before


@pytest.mark.parametrize(
    "text",
    [
        f"contact_id,trigger_date\n1,{DAY}\n2,{DAY}\n",
        f"trigger_date;contact_id\n{DAY};1\n{DAY};2",
        f"Contact_ID\tTrigger_Date \r\n1\t{DAY}\r\n2\t{DAY}\r\n",
        f'\ufeff"email","trigger_date"\n"user1@example.com","{DAY}"\nUSER2@example.com ,{DAY}T09\n',
        f"email,trigger_date\n\n\nuser1@example.com, {DAY} \n,\nuser2@EXAMPLE.com,{DAY}\n\n",
    ],
)
def test_targets_come_by_id_or_address_however_the_file_is_written(path: Path, text: str) -> None:
    found = told(path, text)
    assert (found["read"], found["added"], found["rejected"]) == (2, 2, {})
    assert query(path, TARGETS) == [(1, DAY), (2, DAY), *HERE]
    row = "SELECT status, created_at IS NOT NULL FROM contact_campaigns WHERE contact_id = 2"
    assert query(path, row) == [("pending", 1)]
    assert not path.with_name("targets.csv.rejects.csv").exists()


def test_a_trigger_date_may_be_missing(path: Path) -> None:
    assert told(path, "contact_id\n1\n8\n")["there_already"] == 1
    assert told(path, f"contact_id,trigger_date\n2,\n2,{DAY}\n")["added"] == 2
    assert query(path, TARGETS) == [(1, None), (2, None), (2, DAY), *HERE]


def test_what_is_there_is_not_added_again(path: Path) -> None:
    text = f"contact_id,trigger_date\n1,{DAY}\n9,{DAY}\n"
    assert told(path, text)["added"] == 1
    before = path.read_bytes()
    found = told(path, text)
    assert (found["added"], found["there_already"]) == (0, 2)
    assert path.read_bytes() == before


def carried(path: Path) -> dict[int, Any]:
    sql = "SELECT contact_id, metadata FROM contact_campaigns WHERE metadata IS NOT NULL"
    return {contact: json.loads(text) for contact, text in query(path, sql)}


def test_further_columns_are_carried_if_they_are_named(path: Path) -> None:
    text = f"contact_id;trigger_date;New Premium;zip;name\n1;{DAY};112,40;00501;Zoë\n2;{DAY};;;Al\n"
    found = told(path, text, "--metadata", "newPremium", "--metadata", "zip")
    assert found["added"] == 2
    assert carried(path) == {1: {"newPremium": "112,40", "zip": "00501"}}
    (note,) = (note for note in found["notes"] if "not read" in note)
    assert note == "columns that are not read: name"


def test_what_a_target_carries_reaches_the_sender(path: Path) -> None:
    text = f"contact_id,trigger_date,new_premium\n1,{DAY},112.40\n"
    told(path, text, "--metadata", "new_premium")
    assert almanac("run", path, "--as-of", TODAY).code == 0
    sql = "SELECT scheduled_send_date FROM email_schedules WHERE contact_id = 1 AND "
    ((day,),) = query(path, f"{sql} campaign_instance_id = {PROMO} AND status = 'pre-scheduled'")
    messages = [json.loads(line) for line in almanac("due", path, "--on", day).out.splitlines()]
    (mine,) = (m for m in messages if (m["contact_id"], m["campaign_instance_id"]) == (1, PROMO))
    assert mine["metadata"] == {"target": {"new_premium": "112.40"}}


def test_a_target_that_is_there_gets_what_the_file_says_now(path: Path) -> None:
    text = f"email,trigger_date,premium,note\nuser1@example.com,{DAY},1,a\n"
    other = f"user2@example.com,{DAY},2,\nuser8@example.com,,8,\nuser9@example.com,{DAY}T10,9,\n"
    assert told(path, text)["added"] == 1
    sql = "UPDATE contact_campaigns SET metadata = ? WHERE contact_id = ?"
    for metadata, contact in ((' {"mine": 1}', 1), ("[by hand]", 9)):
        change(path, sql, metadata, contact)
    options = ("--metadata", "premium", "--metadata", "note")
    dry = told(path, text + other, *options, "--dry-run")
    assert (dry["added"], dry["there_already"]) == (1, 3)
    found = told(path, text + other, *options)
    assert (found["added"], found["there_already"], found["updated"]) == (1, 3, 2)
    sql = "SELECT contact_id, metadata FROM contact_campaigns WHERE campaign_instance_id = 1"
    rows = dict(query(path, f"{sql} AND contact_id < 90"))
    assert json.loads(rows[1]) == {"mine": 1, "premium": "1", "note": "a"}
    assert (json.loads(rows[2]), json.loads(rows[8])) == ({"premium": "2"}, {"premium": "8"})
    assert rows[9] == "[by hand]", "what is no JSON object stays as it is"
    before = path.read_bytes()
    assert told(path, text + other, *options)["updated"] == 0
    assert path.read_bytes() == before
    change(path, "UPDATE contact_campaigns SET status = 'sent' WHERE contact_id = 1")
    assert told(path, text.replace(",1,a", ",7,a"), *options)["updated"] == 0


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("premium", "--metadata: no column 'premium'; found 'contact_id, trigger_date, fee'"),
        ("Trigger Date", "--metadata: 'Trigger Date' is a column of the import itself"),
        (" ", "--metadata: no name; expected another column of the file"),
    ],
)
def test_a_further_column_that_is_none_is_named(path: Path, name: str, words: str) -> None:
    before = path.read_bytes()
    answer = take(path, f"contact_id,trigger_date,fee\n1,{DAY},3\n", "--metadata", name)
    assert (answer.code, answer.out) == (2, "")
    assert words in answer.err
    assert path.read_bytes() == before


def test_an_id_may_be_as_large_as_ids_can_be(path: Path) -> None:
    found = told(path, f"contact_id\n{2**62}\n{2**63}\n-{2**70}\n{10**17}\n")
    assert (found["added"], found["rejected"]) == (1, {"not an id": 2, "unknown contact": 1})


BAD = {
    "contact_id,trigger_date\n": [
        (f"77,{DAY}", "no contact has the id '77'"),
        (f"1.5,{DAY}", "'1.5' is not a contact id, a whole number"),
        (f",{DAY}", "no contact: the cell is empty"),
        ("1,31.12.2027", "trigger_date: '31.12.2027' is not a date YYYY-MM-DD"),
        ("1,2027-02-29", "trigger_date: '2027-02-29' is not a date"),
        ("1,0001-01-01", "expected a year from 1900 to 9000"),
        (f"1,{DAY},x", "3 cells where the header has 2"),
        ("1", "1 cells where the header has 2"),
        (f"1\0,{DAY}", "a NUL character in '1\\x00'"),
        (f"1,{DAY}\0", "a NUL character in '2027-04-01\\x00'"),
    ],
    "email,trigger_date\n": [
        (f"nobody@example.com,{DAY}", "no contact has the address 'nobody@example.com'"),
        (f"TWINS@example.com,{DAY}", "is the address of 2 contacts, 41 and 42 among them"),
        (f"user1@example.com\0x,{DAY}", "a NUL character"),
        (f"1,{DAY}", "no contact has the address '1'"),
        (f"{'x' * 5000},{DAY}", "xxx'..."),
    ],
}


@pytest.mark.parametrize(
    ("header", "row", "why"), [(header, *each) for header, rows in BAD.items() for each in rows]
)
def test_a_bad_row_is_told_with_its_line_and_the_others_go_in(
    path: Path, header: str, row: str, why: str
) -> None:
    good = [f"{n if header.startswith('c') else f'user{n}@example.com'},{DAY}" for n in (1, 2)]
    found = told(path, header + "\n".join([good[0], '"a\nb",', row, good[1]]))
    assert found["added"] == 2
    (_, (line, reason)) = rejects(path)
    assert line == "5", "a row with a line end in it takes two lines"
    assert why in reason
    assert found["examples"][1] == [5, reason]
    assert query(path, TARGETS) == [(1, DAY), (2, DAY), *HERE]


def test_a_line_that_says_what_another_says_is_told(path: Path) -> None:
    found = told(path, f"contact_id,trigger_date\n1,{DAY}\n01,{DAY} 10:00\n9,{DAY}\n9,{DAY}\n")
    assert (found["added"], found["there_already"]) == (1, 2)
    assert rejects(path) == [("3", "the same target as line 2")]


def test_bytes_that_are_no_utf8_are_told_and_come_back_as_they_were(path: Path) -> None:
    found = told(path, "email,name\nuser1@example.com,José\n".encode() + b"Jos\xe9@example.com,\n")
    assert (found["added"], found["rejected"]) == (1, {"not UTF-8": 1})
    assert (
        path.with_name("targets.csv.rejects.csv").read_bytes().endswith(b"Jos\xe9@example.com,\n")
    )


def test_rejects_that_were_mended_can_be_given_again(path: Path) -> None:
    told(path, f"trigger_date;contact_id\n{DAY};77\n31.12.2027;1\n{DAY};2\n")
    file = path.with_name("targets.csv.rejects.csv")
    mended = file.read_text().replace("31.12.2027", DAY)
    found = told(path, mended)
    assert (found["read"], found["added"], found["rejected"]) == (2, 1, {"unknown contact": 1})
    assert file.read_text().splitlines()[0] == "line,rejected_because,trigger_date,contact_id"


def test_a_strict_import_with_a_bad_row_changes_nothing(path: Path) -> None:
    before = path.read_bytes()
    answer = take(path, f"contact_id,trigger_date\n1,{DAY}\n77,{DAY}\n", "--strict")
    assert answer.code == 1
    assert "1 of 2 rows refused (--strict)" in answer.err
    assert "nothing imported, for 1 bad row (--strict)" in answer.out
    assert path.read_bytes() == before
    assert len(rejects(path)) == 1


def test_a_dry_run_says_what_would_be_added(path: Path) -> None:
    before = path.read_bytes()
    found = told(path, f"contact_id,trigger_date\n1,{DAY}\n77,{DAY}\n", "--dry-run")
    assert (found["outcome"], found["added"], len(rejects(path))) == ("dry run", 1, 1)
    assert path.read_bytes() == before


def test_rejects_go_where_they_are_wanted(path: Path) -> None:
    assert told(path, "contact_id\n77\n", "--rejects", "bad.csv")["rejects_file"] == "bad.csv"
    assert Path("bad.csv").read_text().startswith("line,rejected_because,contact_id\n2,")
    assert "there is no folder" in take(path, "contact_id\n77\n", "--rejects", "no/bad.csv").err


def test_standard_input_is_a_file_too(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = io.TextIOWrapper(io.BytesIO(f"contact_id,trigger_date\n1,{DAY}\n77,\n".encode()))
    monkeypatch.setattr("sys.stdin", text)
    answer = almanac("campaign", "import", path, PROMO, "-", "--as-of", TODAY)
    assert answer.code == 0
    assert "rows in standard input" in answer.out
    assert Path("rejects.csv").exists()
    assert query(path, TARGETS) == [(1, DAY), *HERE]


@pytest.mark.parametrize(
    ("text", "error"),
    sampled(
        [
            (b"", "empty; expected a header with contact_id or email"),
            (b"\n\n", "empty; expected a header"),
            (b"1,2027-01-01\n", "found '1, 2027-01-01'"),
            (b"contact_id,email\n", "has both contact_id and email"),
            (b"contact_id,contact_id\n", "the column contact_id appears more than once"),
            (b"contact_id|email\n", "has both"),
            (b"PK\x03\x04....", "a workbook or an archive"),
            (b"\x1f\x8b....", "compressed"),
            (b"contact_id" * 20_000, "line 1: not a header"),
        ],
        3,
    ),
)
def test_a_file_without_targets_is_refused_as_a_whole(path: Path, text: bytes, error: str) -> None:
    before = path.read_bytes()
    answer = take(path, text)
    assert (answer.code, answer.out) == (2, "")
    assert error in answer.err
    assert "targets.csv" in answer.err
    assert path.read_bytes() == before
    names = set(state_of(path.parent))
    assert names == {"agency.sqlite3", "targets.csv"}, "nothing is left behind"


@pytest.mark.parametrize(
    ("words", "error"),
    sampled(
        [
            ([PROMO, "none.csv"], "none.csv: no such file"),
            ([PROMO, "."], ".: a folder"),
            ([77, "/dev/null"], "'77': no instance has this id or name"),
            ([PROMO], "FILE: is missing"),
            ([PROMO, "agency.sqlite3"], "an SQLite database; expected CSV"),
            ([PROMO, "a.csv", "b.csv"], "'b.csv': one argument too many"),
        ],
        2,
    ),
)
def test_a_mistake_in_the_arguments_is_named(path: Path, words: list[object], error: str) -> None:
    answer = almanac("campaign", "import", path, *words)
    assert (answer.code, answer.out) == (2, "")
    assert error in answer.err


def test_targets_that_play_no_part_are_noted(path: Path) -> None:
    file = Path("targets.csv")
    file.write_text("contact_id\n1\n")
    answer = almanac("campaign", "import", path, EVERYONE, file, "--as-of", TODAY)
    assert "its type targets all contacts" in answer.out
    assert "not active on 2027-03-01: ended 2027-01-01" in answer.out


def test_after_import_and_run_the_plan_has_the_messages_of_the_targets(path: Path) -> None:
    told(path, f"contact_id,trigger_date\n1,{DAY}\n2,{DAY}\n")
    run_file(path, Config(), RunOptions(as_of=TODAY, workers=1))
    sql = "SELECT contact_id FROM email_schedules WHERE email_type = 'campaign_promo' ORDER BY 1"
    assert query(path, sql) == [(1,), (2,), (9,)]
    found = told(path, f"contact_id,trigger_date\n3,{DAY}\n", "--replan")
    assert found["replanned"]["contacts"] == 5
    assert (3,) in query(path, sql)
    statuses = "SELECT contact_id FROM contact_campaigns WHERE status <> 'pending' ORDER BY 1"
    assert query(path, statuses) == [(1,), (2,), (3,), (9,)]


def test_batches_do_not_show(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target_rows, "BATCH_ROWS", 2)
    rows = [f"1,{DAY}", f"2,{DAY}", '"3\n",', f"1,{DAY}", "x", f"5,{DAY}", f"6,{DAY}", "77,"]
    found = told(path, "contact_id,trigger_date\n" + "\n".join(rows))
    assert (found["read"], found["added"]) == (8, 5)
    assert [line for line, _ in rejects(path)] == ["6", "7", "10"]


def test_an_old_table_without_a_unique_key_and_with_a_missing_column_will_do(path: Path) -> None:
    agency = Agency.__new__(Agency)
    agency.path = path
    agency.query("DROP TABLE contact_campaigns")
    agency.query(
        "CREATE TABLE contact_campaigns (id INTEGER PRIMARY KEY, contact_id INTEGER, "
        "campaign_instance_id INTEGER, trigger_date TEXT, note TEXT)"
    )
    agency.target(PROMO, DAY, 1, note="ours")
    found = told(path, f"contact_id,trigger_date\n1,{DAY}\n2,{DAY}\n2,{DAY}\n")
    assert (found["added"], found["there_already"]) == (1, 1)
    columns = {
        name for (name,) in query(path, "SELECT name FROM pragma_table_info('contact_campaigns')")
    }
    assert columns == {"note", *(column.name for column in CONTACT_CAMPAIGNS.columns)}


def test_in_a_store_targets_wait_for_the_next_run(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, bus = FolderStore(Path("store")), record_requests(monkeypatch)
    put(store, path)
    Path("targets.csv").write_text(f"contact_id,trigger_date,rate\n1,{DAY},9\n77,soon,\n")
    given = ("campaign", "import", "--org", "206", "1", "targets.csv", "--as-of", TODAY)
    for options, outcome in (("--dry-run",), "dry run"), (("--strict",), "refused"):
        answer = almanac(*given, *options, "--json")
        assert (json.loads(answer.out)["outcome"], answer.code) == (outcome, outcome == "refused")
    assert inbox.waiting(store, "206") == []
    found = json.loads(almanac(*given, "--metadata", "rate", "--replan", "--json").out)
    assert (found["outcome"], found["waiting"], found["read"]) == ("waiting", 1, 2)
    assert "trigger_date" in found["examples"][0][1]
    (event,) = inbox.read(store, inbox.waiting(store, "206"))
    assert event.event["entries"] == [
        {
            "campaign_instance_id": PROMO,
            "contact_id": "1",
            "trigger_date": DAY,
            "metadata": {"rate": "9"},
        }
    ]
    assert version(store) == 1
    ((_, data, _),) = bus.published
    message = parse(CampaignChange, data)
    assert (message.campaign_instance_id, dict(message.changes)) == (PROMO, {})
    assert "1 target waits in the inbox" in almanac(*given).out


def test_the_page_lists_every_reason() -> None:
    page = (Path(__file__).parents[2] / "docs" / "campaigns.md").read_text("utf-8")
    reasons = [value for name, value in vars(judging).items() if name.isupper()]
    reasons += [reader.NOT_CSV, reader.WRONG_CELLS, reader.NUL]
    assert [each for each in reasons if isinstance(each, str) and each not in page] == []


@given(st.binary(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_file_makes_it_stumble(path: Path, octets: bytes) -> None:
    answer = take(path, b"email,trigger_date\n" + octets, "--dry-run", "--json")
    if answer.out:
        found = json.loads(answer.out)
        check_import(answer, found["there_already"], sum(found["rejected"].values()))
        assert found["read"] == found["there_already"] + sum(found["rejected"].values())
    else:
        assert answer.err.startswith("Error: ")
