"""`almanac suppression`: the list of those who get nothing, in a file and in a store."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from almanac.intake import inbox
from almanac.storage.folder import FolderStore
from almanac.storage.history import list_versions
from tests.support.cli_calls import AS_OF, Answer, agency, almanac, check_import
from tests.support.database_agencies import change, make
from tests.support.sampling import sampled
from tests.support.tiny import Agency

ORG = "206"
TAKEN = ("added", "ended", "unchanged")
FIELDS = (
    *("email", "contact_id", "reason", "source", "since", "until"),
    *("channel", "email_types", "phone"),
)


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = agency(tmp_path_factory.mktemp("planned") / "agency.sqlite3", 400)
    assert almanac("run", path, "--as-of", AS_OF).code == 0
    return path


@pytest.fixture
def path(planned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A planned agency in the current folder."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copy(planned, tmp_path / "agency.sqlite3"))


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """Two contacts, and no table of suppressions."""
    return make(tmp_path / "two.sqlite3")


def suppression(*arguments: object) -> Answer:
    return almanac("suppression", *arguments)


def answer(*arguments: object) -> dict[str, Any]:
    """What a command says in JSON, when it ends well."""
    given = suppression(*arguments, "--json")
    assert (given.code, given.err) == (0, "")
    found: dict[str, Any] = json.loads(given.out)
    return found


def rows(path: Path) -> list[tuple[Any, ...]]:
    there = {name for (name,) in change(path, "SELECT name FROM pragma_table_info('suppressions')")}
    columns = [name if name in there else "NULL" for name in FIELDS]
    return change(path, f"SELECT {', '.join(columns)} FROM suppressions ORDER BY rowid")


def loaded(path: Path, text: str | bytes, *options: object) -> dict[str, Any]:
    """Import a file with this content; what came of it."""
    file = path.parent / "list.csv"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    given = suppression("import", path, file, *options, "--json")
    found: dict[str, Any] = json.loads(given.out)
    check_import(given, sum(found[how] for how in TAKEN), found["rejected"])
    return found


def rejects(path: Path) -> list[str]:
    return (path.parent / "list.csv.rejects.csv").read_text("utf-8").splitlines()


# --- add, end, list -------------------------------------------------------------------------------


def test_adding_tells_how_many_planned_messages_the_next_run_skips(path: Path) -> None:
    ((contact, messages),) = change(
        path,
        "SELECT contact_id, count(*) FROM email_schedules WHERE status = 'pre-scheduled' "
        "GROUP BY contact_id ORDER BY 2 DESC LIMIT 1",
    )
    told = answer("add", path, "--contact", contact, "--reason", "unsubscribe", "--on", AS_OF)
    assert told["added"]
    assert told["effect"] == {"day": AS_OF, "contacts": 1, "messages": messages}
    almanac("run", path, "--as-of", AS_OF)
    sql = "SELECT count(*) FROM email_schedules WHERE skip_reason = 'Suppressed: unsubscribe'"
    assert change(path, f"{sql} AND contact_id = ?", contact) == [(messages,)]
    assert answer("list", path, "--on", AS_OF)["effect"]["messages"] == 0


def test_an_address_is_compared_without_blanks_and_case(empty: Path) -> None:
    suppression("add", empty, "--email", "  ANN@Example.com ")
    for who in (("--email", "ann@example.com"), ("--contact", 1)):
        assert answer("list", empty, *who)["suppressed"]
    assert not answer("list", empty, "--contact", 7)["suppressed"]


def test_what_is_in_force_already_is_not_added_again(empty: Path) -> None:
    for expected in (True, False):
        assert answer("add", empty, "--contact", 7, "--reason", "bounce")["added"] is expected
    assert answer("add", empty, "--contact", 7, "--reason", "complaint")["added"]
    assert [row[2] for row in rows(empty)] == ["bounce", "complaint"]


def test_one_without_a_reason_is_told_as_unspecified(empty: Path) -> None:
    told = suppression("add", empty, "--email", "a@x.org", "--reason", "", "--on", AS_OF)
    assert told.out.startswith(f"a@x.org: suppressed from {AS_OF} on, reason unspecified.\n")
    assert "\n1 suppression, 1 of them" in f"\n{suppression('list', empty, '--on', AS_OF).out}"


def test_ending_keeps_the_row_and_sets_the_day_before(empty: Path) -> None:
    suppression("add", empty, "--email", "ann@example.com", "--since", "2026-01-05")
    suppression("end", empty, "--email", "ANN@example.com", "--on", "2026-03-01")
    assert rows(empty) == [
        ("ann@example.com", None, "manual", "command line", "2026-01-05", "2026-02-28", *[None] * 3)
    ]
    states = [
        answer("list", empty, "--contact", 1, "--on", day)["suppressions"][0]["state"]
        for day in ("2026-01-04", "2026-01-05", "2026-02-28", "2026-03-01")
    ]
    assert states == ["to come", "in force", "in force", "ended"]


def test_ending_one_that_is_to_come_ends_it_before_it_begins(empty: Path) -> None:
    suppression("add", empty, "--contact", 7, "--since", "2026-06-01")
    suppression("end", empty, "--contact", 7, "--on", "2026-03-01")
    assert rows(empty)[0][4:6] == ("2026-06-01", "2026-05-31")
    for day in ("2026-05-31", "2026-06-01", "2026-06-02"):
        assert not answer("list", empty, "--contact", 7, "--on", day)["suppressed"]


def test_after_ending_by_id_what_holds_by_address_is_told(empty: Path) -> None:
    suppression("add", empty, "--contact", 1, "--reason", "bounce")
    suppression("add", empty, "--email", "ann@example.com", "--reason", "complaint")
    told = answer("end", empty, "--contact", 1)
    assert [row["reason"] for row in told["ended"]] == ["bounce"]
    assert [row["reason"] for row in told["still_in_force"]] == ["complaint"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    sampled(
        [
            (("add",), "no contact: neither an e-mail address nor the id of a contact nor a"),
            (("add", "--contact", 9), "contact 9: does not exist"),
            (("add", "--email", "ann"), "email: 'ann' is not an e-mail address"),
            (("add", "--email", "\udcff@b.c"), "email: '\\udcff@b.c' is not UTF-8"),
            (("add", "--contact", 7, "--reason", "a\0b"), "reason: text with a NUL character"),
            (("add", "--email", " "), "--email: expected an address, found nothing"),
            (("add", "--contact", 7, "--since", "06/01/2026"), "since: '06/01/2026' is not a date"),
            (
                ("add", "--contact", 7, "--since", "2026-06-01", "--until", "2026-05-01"),
                "until: 2026-05-01 is before its beginning, 2026-06-01",
            ),
            (("end", "--contact", 7), "contact 7: no suppression to end"),
            (("end", "--contact", 7, "--reason", "bounce"), "no suppression for bounce to end"),
            (("end", "--contact", 7, "--email", "a@b.c"), "expected one of them, found both"),
            (("list", "--contact", 7, "--email", "a@b.c"), "expected one of them, found both"),
            (("add", "--contact", 7, "--phone", "5550101234"), "expected no contact with it"),
            (("add", "--phone", "555"), "phone: '555' is not a phone number of 10 to 15 digits"),
            (("add", "--phone", "555 555 5555"), "is not a phone number"),
            (("add", "--contact", 7, "--channel", "post"), "channel: 'post': expected sms"),
            (
                ("add", "--contact", 7, "--types", "mothers_day"),
                "email_types: 'mothers_day' is not a",
            ),
            (("end",), "expected --email ADDRESS, --contact ID or --phone NUMBER"),
            (("list", "--on", "yesterday"), "--on: 'yesterday' is not a date"),
            (("export", "--json"), "--json: expected --out FILE with it"),
        ],
        6,
    ),
)
def test_a_mistake_is_named_and_changes_nothing(
    empty: Path, arguments: tuple[object, ...], words: str
) -> None:
    before = empty.read_bytes()
    given = suppression(arguments[0], empty, *arguments[1:])
    assert (given.code, given.out) == (2, "")
    assert words in given.err
    assert empty.read_bytes() == before


def test_counts_are_by_reason_source_and_state(empty: Path) -> None:
    loaded(
        empty,
        "email,reason,source,since,until\n"
        "a@x.org,bounce,mark,,\nb@x.org,bounce,mark,2026-01-01,\n"
        "c@x.org,bounce,mark,,2026-11-20\nd@x.org,,hand,2026-11-22,\n",
    )
    lines = answer("list", empty, "--on", AS_OF)["lines"]
    assert [tuple(line.values()) for line in lines] == [
        ("", "hand", "", "", "to come", 1),
        ("bounce", "mark", "", "", "ended", 1),
        ("bounce", "mark", "", "", "in force", 2),
    ]
    text = suppression("list", empty, "--on", AS_OF).out
    assert "4 suppressions, 2 of them in force on 2026-11-21" in text


def test_texts_that_steer_a_terminal_come_out_harmless(empty: Path) -> None:
    loaded(empty, 'email,reason\nann@example.com,"\x1b[31m[bold]evil[/]\x07"\n')
    for arguments in (("list", empty), ("list", empty, "--contact", 1)):
        text = suppression(*arguments).out
        assert "[bold]evil[/]" in text
        assert "\x1b" not in text
        assert "\x07" not in text


# --- import and export ----------------------------------------------------------------------------


def test_every_unusable_line_is_in_the_rejects_with_why(empty: Path) -> None:
    told = loaded(
        empty,
        "\n Email ,Contact_ID,since,until,name\n"
        "a@x.org,,2026-01-01,,Ann\n"
        ",,,,Nobody\n"
        "b at x.org,,,,Bob\n"
        "\n"
        "c@x.org,seven,,,Cid\n"
        "d@x.org,,01/02/2026,,Dan\n"
        "e@x.org,,2026-02-30,,Eve\n"
        "f@x.org,,2026-03-02,2026-02-28,Fay\n"
        'g@x.org,,,,Guy,"one, two"\n'
        ",12345,,,Hal\n",
    )
    assert (told["added"], told["rejected"], told["unknown_contacts"]) == (2, 7, 1)
    assert told["ignored_columns"] == ["name"]
    assert told["rejects"] == str(empty.parent / "list.csv.rejects.csv")
    assert rejects(empty) == [
        "line,rejected_because,email,contact_id,since,until,name",
        "4,no contact: neither an e-mail address nor the id of a contact nor a phone number"
        ",,,,,Nobody",
        "5,email: 'b at x.org' is not an e-mail address,b at x.org,,,,Bob",
        "7,contact_id: 'seven' is not the id of a contact,c@x.org,seven,,,Cid",
        "8,since: '01/02/2026' is not a date; expected YYYY-MM-DD,d@x.org,,01/02/2026,,Dan",
        "9,since: '2026-02-30' is not a date; expected YYYY-MM-DD,e@x.org,,2026-02-30,,Eve",
        '10,"until: 2026-02-28 is before its beginning, 2026-03-02",'
        "f@x.org,,2026-03-02,2026-02-28,Fay",
        "11,6 cells where the header has 5: is there a separator in one of them?,"
        'g@x.org,,,,Guy,"one, two"',
    ]
    assert [row[:2] for row in rows(empty)] == [("a@x.org", None), (None, 12345)]


def test_mended_rejects_are_taken_and_the_others_are_there_already(empty: Path) -> None:
    loaded(empty, "email,since\na@x.org,2026-01-01\nb@x.org,1/1/2026\n")
    mended = "\n".join(rejects(empty)).replace(",1/1/2026", ",2026-01-01")
    told = loaded(empty, mended)
    assert (told["added"], told["ignored_columns"]) == (1, [])
    assert len(rows(empty)) == 2


@pytest.mark.parametrize("behind", [1, 5000])
def test_a_quotation_mark_that_is_never_closed_takes_no_other_line_with_it(
    empty: Path, behind: int
) -> None:
    others = "".join(f"c{n}@x.org,bounce\n" for n in range(behind))
    told = loaded(empty, f'email,reason\na@x.org,"two\nlines"\nb@x.org,"open\n{others}')
    assert (told["added"], told["rejected"]) == (1 + behind, 1)
    (reject,) = csv.DictReader(rejects(empty))
    assert reject["line"] == "4"
    assert reject["rejected_because"].startswith("not CSV (")
    assert (reject["email"], reject["reason"]) == ("b@x.org", '"open')
    assert rows(empty)[0][2] == "two\nlines"


@pytest.mark.parametrize(
    "octets",
    [
        "email;reason\r\nzoe@x.org;désabonné\r\n".encode("cp1252"),
        "\ufeffemail;reason\r\nzoe@x.org;désabonné\r\n".encode(),
        "email\treason\nzoe@x.org\tdésabonné".encode("utf-16"),
        "reason|email\rdésabonné|zoe@x.org\r".encode(),
    ],
)
def test_encodings_separators_and_line_ends_are_found_out(empty: Path, octets: bytes) -> None:
    assert loaded(empty, octets)["added"] == 1
    assert rows(empty) == [("zoe@x.org", None, "désabonné", *[None] * 6)]


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (b"", "empty; expected a header with email or contact_id or phone"),
        (b"name,address\nAnn,a@x.org\n", "expected a header with email or contact_id or phone; f"),
        (b"email,email\na,b\n", "the column email appears more than once"),
        (b"PK\x03\x04 and so on", "a workbook or an archive; save the sheet as CSV"),
    ],
)
def test_a_file_that_is_no_list_is_refused_as_a_whole(
    empty: Path, octets: bytes, words: str
) -> None:
    (empty.parent / "list.csv").write_bytes(octets)
    given = suppression("import", empty, empty.parent / "list.csv")
    assert given.code == 2
    assert words in given.err


def test_the_same_file_again_changes_nothing(empty: Path) -> None:
    text = "email,reason,since\na@x.org,bounce,2026-01-01\nA@X.org ,bounce,2026-01-01\n,,\n"
    assert [loaded(empty, text)["added"] for _ in range(2)] == [2, 0]
    before = empty.read_bytes()
    assert loaded(empty, text)["unchanged"] == 2
    assert empty.read_bytes() == before


def test_a_file_ends_what_had_no_end_and_begins_nothing_that_has_ended(empty: Path) -> None:
    still_there = "email,reason,since,until\na@x.org,bounce,2026-01-01,\n"
    ended = "email,reason,since,until\nA@x.org,bounce,2026-01-01,2026-05-31\n"
    loaded(empty, still_there)
    assert loaded(empty, ended)["ended"] == 1
    told = loaded(empty, still_there)
    assert (told["added"], told["ended"], told["unchanged"]) == (0, 0, 1)
    assert [row[5] for row in rows(empty)] == ["2026-05-31"]


@pytest.mark.parametrize("source", ["generated", "awkward"])
def test_what_is_exported_comes_back_as_it_was(path: Path, empty: Path, source: str) -> None:
    if source == "awkward":
        path = Path(shutil.copy(empty, empty.with_name("awkward.sqlite3")))
        loaded(
            path,
            "email,contact_id,reason,source,since,until\n"
            '"a@x.org",,"says ""no"",\nreally;|",ü,2026-01-01 09:00:00,\n'
            "a@x.org,,same,one,2026-01-01,\na@x.org,,same,two,2026-01-01,\n"
            "a@x.org,,same,one,2026-01-01,2026-02-01\nb@x.org,7,,,,2026-02-01T01:00:00Z\n"
            ",-3,,,2026-03-01,2026-02-28\n",
        )
        assert len(rows(path)) == 6
    out = empty.parent / "out.csv"
    assert answer("export", path, "--out", out)["rows"] == len(rows(path)) > 1
    told = answer("import", empty, out)
    assert (told["added"], told["rejected"]) == (len(rows(path)), 0)
    assert [tuple(x or None for x in row) for row in rows(path)] == rows(empty)
    for database in (path, empty):
        told = answer("import", database, out)
        assert (told["added"], told["ended"]) == (0, 0)
    assert suppression("export", empty).out == out.read_text("utf-8")


def test_where_the_rejects_cannot_be_written_nothing_is_imported(empty: Path) -> None:
    (empty.parent / "list.csv").write_text("email\na@x.org\nnobody\n")
    before = empty.read_bytes()
    given = suppression(
        "import", empty, empty.parent / "list.csv", "--rejects", empty.parent / "no" / "such.csv"
    )
    assert given.code == 2
    assert "there is no folder to put it in" in given.err
    (empty.parent / "list.csv.rejects.csv").mkdir()
    given = suppression("import", empty, empty.parent / "list.csv")
    assert given.code == 1
    assert "list.csv.rejects.csv: cannot be written" in given.err
    assert empty.read_bytes() == before


def test_an_export_goes_to_standard_output_or_into_a_file_that_can_be(empty: Path) -> None:
    loaded(empty, "email\na@x.org\n")
    given = suppression("export", empty, "--out", "-")
    assert given.out == suppression("export", empty).out == f"{','.join(FIELDS)}\na@x.org,,,,,,,,\n"
    given = suppression("export", empty, "--out", empty.parent / "no" / "such.csv")
    assert given.code == 2
    assert "there is no folder to put it in" in given.err


def test_a_table_of_the_users_own_is_completed_and_otherwise_left_alone(empty: Path) -> None:
    change(
        empty,
        "CREATE TABLE suppressions (nr INTEGER PRIMARY KEY, EMAIL TEXT, note TEXT NOT NULL "
        "DEFAULT 'none', until TEXT)",
    )
    change(empty, "INSERT INTO suppressions (email, note) VALUES ('old@x.org', 'by phone')")
    loaded(empty, "email,reason\nOLD@x.org,\nnew@x.org,bounce\n")
    assert change(empty, "SELECT nr, email, note, reason, until FROM suppressions") == [
        (1, "old@x.org", "by phone", None, None),
        (2, "new@x.org", "none", "bounce", None),
    ]


def test_a_view_in_its_place_is_named(empty: Path) -> None:
    change(empty, "CREATE VIEW suppressions AS SELECT 'ann@example.com' AS email")
    assert answer("list", empty, "--contact", 1)["suppressed"]
    given = suppression("add", empty, "--contact", 7)
    assert given.code == 2
    assert "suppressions is a view here; Almanac needs a table" in given.err


# --- addresses ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "written",
    sampled(
        [
            "\u200bann@example.com",
            "ann\u200b@example.com",
            "\ufeffann@example.com",
            "mailto:ann@example.com",
            "MAILTO:ann@example.com?subject=stop",
            "<ann@example.com>",
            "Ann Lee <ann@example.com>",
            "'ann@example.com'",
            "\u201cann@example.com\u201d",
            '"<mailto:ann@example.com>"',
            "ann@example.com.",
            " ann@example.com ;",
            "\u00a0ann@example.com\u2060",
        ],
        4,
    ),
)
def test_an_address_that_no_contact_can_have_is_cleaned_where_it_is_clear(
    empty: Path, written: str
) -> None:
    quoted = written.replace('"', '""')
    assert loaded(empty, f'email,reason\n"{quoted}",bounce\n')["added"] == 1
    assert rows(empty)[0][0] == "ann@example.com"
    assert answer("list", empty, "--contact", 1)["suppressed"]
    again = answer("add", empty, "--email", written, "--reason", "bounce")
    assert (again["added"], again["suppression"]["email"]) == (False, "ann@example.com")


@pytest.mark.parametrize(
    "written",
    [
        *("ann", "ann@example", "ann@@example.com", "a n n@example.com", "ann..lee@example.com"),
        *("zoë@example.com", "ann@example.com, bob@example.com", "ann@-example.com", "@x.org"),
        *("ann@example.c0m", f"{'a' * 250}@example.com", "ann at example.com", "mailto:", "<>"),
    ],
)
def test_what_is_no_address_is_rejected_as_for_contacts(empty: Path, written: str) -> None:
    told = loaded(empty, f'email\n"{written}"\n')
    assert (told["added"], told["rejected"]) == (0, 1)
    assert "is not an e-mail address" in rejects(empty)[1]


@pytest.mark.parametrize(
    "written", ["o'brien@example.com", "'tis@example.com", "a+b@xn--bcher-kva.example", "{x}@x.org"]
)
def test_an_address_that_a_contact_can_have_stays_as_it_is(empty: Path, written: str) -> None:
    loaded(empty, f'email\n"{written}"\n')
    assert rows(empty)[0][0] == written


def test_a_since_that_cannot_be_read_is_rejected_and_open_in_the_table(empty: Path) -> None:
    told = loaded(empty, "email,since\nann@example.com,06/01/2030\n")
    assert (told["added"], told["rejected"]) == (0, 1)
    sql = "INSERT INTO suppressions (email, since) VALUES ('ann@example.com', '06/01/2030')"
    change(empty, sql)
    assert answer("list", empty, "--contact", 1, "--on", AS_OF)["suppressed"]


def test_a_suppression_by_id_says_how_many_others_have_the_address_and_are_mailed(
    empty: Path,
) -> None:
    for contact, email in ((20, " ANN@example.com"), (21, "Ann@example.com ")):
        change(empty, "INSERT INTO contacts (id, email) VALUES (?, ?)", contact, email)
    assert answer("add", empty, "--contact", 1)["same_address"] == 2
    text = suppression("list", empty, "--contact", 1).out
    assert "2 other contacts have the same address, and still get messages" in text
    told = loaded(empty, "contact_id\n20\n")
    assert told["same_address"] == 1
    assert answer("add", empty, "--email", "ann@example.com")["same_address"] == 0
    assert answer("list", empty, "--contact", 1)["same_address"] == 0


# --- texts, types, numbers ------------------------------------------------------------------------


def test_a_suppression_can_be_of_texts_of_types_or_of_a_number(empty: Path) -> None:
    change(empty, "UPDATE contacts SET phone_number = '(555) 010-1234' WHERE id = 1")
    answer("add", empty, "--contact", 1, "--channel", "SMS")
    answer("add", empty, "--email", "ann@example.com", "--types", " Birthday,campaign_*")
    answer("add", empty, "--phone", "+1 555 010 1234")
    assert [row[6:] for row in rows(empty)] == [
        ("sms", None, None),
        (None, "birthday,campaign_*", None),
        ("sms", None, "+1 555 010 1234"),
    ]
    told = answer("list", empty, "--contact", 1)
    assert not told["suppressed"], "it still gets other messages by e-mail"
    assert [row["phone"] for row in told["suppressions"]] == [None, None, "+1 555 010 1234"]
    text = suppression("list", empty, "--contact", 1).out
    assert "contact 1 is suppressed for some messages only on" in text
    assert "only messages of birthday, campaign_*: ann@example.com" in " ".join(text.split())
    lines = answer("list", empty)["lines"]
    assert [(line["channel"], line["email_types"]) for line in lines] == [
        ("", "birthday,campaign_*"),
        ("sms", ""),
    ]
    assert answer("list", empty, "--phone", "555-010-1234")["suppressions"][0]["channel"] == "sms"
    assert not answer("add", empty, "--phone", "5550101234")["added"]
    assert len(answer("end", empty, "--phone", "5550101234")["ended"]) == 1
    assert answer("add", empty, "--email", "ann@example.com")["added"]
    assert answer("list", empty, "--contact", 1)["suppressed"]


def test_an_import_takes_channel_types_and_phone_and_an_export_gives_them(empty: Path) -> None:
    change(empty, "CREATE TABLE campaign_types (name TEXT)")
    change(empty, "INSERT INTO campaign_types VALUES ('Rate_Increase')")
    told = loaded(
        empty,
        "Email;Phone Number;Channel;Email Types;Reason\n"
        "a@x.org;;sms;;stop\n"
        ";555-010-1234;;;stop\n"
        'b@x.org;;;"AEP, followup_1_cold,campaign_rate_increase";\n'
        "c@x.org;;fax;;\n"
        "d@x.org;;email;;\n"
        "e@x.org;;;newsletter;\n"
        "f@x.org;;;campaign_other;\n"
        ";12345;;;\n",
    )
    assert (told["added"], told["rejected"]) == (3, 5)
    assert [row[6:] for row in rows(empty)] == [
        ("sms", None, None),
        ("sms", None, "555-010-1234"),
        (None, "aep,followup_1_cold,campaign_rate_increase", None),
    ]
    why = [reject["rejected_because"] for reject in csv.DictReader(rejects(empty))]
    assert why[0] == "channel: 'fax': expected sms, or nothing for every message"
    assert why[2].startswith("email_types: 'newsletter' is not a type of message; expected of aep,")
    assert why[4] == "phone: '12345' is not a phone number of 10 to 15 digits"
    again = loaded(empty, suppression("export", empty).out)
    assert (again["added"], again["unchanged"], again["rejected"]) == (0, 3, 0)


def test_a_row_with_address_and_number_stops_both(empty: Path) -> None:
    text = "email,phone\nann@example.com,555-010-1234\nbob@example.com,N/A\n"
    for added, unchanged in ((3, 0), (0, 3)):
        told = loaded(empty, text)
        assert (told["added"], told["unchanged"], told["rejected"]) == (added, unchanged, 0)
    assert [(row[0], row[8]) for row in rows(empty)] == [
        ("ann@example.com", None),
        (None, "555-010-1234"),
        ("bob@example.com", None),
    ]
    assert answer("list", empty, "--contact", 1)["suppressed"]


# --- in a store -----------------------------------------------------------------------------------


def test_in_a_store_changes_wait_for_the_next_run(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALMANAC_STORE", str(path.parent / "store"))
    for arguments in (("init", ORG), ("push", ORG, path)):
        assert almanac("store", *arguments).code == 0
    store = FolderStore(path.parent / "store")
    (path.parent / "list.csv").write_text("email,reason\nada@example.com,x\nnobody,x\n")
    imported = answer("import", "list.csv", "--org", ORG)
    assert (imported["waiting"], imported["rejected"]) == (1, 1)
    added = answer(
        "add", "--org", ORG, "--contact", 5, "--since", "2026-11-23", "--types", "birthday"
    )
    assert (added["waiting"], added["suppression"]["contact_id"]) == (1, 5)
    assert suppression("add", "--org", ORG, "--contact", 999_999).code == 2
    assert answer("end", "--org", ORG, "--email", "b@x.org", "--on", "2026-11-23")["waiting"] == 1
    told = suppression("add", "--org", ORG, "--phone", "512 555 0123")
    assert "suppression waits in the inbox of organization 206" in told.out
    events = inbox.read(store, inbox.waiting(store, ORG))
    assert [event.event["entries"] for event in events][:3] == [
        [{"email": "ada@example.com", "reason": "x"}],
        [
            {
                "contact_id": 5,
                "reason": "manual",
                "source": "command line",
                "since": "2026-11-23",
                "email_types": "birthday",
            }
        ],
        [{"action": "end", "until": "2026-11-22", "email": "b@x.org"}],
    ]
    assert len(list(list_versions(store, ORG))) == 1
    listed = suppression("list", "--org", ORG)
    assert "4 objects wait in the inbox" in listed.err


def test_a_mistyped_address_is_no_success(path: Path) -> None:
    sql = "SELECT id, email FROM contacts WHERE id IN (SELECT contact_id FROM email_schedules "
    (contact, email), *_ = change(path, f"{sql} WHERE status = 'pre-scheduled') ORDER BY id")
    mistyped = email.replace(".", "", 1)
    told = " ".join(suppression("add", path, "--email", mistyped, "--on", AS_OF).out.split())
    assert "No contact has this address. The nearest: " in told
    assert f"{email} (contact {contact})" in told
    assert "It stops no planned message that was not stopped before." in told
    told = " ".join(suppression("add", path, "--email", email, "--on", AS_OF).out.split())
    assert "1 contact has this address. It stops " in told
    assert answer("add", path, "--phone", "+1 999 111 2222")["contacts"] == 0


def test_a_mistyped_phone_number_is_no_success(tmp_path: Path) -> None:
    tiny = Agency(tmp_path / "agency.sqlite3")
    tiny.contact(7, phone_number="(512) 555-0123")
    tiny.contact(8, phone_number="1-720-555-0199")
    for mistyped, nearest in (("512 555 0132", [7]), ("5125550113", [7]), ("720555099", [8])):
        near = answer("add", tiny.path, "--phone", f"{mistyped:0<10}")["near"]
        assert [each["contact"] for each in near] == nearest
    told = " ".join(suppression("add", tiny.path, "--phone", "512-555-0124").out.split())
    assert "No contact has this number. The nearest: 5125550123 (contact 7)." in told
    told = suppression("add", tiny.path, "--phone", "305-111-4444").out
    assert "No number of a contact is like it." in told
