"""Files as other programs write them: every import reads them alike, and loses only bad lines."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from almanac.campaigns.target_file import COLUMNS as TARGET_COLUMNS
from almanac.campaigns.target_file import TargetFile
from almanac.csv_input import source, text
from almanac.csv_input.header import SYNONYMS, ImportColumns, plain
from almanac.csv_input.reader import MAX_ROWS, CsvFile, at_most
from almanac.csv_input.source import MAX_BYTES, InputFile, input_file
from almanac.delivery.feedback_file import COLUMNS as MARK_COLUMNS
from almanac.delivery.feedback_file import read_marks
from almanac.delivery.suppression_file import COLUMNS_READ as SUPPRESSION_COLUMNS
from almanac.delivery.suppression_file import read_suppressions
from almanac.errors import InputError

Pair = tuple[str, str]
Outcome = tuple[list[Pair], list[tuple[int, str]]]  # accepted rows; line and why of the others


@dataclass(frozen=True)
class Import:
    """An import by two of its columns: other names, two rows, and how to read a file."""

    name: str
    columns: Pair
    renamed: Pair
    rows: tuple[Pair, Pair]
    read: Callable[[InputFile, Sequence[str]], Outcome]

    def text(self, template: str) -> str:
        """A file: $k and $o are its columns, or $m and $n; $a, $p and $b, $q are its rows."""
        (a, p), (b, q) = self.rows
        words = dict(zip("komnapbq", (*self.columns, *self.renamed, a, p, b, q), strict=True))
        return Template(template).substitute(words)


def targets(file: InputFile, pairs: Sequence[str]) -> Outcome:
    with file.path.open("rb") as stream:
        source = TargetFile(stream, file.name, pairs)
        batches = list(source.batches())
    found = [
        (contact.strip(), day.strip())
        for batch in batches
        for contact, day in zip(source.contacts(batch), source.triggers(batch), strict=True)
    ]
    return found, [(line, problem.why) for batch in batches for line, _, problem in batch.bad]


def suppressions(file: InputFile, pairs: Sequence[str]) -> Outcome:
    parsed = read_suppressions(file, pairs, ())
    found = [(row.email, row.reason) for row in parsed.rows]
    return found, [(line, why) for line, why, _ in parsed.rejects.rows]


def marks(file: InputFile, pairs: Sequence[str]) -> Outcome:
    parsed = read_marks(file, pairs, ZoneInfo("America/Chicago"), dt.datetime.now(dt.UTC))
    found = [(str(mark.row_id), mark.status) for mark in parsed.marks]
    return found, [(refused.line, refused.why) for refused in parsed.refused]


ADDRESSES = ("ann@example.com", "bob@example.com")
DAYS = ("2027-04-01", "2027-04-02")
IMPORTS = [
    Import(
        "targets",
        ("email", "trigger_date"),
        ("E-Mail Address", "Trigger Date"),
        ((ADDRESSES[0], DAYS[0]), (ADDRESSES[1], DAYS[1])),
        targets,
    ),
    Import(
        "suppressions",
        ("email", "reason"),
        ("EmailAddress", " REASON"),
        ((ADDRESSES[0], "bounce"), (ADDRESSES[1], "manual")),
        suppressions,
    ),
    Import(
        "marks", ("id", "status"), ("I D", "Status "), (("11", "sent"), ("12", "failed")), marks
    ),
]
every_import = pytest.mark.parametrize("which", IMPORTS, ids=lambda each: each.name)


def read(
    which: Import,
    folder: Path,
    template: str | bytes,
    pairs: Sequence[str] = (),
    codec: str = "utf-8",
) -> Outcome:
    """The outcome of an import of a file with this content."""
    path = folder / "file.csv"
    octets = template if isinstance(template, bytes) else which.text(template).encode(codec)
    path.write_bytes(octets)
    with input_file(path) as file:
        return which.read(file, pairs)


def error(which: Import, folder: Path, template: str | bytes, pairs: Sequence[str] = ()) -> str:
    """The message with which the whole file is refused."""
    with pytest.raises(InputError) as caught:
        read(which, folder, template, pairs)
    message = str(caught.value)
    assert "\n" not in message
    return message


# --- files that are read --------------------------------------------------------------------------


@every_import
@pytest.mark.parametrize(
    "template",
    [
        "$k,$o\n$a,$p\n$b,$q\n",
        "$k,$o\r\n$a,$p\r\n$b,$q",
        "$k,$o\r$a,$p\r$b,$q\r",
        "\n \n$k,$o\n\n$a,$p\n,\n\n$b,$q\n",
        "$o;$k\n$p;$a\n$q;$b\n",
        "$k\t$o\n$a\t$p\n$b\t$q\n",
        "$k|$o\n$a|$p\n$b|$q\n",
        "sep=;\n$k;$o\n$a;$p\n$b;$q\n",
        '"Sep=\t"\r\n$k\t$o\r\n$a\t$p\r\n$b\t$q\r\n',
        "sep=,,\n$k,$o\n$a,$p\n$b,$q\n",
        "$k,$o,\n$a,$p,\n$b,$q\n",
        "$k,$o\n$a,$p,\n$b,$q,, \n",
        '"$k","$o"\n"$a","$p"\n"$b","$q"\n',
        '$o,"a, b; c;",note,$k\n$p,"1, 2",x,$a\n$q,"two\nlines",,$b\n',
        "$k,$o,note,note\n$a,$p,1,2\n$b,$q\n",
        "$m,$n\n$a,$p\n$b,$q\n",
        "line,rejected_because,$k,$o\n2,why,$a,$p\n3,why,$b,$q\n",
        " $k , $o \n $a , $p \n $b , $q \n",
    ],
)
def test_a_file_is_read_however_it_is_written(which: Import, tmp_path: Path, template: str) -> None:
    assert read(which, tmp_path, template) == (list(which.rows), [])


@every_import
@pytest.mark.parametrize(
    "codec",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"],
)
def test_encodings_are_found(which: Import, tmp_path: Path, codec: str) -> None:
    template = (
        "$k;$o;name\n$a;$p;Zoë\n$b;$q;Łukasz\n"
        if codec != "cp1252"
        else "$k;$o;né\n$a;$p;ü\n$b;$q;ö\n"
    )
    assert read(which, tmp_path, template, codec=codec) == (list(which.rows), [])


@pytest.mark.parametrize("order", ["le", "be"])
def test_utf_16_with_a_byte_order_mark_is_read_in_either_order(tmp_path: Path, order: str) -> None:
    which = IMPORTS[0]
    octets = which.text("\ufeff$k,$o\n$a,$p\n$b,$q\n").encode(f"utf-16-{order}")
    assert read(which, tmp_path, octets) == (list(which.rows), [])


@every_import
def test_columns_can_be_mapped(which: Import, tmp_path: Path) -> None:
    key, other = which.columns
    template = "Recipient (=),$k,x\n$a,ignored,$p\n$b,ignored,$q\n"
    pairs = [f"recipient (=)={key}", f" X = {other}"]
    assert read(which, tmp_path, template, pairs) == (list(which.rows), [])


# --- lines that are not ---------------------------------------------------------------------------


@every_import
@pytest.mark.parametrize(
    ("template", "line", "why"),
    [
        (
            '$k,$o\n$a,$p\n$a,"$p\n$b,$q\n',
            3,
            "not CSV (unexpected end of data): is there a quote too many?",
        ),
        ('$k,$o\n$a,$p\n$a,"$p"x\n$b,$q\n', 3, "not CSV ("),
        ('$k,$o\n$a,$p\n"$a"$a,$p\n$b,$q\n', 3, "not CSV ("),
        (
            "$k,$o\n$a,$p\n$a,$p,x\n$b,$q\n",
            3,
            "3 cells where the header has 2: is there a separator",
        ),
        ("$k,$o\n$a,$p\n$b,$q\n$a", 4, "1 cells where the header has 2"),
        ("$k,$o\n$a,$p\n$a\0,$p\n$b,$q\n", 3, "a NUL character in '"),
        ('$k,$o,note\n$a,$p,"two\nlines"\n$a\n$b,$q,\n', 4, "1 cells where the header has 3"),
    ],
)
def test_a_bad_line_costs_that_line(
    which: Import, tmp_path: Path, template: str, line: int, why: str
) -> None:
    found, ((number, reason),) = read(which, tmp_path, template)
    assert found == list(which.rows)
    assert number == line
    assert reason.startswith(why)


@every_import
def test_a_line_that_is_not_in_the_files_encoding_costs_that_line(
    which: Import, tmp_path: Path
) -> None:
    good = which.text("$k,$o,name\n$a,$p,Zoë\n").encode()
    bad = which.text("$a,$p").encode() + b"\xff,\n"
    rest = which.text("$b,$q,").encode() + b"\xff\n"  # in a column that is not read
    found = read(which, tmp_path, good + bad + rest)
    assert found == (list(which.rows), [(3, "text that is not UTF-8; save the file in UTF-8")])
    wide = which.text("$k,$o\n$a,$p\n$b,$q\n$a,$p").encode("utf-16") + b"\x00\xd8"
    assert read(which, tmp_path, wide) == (
        list(which.rows),
        [(4, "text that is not UTF-16; save the file in UTF-8")],
    )


@every_import
@pytest.mark.parametrize("lines", [10, 60_000])
def test_a_quote_that_is_never_closed_costs_that_line(
    which: Import, tmp_path: Path, lines: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text, "_CHUNK", 1 << 12)
    found, rejects = read(which, tmp_path, '$k,$o\n$a,$p\n$a,"$p\n' + ",\n" * lines + "$b,$q\n")
    assert found == list(which.rows)
    assert [line for line, _ in rejects] == [3]


@every_import
def test_a_line_without_end_costs_that_line(
    which: Import, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text, "_CHUNK", 1 << 16)
    for long in ("x" * 400_000, "x," * 200_000, f'$a,"$p\n{"x" * 400_000}'):
        found, rejects = read(which, tmp_path, f"$k,$o\n$a,$p\n{long}\n$b,$q\n")
        assert found == list(which.rows)
        assert {line for line, _ in rejects} <= {3, 4}
        assert any("longer than 131,072 characters" in why for _, why in rejects)


def test_lines_are_counted_over_all_line_ends_and_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    octets = b'id\r\n1\r2\n"3\r\n"\r\n\n4\r\n'
    for size in range(1, len(octets) + 1):
        monkeypatch.setattr(text, "_CHUNK", size)
        file = CsvFile(io.BytesIO(octets), "file", ImportColumns(("id",), required=("id",)))
        found = [(line, *file.pick(cells)) for line, cells, _ in file.rows()]
        assert found == [(2, "1"), (3, "2"), (4, "3"), (7, "4")]


@given(
    rows=st.lists(st.tuples(st.text(max_size=9), st.text('a,;"\r\n', max_size=9)), max_size=9),
    separator=st.sampled_from(",;\t|"),
    codec=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
    size=st.integers(1, 99),
)
def test_what_is_written_as_csv_is_read_as_it_was(
    rows: list[tuple[str, str]], separator: str, codec: str, size: int
) -> None:
    out = io.StringIO()
    csv.writer(out, delimiter=separator, quoting=csv.QUOTE_ALL).writerows([("id", "name"), *rows])
    try:
        octets = out.getvalue().encode(codec)
    except UnicodeEncodeError:
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text, "_CHUNK", size)
        file = CsvFile(io.BytesIO(octets), "file", ImportColumns(("id", "name"), ("id", "name")))
        found = [tuple(cells) for _, cells, _ in file.rows()]
    assert found == [row for row in rows if "".join(row).strip()]


@given(st.binary(max_size=200), st.integers(1, 50))
def test_any_bytes_give_rows_or_one_error(octets: bytes, size: int) -> None:
    wanted = ImportColumns(("id", "name"), one_of=("id", "name"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text, "_CHUNK", size)
        for start in (b"id,name\n", b""):
            try:
                file = CsvFile(io.BytesIO(start + octets), "file", wanted)
            except InputError:
                assert not start
                continue
            rows = list(file.rows())
            assert [line for line, _, _ in rows] == sorted({line for line, _, _ in rows})
            assert all(problem or len(file.pick(cells)) == 2 for _, cells, problem in rows)


@given(st.lists(st.sampled_from(['"', '""', "a", ",", "\n", "x,y\n", '"a",b\n']), max_size=40))
def test_rows_are_in_the_order_of_their_lines(parts: list[str]) -> None:
    body = "".join(parts)
    file = CsvFile(io.BytesIO(f"id,x\n{body}".encode()), "f", ImportColumns(("id",), ("id",)))
    lines = body.split("\n")
    starts = [line - 2 for line, _, _ in file.rows()]
    assert starts == sorted(set(starts))
    assert all(lines[start].strip() for start in starts)


# --- files that are refused as a whole ------------------------------------------------------------


@every_import
@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (b"", "file.csv: empty; expected a header with "),
        (b"\xff\xfe", "empty; expected a header with "),
        (b"\n\n \n", "empty; expected a header with "),
        (b"sep=;\n", "empty; expected a header with "),
        (b"sep=#\na#b\n", "line 1: sep=#: expected a comma, a semicolon, a tab or a bar"),
        (b"\nfirst,second\n1,2\n", "line 2: expected a header with "),
        (b"x" * 200_000, "line 1: not a header (longer than 131,072 characters)"),
        (b"PK\x03\x04\x14", "a workbook or an archive; save the sheet as CSV"),
        (b"\xd0\xcf\x11\xe0\xa1", "a workbook; save the sheet as CSV"),
        (b"\x1f\x8b\x08", "compressed; unpack it first"),
        (b"%PDF-1.7", "a PDF document; expected CSV"),
        (b"SQLite format 3\x00", "an SQLite database; expected CSV"),
        (b"\x7fELF\x02\x01\x01\x00\x00\n", "line 1: not text; expected a CSV header with "),
    ],
)
def test_a_file_that_is_not_csv_is_refused_in_one_sentence(
    which: Import, tmp_path: Path, octets: bytes, why: str
) -> None:
    assert why in error(which, tmp_path, octets)


@every_import
@pytest.mark.parametrize(
    ("template", "pairs", "why"),
    [
        ("$k,$o\n", ["x=$k"], "--map: no column 'x'; found '$k, $o'"),
        ("x,$o\n", ["x=what"], "--map: 'what' is not a column of this import; expected one of "),
        ("x,$o\n", ["x"], "--map: 'x': expected THEIR_NAME=OUR_NAME"),
        ("x,$o\n", ["=$k"], "--map: '=$k': expected THEIR_NAME=OUR_NAME"),
        ("x,y\n", ["x=$k", "y=$k"], "--map: $k has two columns, 'x' and 'y'"),
        ("x,y\n", ["x=$k", "X=$o"], "--map: 'x' is mapped to two columns"),
        ("x,x,$o\n", ["x=$k"], "line 1: the column x appears more than once"),
        ("$k,$o,$k\n", [], "line 1: the column $k appears more than once"),
    ],
)
def test_columns_that_are_not_clear_are_refused(
    which: Import, tmp_path: Path, template: str, pairs: list[str], why: str
) -> None:
    message = error(which, tmp_path, template, [which.text(pair) for pair in pairs])
    assert which.text(why) in message


def test_of_two_columns_with_a_common_name_none_is_taken(tmp_path: Path) -> None:
    which = IMPORTS[1]
    message = error(which, tmp_path, "Email Address,Mail\na@b.c,d@e.org\n")
    assert "'email address' and 'mail' may both be email; --map THEIR_NAME=email" in message
    found, _ = read(which, tmp_path, "Email Address,Mail\na@b.c,d@e.org\n", ["Mail=email"])
    assert found == [("d@e.org", "")]
    found, _ = read(which, tmp_path, "Email Address,Email\na@b.c,d@e.org\n")
    assert found == [("d@e.org", "")], "our own name comes first"


def test_of_ids_and_addresses_of_targets_one_must_be_chosen(tmp_path: Path) -> None:
    which, header = IMPORTS[0], "contact id,email\n7,a@b.c\n"
    assert "has both contact_id and email" in error(which, tmp_path, header)
    assert read(which, tmp_path, header, ["contact id=contact_id"]) == ([("7", "")], [])
    assert read(which, tmp_path, header, ["email=email"]) == ([("a@b.c", "")], [])


def test_marks_need_an_id_and_a_status(tmp_path: Path) -> None:
    which = IMPORTS[2]
    assert "the header has no column status; found 'id, state'" in error(
        which, tmp_path, "id,state\n11,sent\n"
    )


def test_json_lines_are_read_like_csv(tmp_path: Path) -> None:
    which = IMPORTS[2]
    lines = '\n{"row": 11, "status": "sent"}\r\n{"id": 12, "status": "failed"}\n'
    for codec in ("utf-8-sig", "utf-16", "utf-16-le"):
        path = tmp_path / "marks.jsonl"
        path.write_bytes(lines.encode(codec))
        with input_file(path) as file:
            assert marks(file, ["row=id"]) == (list(which.rows), [])
    broken = '{"id": 11, "status": "sent", "detail": "ö"}\n'.encode() + b'{"id": \xff}\n'
    assert read(which, tmp_path, broken) == (
        [("11", "sent")],
        [(2, "text that is not UTF-8")],
    )
    long, good = '{"x": "' + "x" * 200_000 + "\n", '{"id": 11, "status": "sent"}\n'
    found = [("11", "sent")]
    for line, content in ((2, good + long), (1, long + good)):
        refused = [(line, "longer than 131,072 characters")]
        assert read(which, tmp_path, content.encode()) == (found, refused)


def test_too_large_a_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large.csv"
    with path.open("wb") as stream:
        stream.write(b"email\n")
        stream.truncate((2 << 30) + 1)  # without taking the space
    with pytest.raises(
        InputError, match=r"large.csv: more than 2,147,483,648 bytes; split the file"
    ):
        input_file(path).__enter__()
    monkeypatch.setattr(source, "MAX_BYTES", 5)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"email\nann@example.com\n")))
    with pytest.raises(InputError, match="standard input: more than 5 bytes; split the file"):
        input_file(Path("-")).__enter__()
    assert sys.stdin.read().startswith("ann@"), "no more is copied than it takes to know"
    with pytest.raises(InputError, match="file: more than 2 rows; split the file"):
        list(at_most([1, 2, 3], 2, "file"))
    assert list(at_most([1, 2], 2, "file")) == [1, 2]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path, why in ((tmp_path, "a folder"), (tmp_path / "no.csv", "no such file")):
        with pytest.raises(InputError, match=why):
            input_file(path).__enter__()


# --- docs/imports.md ------------------------------------------------------------------------------


def test_the_page_lists_every_column_name_and_bound() -> None:
    page = (Path(__file__).parents[2] / "docs" / "imports.md").read_text("utf-8")
    rows = [row.split("|")[1:-1] for row in page.splitlines() if row.startswith("| `")]
    read = {cells[0].strip(" `"): re.findall("`([a-z_]+)`", cells[1]) for cells in rows[:4]}
    del read["contacts import"]  # all that the table has
    assert {name: set(columns) for name, columns in read.items()} == {
        "campaign import": set(TARGET_COLUMNS.names),
        "suppression import": set(SUPPRESSION_COLUMNS.names),
        "mark": set(MARK_COLUMNS.names),
    }
    others: dict[str, set[str]] = {}
    for first, second in (cells for cells in rows[4:] if len(cells) == 2):
        columns = re.findall("`([a-z_]+)`", first)
        names = [plain(name) for name in second.split(",")]
        groups = [names] if len(columns) == 1 else [[name] for name in names]
        others |= {c: set(group) for c, group in zip(columns, groups, strict=True)}
    assert others == {column: set(names) for column, names in SYNONYMS.items()}
    for bound in (f"{text.MAX_RECORD:,} characters", f"{MAX_ROWS:,} rows", "2 GiB"):
        assert bound in page
    assert MAX_BYTES == 2 << 30
