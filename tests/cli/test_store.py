"""`almanac store`: organizations of a store in a folder."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path

import pytest

from almanac.errors import Corrupt, Superseded
from almanac.organizations import transfer as exchange
from almanac.runs.results import result_of
from almanac.runs.rollback import VersionRow, versions
from almanac.status.model import OrganizationStatus, StoreStatus
from almanac.storage import layout
from almanac.storage.folder import FolderStore
from almanac.storage.lease import acquire
from almanac.storage.memory import MemoryStore
from almanac.storage.publish import NewVersion, publish
from almanac.storage.versions import Current, current, manifest_of
from tests.support.cli_calls import agency, almanac, state_of
from tests.support.database_agencies import OtherProgram, beside, change, make
from tests.support.storage_stores import run_of_today

ORG = "206"


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return agency(tmp_path_factory.mktemp("raw") / "agency.sqlite3", 50)


@pytest.fixture
def path(raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An agency in the current folder; the store is the folder `store` in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALMANAC_STORE", str(tmp_path / "store"))
    return Path(shutil.copy(raw, tmp_path / "agency.sqlite3"))


@pytest.fixture
def store(path: Path) -> FolderStore:
    return FolderStore(path.parent / "store")


def without_locks(folder: Path) -> dict[str, str]:
    """The state of a folder; the store's lock files come with the first use of a name."""
    return {name: each for name, each in state_of(folder).items() if "/locks/" not in name}


def in_force(store: FolderStore | MemoryStore) -> Current:
    found = current(store, ORG)
    assert found is not None
    return found[0]


def emails(path: Path) -> list[str]:
    return [str(email) for (email,) in change(path, "SELECT email FROM contacts ORDER BY id")]


# --- init -----------------------------------------------------------------------------------------


def test_an_organization_is_prepared_with_the_defaults(path: Path, store: FolderStore) -> None:
    answer = almanac("store", "init", ORG)
    assert (answer.code, answer.err) == (0, "")
    assert f"almanac store push {ORG} DATABASE" in answer.out
    assert store.read(layout.config(ORG)).data.startswith(b"#")
    before = state_of(store.root)
    assert "stays as it is" in almanac("store", "init", ORG).out
    assert state_of(store.root) == before


def test_a_configuration_takes_the_place_of_the_one_that_is_there(
    path: Path, store: FolderStore
) -> None:
    config = path.parent / "new.yaml"
    for zone in ("America/Denver", "America/New_York"):
        config.write_text(f"timezone: {zone}\n")
        answer = almanac("store", "init", ORG, "--config", config, "--json")
        assert json.loads(answer.out)["written"] is True
        assert store.read(layout.config(ORG)).data == config.read_bytes()


def test_a_broken_configuration_is_not_written(path: Path, store: FolderStore) -> None:
    config = path.parent / "new.yaml"
    config.write_text("timezone: Nowhere\n")
    answer = almanac("store", "init", ORG, "--config", config)
    assert answer.code == 2
    assert "timezone" in answer.err
    assert store.stat(layout.config(ORG)) is None


def push_often(path: Path, *names: str) -> None:
    """Publish a version with each name in an address."""
    for name in names:
        change(path, f"UPDATE contacts SET email = '{name}@example.com' WHERE id = 1")
        assert almanac("store", "push", ORG, path).code == 0


# --- push -----------------------------------------------------------------------------------------


def test_a_pushed_database_is_the_next_version(path: Path, store: FolderStore) -> None:
    answer = almanac("store", "push", ORG, path)
    assert (answer.code, answer.err) == (0, "")
    assert "is version 1, now current" in answer.out
    change(path, "UPDATE contacts SET email = 'other@example.com' WHERE id = 1")
    before = {name: sum_ for name, sum_ in state_of(path.parent).items() if "store/" not in name}
    told = json.loads(almanac("store", "push", ORG, path, "--json").out)
    assert told["published"]
    assert told["version"] == in_force(store).version == 2
    manifest = manifest_of(store, in_force(store).folder)
    assert manifest is not None
    assert manifest.parent == 1
    assert manifest.run_id.startswith("push-")
    assert manifest.model_extra is not None
    assert manifest.model_extra["census"]["contacts"] == 50
    after = {name: sum_ for name, sum_ in state_of(path.parent).items() if "store/" not in name}
    assert after == before


def test_what_another_program_has_only_in_its_log_is_pushed_too(
    tmp_path: Path, path: Path, store: FolderStore
) -> None:
    database = make(tmp_path / "wal.sqlite3", journal="wal")
    with OtherProgram(database) as other:
        sql = "INSERT INTO contacts (id, email) VALUES (9, 'eve@example.com')"
        assert other.run(sql) == "done"
        assert "wal.sqlite3-wal" in beside(database)
        assert almanac("store", "push", ORG, database).code == 0
    assert almanac("store", "pull", ORG, "--out", "out.sqlite3").code == 0
    assert "eve@example.com" in emails(tmp_path / "out.sqlite3")


