"""`almanac explain --org`: a contact of a store, of whose database a few pages are fetched."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import apsw
import pytest

from almanac.errors import RequestError
from almanac.explain.explain import explain_contact as explain_in
from almanac.explain.lookup import Question
from almanac.explain.model import Explanation
from almanac.organizations.agency_database import StoreDatabase
from almanac.organizations.transfer import push
from almanac.storage import layout
from almanac.storage.folder import FolderStore
from almanac.storage.memory import MemoryStore
from almanac.storage.store import ObjectInfo, ObjectStore
from tests.support.cli_calls import AS_OF, agency, almanac
from tests.support.clouds import Cloud
from tests.support.explanations import day_of, explain_contact
from tests.support.sampling import shares
from tests.support.storage_stores import cloud_store

NOW = dt.datetime(2026, 11, 22, 9, tzinfo=dt.UTC)
CONTACTS = 1500


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = agency(tmp_path_factory.mktemp("store") / "agency.sqlite3", CONTACTS)
    assert almanac("run", path, "--as-of", AS_OF).code == 0
    return path


class CountingStore(MemoryStore):
    """Counts the bytes that are fetched of databases, and refuses to give one whole."""

    fetched = 0

    def read_range(self, name: str, generation: int, start: int, length: int) -> bytes:
        self.fetched += length
        return super().read_range(name, generation, start, length)

    def fetch_file(self, name: str, path: Path, generation: int | None = None) -> ObjectInfo:
        raise AssertionError(f"{name} was fetched as a whole")


def holding(store: ObjectStore, path: Path) -> StoreDatabase:
    """A store in which the file is the version in force of an organization."""
    push(store, "206", path, expect=None, now=NOW, progress=lambda step, done, total: None)
    return StoreDatabase(store, "206")


def without_what_is_far(found: Explanation) -> Explanation:
    """The explanation without what a store cannot tell quickly, and where it comes from."""
    for message in found.messages:
        for decision in message.decisions:
            for name in ("load now", "with that ideal date now"):
                decision.inputs.pop(name, None)
    return found.model_copy(update={"database": "", "configuration": ""})


@shares(3)
@pytest.mark.parametrize("kind", ["memory", "cloud"])
def test_a_store_explains_a_contact_as_its_file_does(planned: Path, kind: str, every: int) -> None:
    place = holding(MemoryStore() if kind == "memory" else cloud_store(), planned)
    for contact in (1, 8, 42, CONTACTS)[::every]:
        question = Question(on=dt.date(2027, 2, 1))
        far = explain_in(place, contact, question)
        near = explain_contact(planned, contact, on=dt.date(2027, 2, 1))
        assert day_of(far).load == day_of(near).load is not None
        assert without_what_is_far(far) == without_what_is_far(near)
        assert far.database == "organization 206, version 1"


def test_a_few_pages_of_a_larger_database_are_fetched(planned: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(planned, tmp_path / "large.sqlite3"))
    connection = apsw.Connection(str(path))
    connection.execute("INSERT INTO call_notes (note) VALUES (zeroblob(30000000))")
    connection.close()
    store = CountingStore()
    place = holding(store, path)
    for contact in (8, CONTACTS // 2):
        store.fetched = 0
        explain_in(place, contact, Question(on=dt.date(2027, 2, 1)))
        assert 0 < store.fetched < path.stat().st_size / 8
    store.fetched = 0
    with pytest.raises(RequestError, match="version 1 has none with this id; the nearest ids"):
        explain_in(place, CONTACTS * 2)
    assert store.fetched < path.stat().st_size / 8


def test_a_contact_is_found_by_its_address_in_a_store(planned: Path) -> None:
    place = holding(MemoryStore(), planned)
    address = explain_in(place, 8).contact.email
    assert explain_in(place, f" {address.upper()} ").contact_id == 8


def test_the_configuration_and_the_first_day_are_those_of_the_organization(
    tmp_path: Path,
) -> None:
    cloud = Cloud(tmp_path)
    cloud.configure("206", "timing: {birthday_days_before: 3}")
    cloud.push("206", agency(tmp_path / "agency.sqlite3", 40))
    cloud.now = cloud.now.replace(hour=23)  # past the send time
    cloud.ask("206")
    cloud.run()
    place = StoreDatabase(cloud.store, "206")
    found = explain_in(place, 7)
    assert found.configuration == "that of the organization"
    assert found.as_of == cloud.now.date()
    assert found.first_send_date == found.as_of + dt.timedelta(days=1)
    assert found.as_of_from == "the day of the last run"
    assert all(m.note is None for m in found.messages)
    cloud.overwrite(layout.config("206"), b"timing: {birthday_days_before: 20}")
    (birthday,) = (m for m in explain_in(place, 7).messages if m.email_type == "birthday")
    assert birthday.ideal_date == birthday.event_date - dt.timedelta(days=20)
    cloud.store.delete(layout.config("206"), None)
    without = "the defaults, since organization 206 has no orgs/206/config.yaml"
    assert explain_in(place, 7).configuration == without
    cloud.close()


def test_the_command_explains_a_contact_of_a_store(planned: Path, tmp_path: Path) -> None:
    holding(FolderStore(tmp_path / "store"), planned)
    where = ("--org", "206", "--store", tmp_path / "store")
    answer = almanac("explain", *where, "--contact", 8)
    assert (answer.code, answer.err) == (0, "")
    near = almanac("explain", planned, "--contact", 8, "--defaults").out
    assert "\nThe year\n" in near
    year = near.partition("The year")[2].partition("Messages")[0]
    assert year in answer.out
    answer = almanac("explain", *where, "--contact", 8, "--json")
    assert Explanation.model_validate_json(answer.out).contact_id == 8


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--org", "206"), "--contact WHO or --email ADDRESS: expected one of them, found none"),
        (("--org", "206", "--contact", "1", "--email", "x"), "found both"),
        (("--contact", "1"), "expected DATABASE"),
        (("agency.sqlite3", "--org", "206", "--contact", "1"), "expected one of them, found both"),
        (("--org", "206", "--contact", "1"), "organization 206: has no version yet"),
    ],
)
def test_a_mistake_is_named(
    arguments: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALMANAC_STORE", str(tmp_path / "store"))
    answer = almanac("explain", *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err


def test_an_address_of_several_contacts_names_them(tmp_path: Path) -> None:
    path = agency(tmp_path / "agency.sqlite3", 20)
    connection = apsw.Connection(str(path))
    connection.execute("DROP INDEX idx_contacts_email")
    connection.execute("UPDATE contacts SET email = ' Jo@Example.com' WHERE id IN (3, 5, 9)")
    connection.close()
    answer = almanac("explain", path, "--email", "jo@example.COM")
    assert (answer.code, answer.out) == (2, "")
    assert "3 contacts have the e-mail address 'jo@example.COM': 3, 5, 9;" in answer.err
    answer = almanac("explain", path, "--email", "nobody@example.com")
    assert answer.code == 2
    assert "no contact has the e-mail address 'nobody@example.com'" in answer.err


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16le", "UTF-16be"])
def test_texts_of_any_encoding_are_read_even_where_they_are_broken(
    tmp_path: Path, encoding: str
) -> None:
    path = tmp_path / "agency.sqlite3"
    connection = apsw.Connection(str(path))
    connection.execute(f"PRAGMA encoding = '{encoding}'")
    connection.execute("CREATE TABLE contacts (id INTEGER PRIMARY KEY, email, state, birth_date)")
    connection.execute(
        "INSERT INTO contacts VALUES (1, 'zoë@example.com', 'CA', '1950-06-01'), "
        "(2, 'jo@example.com', CAST(x'ff41' AS TEXT), '1950-06-01')"
    )
    connection.close()
    assert explain_contact(path, 1, as_of=NOW.date()).contact.email == "zoë@example.com"
    found = explain_contact(path, "jo@example.com", as_of=NOW.date())
    assert (found.contact.state, found.messages[0].outcome) == (None, "not in the plan yet")
