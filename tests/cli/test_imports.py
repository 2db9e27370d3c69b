"""The imports from the command line: the same files, the same outcome."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli_calls import Answer, almanac, check_import
from tests.support.tiny import Agency

PROMO = 1
DAY = "2027-04-01"


@dataclass(frozen=True)
class Command:
    """An import: its words, its columns, two rows, and how many rows it has taken."""

    words: tuple[object, ...]  # in front of the database
    behind: tuple[object, ...]  # between the database and the file
    header: tuple[str, str]
    rows: tuple[tuple[str, str], tuple[str, str]]
    taken: Callable[[dict[str, Any]], int]
    rejected: Callable[[dict[str, Any]], int]


COMMANDS = {
    "targets": Command(
        ("campaign", "import"),
        (PROMO,),
        ("email", "trigger_date"),
        (("user1@example.com", DAY), ("user2@example.com", DAY)),
        lambda found: int(found["added"]),
        lambda found: sum(found["rejected"].values()),
    ),
    "contacts": Command(
        ("contacts", "import"),
        (),
        ("email", "state"),
        (("user1@example.com", "FL"), ("user2@example.com", "NV")),
        lambda found: int(found["changed"]),
        lambda found: int(found["rejected"]),
    ),
    "suppressions": Command(
        ("suppression", "import"),
        (),
        ("email", "reason"),
        (("user1@example.com", "bounce"), ("user2@example.com", "bounce")),
        lambda found: int(found["added"]),
        lambda found: int(found["rejected"]),
    ),
    "marks": Command(
        ("mark",),
        (),
        ("id", "status"),
        (("11", "sent"), ("12", "sent")),
        lambda found: int(found["changed"].get("sent", 0)),
        lambda found: len(found["refused"]),
    ),
}
every_import = pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    agency = Agency(tmp_path_factory.mktemp("agency") / "agency.sqlite3")
    for contact in (1, 2):
        agency.contact(contact)
        agency.sent("birthday", DAY, contact, id=10 + contact, status="processing")
    agency.campaign(PROMO, "promo")
    return agency.path


@pytest.fixture
def path(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(made, tmp_path / "agency.sqlite3"))


def call(command: Command, path: Path, octets: bytes, *options: object) -> Answer:
    file = path.with_name("file.csv")
    file.write_bytes(octets)
    return almanac(*command.words, path, *command.behind, file, *options)


def outcome(command: Command, path: Path, octets: bytes, *options: object) -> tuple[int, list[str]]:
    """How many rows are taken, and the lines of the reject report."""
    answer = call(command, path, octets, *options, "--json")
    found = json.loads(answer.out)
    check_import(answer, command.taken(found), command.rejected(found))
    report = path.with_name("file.csv.rejects.csv")
    lines = report.read_text("utf-8").splitlines() if report.exists() else []
    assert command.rejected(found) == max(0, len(lines) - 1)
    return command.taken(found), lines


def csv_text(command: Command) -> str:
    return "".join(f"{','.join(row)}\n" for row in (command.header, *command.rows))


@every_import
def test_a_spreadsheets_file_is_taken_whole(command: Command, path: Path) -> None:
    header = [name.replace("_", " ").title() for name in command.header]
    rows = [
        ";".join((*row, name)) for row, name in zip(command.rows, ("Zoë", "Łukasz"), strict=True)
    ]
    text = "\r\n".join(["sep=;", ";".join([*header, "Name"]), *rows])
    assert outcome(command, path, text.encode("utf-16")) == (2, [])


@every_import
def test_a_bad_line_is_reported_with_its_number_and_costs_no_other(
    command: Command, path: Path
) -> None:
    header, first, second = csv_text(command).splitlines()
    key, _ = command.rows[0]
    taken, report = outcome(command, path, f'{header}\n{first}\n{key},"open\n{second}\n'.encode())
    assert taken == 2
    assert report[0] == f"line,rejected_because,{header}"
    assert len(report) == 2
    assert report[1].startswith("3,not CSV (")


@every_import
def test_standard_input_is_a_file_too(
    command: Command, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(path.parent)
    stdin = io.TextIOWrapper(io.BytesIO(csv_text(command).encode("utf-16")))
    monkeypatch.setattr("sys.stdin", stdin)
    answer = almanac(*command.words, path, *command.behind, "-", "--json")
    assert (answer.code, command.taken(json.loads(answer.out))) == (0, 2)


@every_import
def test_columns_are_mapped(command: Command, path: Path) -> None:
    key, other = command.header
    text = csv_text(command).replace(f"{key},{other}\n", "Their key,x=y\n")
    refused = call(command, path, text.encode())
    assert (refused.code, refused.out) == (2, "")
    assert "found 'their key, x=y'; --map THEIR_NAME=OUR_NAME names a column" in refused.err
    options = ("--map", f"their KEY={key}", "--map", f"x=y={other}")
    assert outcome(command, path, text.encode(), *options) == (2, [])


@every_import
@pytest.mark.parametrize(
    ("octets", "options", "error"),
    [
        (b"PK\x03\x04rest", (), "file.csv: a workbook or an archive; save the sheet as CSV"),
        (b"", (), "file.csv: empty; expected a header with "),
        (b"\x00\x01\x02,\xff", (), "file.csv: line 1: not text; expected a CSV header with "),
        (b"a,b\n", ("--map", "a"), "--map: 'a': expected THEIR_NAME=OUR_NAME"),
        (b"a,b\n", ("--map", "a=name"), "--map: 'name' is not a column of this import"),
    ],
)
def test_what_is_not_csv_is_refused_and_nothing_changes(
    command: Command, path: Path, octets: bytes, options: tuple[object, ...], error: str
) -> None:
    before = path.read_bytes()
    answer = call(command, path, octets, *options)
    assert (answer.code, answer.out) == (2, "")
    assert error in answer.err
    assert answer.err.count("\n") <= 2
    assert path.read_bytes() == before
    assert {each.name for each in path.parent.iterdir()} == {"agency.sqlite3", "file.csv"}


@every_import
def test_a_reject_report_can_be_imported_after_correction(command: Command, path: Path) -> None:
    good = csv_text(command)
    wrong = good.replace(command.rows[1][0], "?").replace("\n", ",note\n")
    taken, report = outcome(command, path, wrong.encode())
    assert (taken, len(report)) == (1, 2)
    corrected = "\n".join(report).replace("?", command.rows[1][0], 2)
    file = path.with_name("file.csv")
    path.with_name("file.csv.rejects.csv").unlink()
    file.write_text(corrected)
    assert outcome(command, path, file.read_bytes()) == (1, [])


def test_targets_name_the_columns_that_are_not_read(path: Path) -> None:
    answer = call(COMMANDS["targets"], path, b"email,Name,City\nuser1@example.com,Ann,Rome\n")
    assert "columns that are not read: name, city" in answer.out


@every_import
def test_a_file_of_which_every_line_was_refused_does_not_end_with_0(
    command: Command, path: Path
) -> None:
    header = ",".join(command.header)
    answer = call(command, path, f"{header}\nnobody,nothing\n,\n nobody ,nothing\n".encode())
    assert answer.code == 1
    report = path.with_name("file.csv.rejects.csv")
    file = path.with_name("file.csv")
    assert answer.err == f"Error: {file}: all 2 rows are refused; see {report}\n"
    assert len(report.read_text().splitlines()) == 3
    one = call(command, path, f"{header}\nnobody,nothing\n".encode())
    assert (one.code, "its only row is refused" in one.err) == (1, True)


@every_import
def test_strict_makes_one_refused_line_a_failure(command: Command, path: Path) -> None:
    text = f"{csv_text(command)}nobody,nothing\n".encode()
    assert call(command, path, text).code == 0
    answer = call(command, path, text, "--strict")
    assert answer.code == 1
    assert "1 of 3 rows refused (--strict)" in answer.err
    assert call(command, path, csv_text(command).encode(), "--strict").code == 0


@every_import
def test_a_file_without_lines_and_one_taken_before_end_well(command: Command, path: Path) -> None:
    assert call(command, path, f"{','.join(command.header)}\n".encode()).code == 0
    for _ in range(2):
        assert call(command, path, csv_text(command).encode(), "--strict").code == 0