def test_a_push_names_the_last_run_that_it_builds_on(path: Path, store: FolderStore) -> None:
    run = run_of_today(store, path)
    push_often(path, "ann", "bob")
    manifest = manifest_of(store, in_force(store).folder)
    assert manifest is not None
    assert manifest.model_extra is not None
    assert manifest.model_extra["last_run"]["run_id"] == run.run_id


def test_a_push_of_the_current_version_says_unchanged_and_publishes_nothing(
    path: Path, store: FolderStore
) -> None:
    assert almanac("store", "push", ORG, path).code == 0
    run_of_today(store, path)
    assert almanac("store", "pull", ORG, "--out", "pulled.sqlite3").code == 0
    before, version = state_of(Path("store")), in_force(store).version
    for options in ([], ["--expect", version]):
        answer = almanac("store", "push", ORG, "pulled.sqlite3", *options)
        assert (answer.code, answer.err) == (0, "")
        assert f"unchanged: pulled.sqlite3 is version {version}, the current" in answer.out
    told = json.loads(almanac("store", "push", ORG, "pulled.sqlite3", "--json").out)
    assert (told["version"], told["published"]) == (version, False)
    # a program opened it, and changed nothing
    change(Path("pulled.sqlite3"), "PRAGMA journal_mode = WAL")
    change(Path("pulled.sqlite3"), "PRAGMA user_version = 0")
    assert "unchanged" in almanac("store", "push", ORG, "pulled.sqlite3").out
    assert state_of(Path("store")) == before
    change(Path("pulled.sqlite3"), "UPDATE contacts SET email = 'x@example.com' WHERE id = 1")
    assert almanac("store", "push", ORG, "pulled.sqlite3").code == 0
    assert in_force(store).version == version + 1


@pytest.mark.parametrize(("expect", "code"), [(None, 0), (0, 1), (1, 0), (2, 1)])
def test_a_push_can_insist_on_the_version_in_force(
    path: Path, store: FolderStore, expect: int | None, code: int
) -> None:
    assert almanac("store", "push", ORG, path, "--expect", 0).code == 0
    change(path, "UPDATE contacts SET email = 'other@example.com' WHERE id = 1")
    options = [] if expect is None else ["--expect", expect]
    answer = almanac("store", "push", ORG, path, *options)
    assert answer.code == code
    assert in_force(store).version == (2 if code == 0 else 1)
    if code:
        assert answer.err.startswith(
            "Error: organization 206: the current version is 1, expected was"
        )
        assert answer.err.count("\n") == 1


def test_a_version_that_gets_in_force_meanwhile_is_not_overwritten(
    path: Path, store: FolderStore
) -> None:
    others: list[Current] = []

    def progress(step: str, done: int, total: int) -> None:
        if step == "check" and not others:
            others.append(run_of_today(store, path))

    now = dt.datetime.now(dt.UTC)
    with pytest.raises(Superseded, match="nothing was overwritten; pull that version"):
        exchange.push(store, ORG, path, expect=None, now=now, progress=progress)
    assert in_force(store) == others[0]


@pytest.mark.parametrize(
    ("content", "named"),
    [(b"Dear agency,", "not an SQLite database"), (b"", "the file is empty"), (None, "damaged")],
)
def test_what_is_no_sound_database_is_not_pushed(
    path: Path, store: FolderStore, content: bytes | None, named: str
) -> None:
    if content is None:
        data = bytearray(path.read_bytes())
        data[5 * 4096 : 9 * 4096] = b"\xa5" * 4 * 4096
        content = bytes(data)
    path.write_bytes(content)
    answer = almanac("store", "push", ORG, path)
    assert answer.code == 2
    assert named in answer.err
    assert str(path) in answer.err
    assert answer.err.count("\n") == 1
    assert current(store, ORG) is None


# --- pull -----------------------------------------------------------------------------------------


def test_what_is_pulled_is_what_was_pushed(path: Path, store: FolderStore) -> None:
    assert almanac("store", "push", ORG, path).code == 0
    change(path, "DELETE FROM contacts WHERE id % 2")
    assert almanac("store", "push", ORG, path).code == 0
    for options, version in (([], 2), (["--version", 1], 1), (["--version", 2], 2)):
        out = path.parent / f"out{len(options)}{version}.sqlite3"
        answer = almanac("store", "pull", ORG, "--out", out, *options)
        assert (answer.code, answer.err) == (0, "")
        assert f"version {version}" in answer.out
        assert (len(emails(out)) == 50) is (version == 1)


