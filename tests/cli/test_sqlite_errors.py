"""Whatever fails within SQLite, the user reads one sentence that names the file."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import apsw
import pytest

from tests.support.cli_calls import AS_OF, almanac, state_of
from tests.support.damage import build as build_plain
from tests.support.failing import failing_sqlite, sample
from tests.support.sampling import sampled
from tests.support.tiny import Agency

# quick tests let every so-manieth call fail, in each command from another one on
EVERY = 127

FILE, OLD, STORE, LINES, OUT = "@file", "@old", "@store", "@lines", "@out"
COMMANDS: dict[str, tuple[str, ...]] = {
    "run": ("run", FILE, "--as-of", "2026-12-01"),
    "dry run": ("run", FILE, "--as-of", "2026-12-01", "--dry-run", "--against", "@config"),
    "run with a page": ("run", FILE, "--contacts", "1", "--report", OUT, "--as-of", "2026-12-01"),
    "check": ("check", FILE),
    "report": ("report", FILE, "--out", OUT),
    "explain": ("explain", FILE, "--contact", "1", "--on", "2026-12-20"),
    "explain by address": ("explain", FILE, "--email", "user2@example.com"),
    "diff": ("diff", OLD, FILE),
    "campaign list": ("campaign", "list", FILE),
    "campaign show": ("campaign", "show", FILE, "3"),
    "campaign add": ("campaign", "add", FILE, "promo", "next"),
    "campaign add-type": ("campaign", "add-type", FILE, "letter"),
    "campaign set": ("campaign", "set", FILE, "3", "target_states=TX", "--replan"),
    "campaign set-type": ("campaign", "set-type", FILE, "promo", "priority=4"),
    "campaign import": ("campaign", "import", FILE, "3", LINES, "--rejects", OUT),
    "campaign targets list": ("campaign", "targets", "list", FILE, "3"),
    "campaign targets add": ("campaign", "targets", "add", FILE, "3", "--contacts", "2"),
    "contacts import": ("contacts", "import", FILE, "@contacts", "--rejects", OUT),
    "suppression list": ("suppression", "list", FILE),
    "suppression add": ("suppression", "add", FILE, "--email", "user2@example.com"),
    "suppression end": ("suppression", "end", FILE, "--email", "gone@example.com"),
    "suppression import": ("suppression", "import", FILE, LINES, "--rejects", OUT),
    "suppression export": ("suppression", "export", FILE, "--out", OUT),
    "due": ("due", FILE, "--on", "@day", "--out", OUT),
    "mark": ("mark", FILE, "@marks", "--rejects", OUT),
    "store push": ("store", "push", "1", FILE, "--store", STORE),
    "store pull": ("store", "pull", "7", "--out", OUT, "--store", STORE),
    "store versions": ("store", "versions", "7", "--store", STORE),
    "explain in a store": ("explain", "--org", "7", "--store", STORE, "--contact", "1"),
    "campaign set in a store": (
        *("campaign", "set", "3", "target_states=TX", "--direct"),
        *("--org", "7", "--store", STORE),
    ),
    "generate": ("generate", OUT, "--contacts", "5", "--as-of", "2026-12-01"),
}


class House:
    """A planned file, an older state of it, a store with it, and files for imports."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        tiny = Agency(folder / "agency.sqlite3")
        tiny.contact(1, birth_date="1950-12-20", effective_date="2020-01-05")
        tiny.contact(2, "CA", birth_date="1948-03-01")
        tiny.insert("suppressions", email="gone@example.com", reason="bounce", since="2026-01-01")
        tiny.campaign(3, active_start_date="2026-01-01")
        tiny.target(3, "2026-12-10")
        tiny.sent("birthday", "2026-11-10", contact_id=2)
        shutil.copy(tiny.path, folder / "old.sqlite3")
        tiny.plan(AS_OF)
        ((self.row, self.day),) = tiny.query(
            "SELECT id, scheduled_send_date FROM email_schedules WHERE status = 'pre-scheduled' "
            "ORDER BY 2 LIMIT 1"
        )
        (folder / "lines.csv").write_text("contact_id\n2\n")
        (folder / "contacts.csv").write_text("email,state\nuser2@example.com,NV\n")
        (folder / "marks.csv").write_text(f"id,status\n{self.row},sent\n")
        (folder / "config.yaml").write_text("horizon_days: 100\n")
        self.arguments = {
            FILE: folder / "agency.sqlite3",
            OLD: folder / "old.sqlite3",
            STORE: folder / "store",
            LINES: folder / "lines.csv",
            "@contacts": folder / "contacts.csv",
            "@marks": folder / "marks.csv",
            "@config": folder / "config.yaml",
            OUT: folder / "out.txt",
            "@day": self.day,
        }
        (folder / "store").mkdir()
        assert almanac("store", "push", "7", tiny.path, "--store", folder / "store").code == 0

    def call(self, command: str) -> tuple[object, ...]:
        """Return the words of a command with the files here."""
        return tuple(self.arguments.get(word, word) for word in COMMANDS[command])


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> House:
    return House(tmp_path_factory.mktemp("sqlite-errors") / "house")