def test_a_file_is_overwritten_only_by_force(path: Path, store: FolderStore) -> None:
    assert almanac("store", "push", ORG, path).code == 0
    out = path.parent / "out.sqlite3"
    out.write_text("precious")
    answer = almanac("store", "pull", ORG, "--out", out)
    assert answer.code == 2
    assert "--force overwrites it" in answer.err
    assert out.read_text() == "precious"
    assert almanac("store", "pull", ORG, "--out", out, "--force", "--json").code == 0
    assert len(emails(out)) == 50


@pytest.mark.parametrize("suffix", ["-wal", "-journal"])
def test_nothing_is_put_beside_anothers_journal(
    path: Path, store: FolderStore, suffix: str
) -> None:
    assert almanac("store", "push", ORG, path).code == 0
    (path.parent / f"out.sqlite3{suffix}").write_text("pages")
    answer = almanac("store", "pull", ORG, "--out", "out.sqlite3", "--force")
    assert answer.code == 2
    assert f"out.sqlite3{suffix} exists" in answer.err
    assert not (path.parent / "out.sqlite3").exists()


def test_a_damaged_version_is_not_pulled_and_leaves_the_file_as_it_was(
    path: Path, store: FolderStore
) -> None:
    assert almanac("store", "push", ORG, path).code == 0
    object_ = store.root / in_force(store).path
    object_.write_bytes(object_.read_bytes()[:-1] + b"?")
    out = path.parent / "out.sqlite3"
    out.write_text("precious")
    before = set(beside(out))
    answer = almanac("store", "pull", ORG, "--out", out, "--force")
    assert answer.code == 1
    assert "changed after it had been written" in answer.err
    assert (out.read_text(), set(beside(out))) == ("precious", before)


def test_a_version_that_is_not_the_published_one_is_refused(path: Path) -> None:
    store = MemoryStore()
    now = dt.datetime.now(dt.UTC)
    exchange.push(store, ORG, path, expect=0, now=now, progress=lambda *_: None)
    store.write(in_force(store).path, b"something else", if_generation=None)
    out = path.parent / "out.sqlite3"
    with pytest.raises(Corrupt):
        exchange.pull(store, ORG, out, version=None, force=False, progress=lambda *_: None)
    assert not out.exists()


# --- versions and rollback ------------------------------------------------------------------------


def test_versions_say_why_they_are_kept(tmp_path: Path) -> None:
    store = MemoryStore()
    now = dt.datetime(2026, 11, 21, 10, tzinfo=dt.UTC)
    for days in (120, 60, 40, 12, 11, 10, 3, 2):
        at = now - dt.timedelta(days=days)
        file = tmp_path / "database"
        file.write_text(str(days))
        publish(
            store,
            ORG,
            file,
            NewVersion(
                run_id=f"{at.date()}-daily",
                parent=current(store, ORG),
                as_of=at.date(),
                now=at,
            ),
        )
    found = versions(store, ORG, now)
    assert [each.kept for each in found] == [
        "last of 2026-07",
        "last of 2026-09",
        "last of 2026-10",
        None,
        None,
        None,
        "the one before",
        "current",
    ]
    assert [each.in_force for each in found] == [False] * 7 + [True]


def test_versions_are_listed_with_a_star_at_the_one_in_force(
    path: Path, store: FolderStore
) -> None:
    push_often(path, "ann", "bob", "eve")
    assert almanac("store", "rollback", ORG, 2).code == 0
    answer = almanac("store", "versions", ORG)
    stars = [line for line in answer.out.splitlines() if line.startswith("*")]
    assert [line.split()[1] for line in stars] == ["2"]
    told = json.loads(almanac("store", "versions", ORG, "--json").out)
    rows = [VersionRow.model_validate(row) for row in told["versions"]]
    assert [(row.version, row.in_force) for row in rows] == [(1, False), (2, True), (3, False)]
    planned = len(change(path, "SELECT 1 FROM email_schedules WHERE status = 'pre-scheduled'"))
    assert rows[0].planned == planned


def test_going_back_says_so_and_loses_nothing(path: Path, store: FolderStore) -> None:
    push_often(path, "ann", "bob")
    answer = almanac("store", "rollback", ORG, 1)
    assert answer.out == "Organization 206: version 1 is current again, in place of 2.\n"
    assert in_force(store).version == 1
    assert "is current already" in almanac("store", "rollback", ORG, 1).out
    assert json.loads(almanac("store", "rollback", ORG, 2, "--json").out) == {
        "org_id": "206",
        "version": 2,
        "before": 1,
        "current": 2,
    }
    assert store.stat(layout.lease(ORG)) is None