def check_failures(
    template: House, command: str, every: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Let calls of the command fail, one at a time."""
    copy = template.folder.parent / f"copy {command}"
    shutil.copytree(template.folder, copy)
    here = {word: _moved(value, template.folder, copy) for word, value in _places(template)}
    words = tuple(here.get(word, word) for word in COMMANDS[command])
    with failing_sqlite(monkeypatch, None) as calls:
        answer = almanac(*words)
    assert (answer.code, answer.err.count("Error")) == (0, 0), answer.err
    if calls.made == 0:
        return  # the command reads no database
    first = random.Random(command).randrange(1, min(every, calls.made) + 1)
    for number in sample(calls.made, every, first):
        shutil.rmtree(copy)
        shutil.copytree(template.folder, copy)
        before = state_of(copy)
        with failing_sqlite(monkeypatch, number) as failing:
            answer = almanac(*words)
        where = f"{command}: call {number}, {failing.raised!r}: {answer.err}"
        if failing.raised is None:
            continue  # what is read first is cached, or its order is another
        lines = answer.err.splitlines()
        if answer.code == 0 and _goes_on(command, failing.raised):
            continue
        assert answer.code in (1, 2), where
        if command == "check" and any(
            word in answer.out for word in ("A run would fail", "Damage")
        ):
            assert state_of(copy) == before, where
            continue  # the trial, or the count of contacts, has met it: it is a finding
        assert len(lines) == 1, where
        assert lines[0].startswith("Error: "), where
        assert str(copy) in lines[0] or "organization" in lines[0], where
        assert state_of(copy) == before or "the run is done, but" in lines[0], where
    shutil.rmtree(copy)


def _goes_on(command: str, raised: Exception) -> bool:
    """Return whether a command may end well: it waits for a lock, looks for an example, or plans a
    copy of the file since the file cannot be read."""
    waits = command in ("due", "mark") and isinstance(raised, apsw.BusyError)
    return waits or command in ("run", "run with a page", "campaign set")


def _places(house: House) -> list[tuple[str, object]]:
    return list(house.arguments.items())


def _moved(value: object, source: Path, target: Path) -> object:
    return target / value.relative_to(source) if isinstance(value, Path) else value


@pytest.mark.parametrize("command", sampled(COMMANDS, 6))
def test_an_error_of_sqlite_at_any_call_is_one_sentence(
    template: House, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_failures(template, command, EVERY, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_an_error_of_sqlite_at_each_call_is_one_sentence(
    template: House, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_failures(template, command, 1, monkeypatch)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("command", ["run", "check"])
def test_damaged_pages_are_no_traceback(tmp_path: Path, command: str, seed: int) -> None:
    path = build_plain(tmp_path / "agency.sqlite3", 3000)
    content = bytearray(path.read_bytes())
    content[2 * 1024 : 5 * 1024] = random.Random(seed).randbytes(3 * 1024)  # pages 3 to 5
    path.write_bytes(content)
    before = state_of(tmp_path)
    answer = almanac(command, path)
    assert answer.code == 2
    assert "Traceback" not in answer.err
    said = " ".join((answer.out + answer.err).split())
    assert "damaged" in said or "Damage" in said
    assert state_of(tmp_path) == before


@pytest.mark.parametrize("command", ["run", "check"])
def test_an_index_with_the_collation_of_another_program_is_named(
    tmp_path: Path, command: str
) -> None:
    path = build_plain(tmp_path / "agency.sqlite3", 300)
    connection = apsw.Connection(str(path))
    connection.create_collation("AGENCY", lambda a, b: (a > b) - (a < b))
    connection.execute("CREATE INDEX by_status ON contacts (status COLLATE AGENCY)")
    connection.close()
    before = state_of(tmp_path)
    answer = almanac(command, path)
    assert answer.code == 2
    assert answer.err.startswith("Error: ")
    assert len(answer.err.splitlines()) == 1
    assert str(path) in answer.err
    assert "collation AGENCY" in answer.err
    assert state_of(tmp_path) == before