def test_nobody_goes_back_while_a_run_is_in_flight(path: Path, store: FolderStore) -> None:
    push_often(path, "ann", "bob")
    acquire(store, ORG, "2026-11-21-daily", "merge", dt.datetime.now(dt.UTC), 3600)
    answer = almanac("store", "rollback", ORG, 1)
    assert answer.code == 1
    assert "run 2026-11-21-daily (merge) holds the lease until" in answer.err
    assert in_force(store).version == 2


def test_a_run_that_died_is_marked_failed_by_going_back(path: Path, store: FolderStore) -> None:
    push_often(path, "ann", "bob")
    yesterday = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    acquire(store, ORG, "2026-11-21-daily", "merge", yesterday, 3600)
    assert almanac("store", "rollback", ORG, 1).code == 0
    result = result_of(store, ORG, "2026-11-21-daily")
    assert result is not None
    assert (result.state, result.again) == ("failed", True)
    assert store.stat(layout.lease(ORG)) is None


# --- status ---------------------------------------------------------------------------------------


def test_status_tells_all_organizations_and_fails_if_one_has_a_problem(
    path: Path, store: FolderStore
) -> None:
    assert almanac("store", "status").out == "No organization is in this store.\n"
    assert almanac("store", "push", ORG, path).code == 0
    run_of_today(store, path)
    assert almanac("store", "status").code == 0
    assert almanac("store", "push", "207", path).code == 0
    answer = almanac("store", "status")
    assert (answer.code, answer.err) == (1, "")
    assert "Problems\n  207: no run has planned it" in answer.out
    told = StoreStatus.model_validate_json(almanac("store", "status", "--json").out)
    assert [(each.org_id, each.ok) for each in told.organizations] == [
        ("206", True),
        ("207", False),
    ]


def test_status_of_one_organization_is_of_that_one_only(path: Path, store: FolderStore) -> None:
    for org in (ORG, "207"):
        assert almanac("store", "push", org, path).code == 0
    run_of_today(store, path)
    answer = almanac("store", "status", ORG)
    assert answer.code == 0
    assert "Organization 206 has no problems" in answer.out
    assert "207" not in answer.out
    told = almanac("store", "status", "207", "--json")
    assert told.code == 1
    assert OrganizationStatus.model_validate_json(told.out).problems


# --- mistakes -------------------------------------------------------------------------------------

MISTAKES = [
    (["init", "No"], "org_id: 'No' does not match"),
    (["init"], "ORG"),
    (["init", "206", "--config", "none.yaml"], "none.yaml: no such file"),
    (["push", "../x", "agency.sqlite3"], "org_id"),
    (["push", "206", "none.sqlite3"], "none.sqlite3: no such file"),
    (["push", "206", "agency.sqlite3", "--expect", "-1"], "--expect"),
    (["push", "206", "agency.sqlite3", "--store", "s3://bucket"], "s3://bucket"),
    (["push", "206", "agency.sqlite3", "--store", "agency.sqlite3"], "is a file"),
    (["pull", "206"], "--out"),
    (["pull", "206", "--out", "new.sqlite3"], "has no version yet"),
    (["pull", "206", "--out", "none/new.sqlite3"], "no folder to put it in"),
    (["pull", "206", "--out", "."], "is a folder"),
    (["pull", "207", "--out", "new.sqlite3", "--version", "5"], "version 5 is not kept"),
    (["versions", "206"], "has no version yet"),
    (["rollback", "206", "1"], "has no version yet"),
    (["rollback", "207", "5"], "version 5 is not kept"),
    (["rollback", "207", "0"], "VERSION"),
    (["status", "999"], "organization 999: is not in this store, which has 207"),
    (["status", "../x"], "org_id"),
    (["frob"], "frob"),
]


@pytest.mark.parametrize(("arguments", "named"), MISTAKES, ids=[" ".join(a) for a, _ in MISTAKES])
def test_a_mistake_is_named_in_one_line(path: Path, arguments: list[str], named: str) -> None:
    assert almanac("store", "push", "207", path).code == 0
    before = without_locks(path.parent)
    answer = almanac("store", *arguments)
    assert answer.code == 2
    assert answer.out == ""
    assert answer.err.startswith("Error: ")
    assert answer.err.count("\n") == 1
    assert named in answer.err
    assert without_locks(path.parent) == before


def test_without_a_store_the_variable_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ALMANAC_STORE")
    answer = almanac("store", "status")
    assert answer.code == 2
    assert "ALMANAC_STORE: is not set" in answer.err
    assert almanac("store", "status", "--store", "elsewhere").code == 0
