"""`almanac serve`: the pages, who may read them, and what they say when they cannot be made."""

from __future__ import annotations

import datetime as dt
import re
import shutil
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from almanac.errors import InputError
from almanac.organizations.agency_database import AgencyDatabase, FileDatabase, StoreDatabase
from almanac.organizations.transfer import push
from almanac.serve.app import create_app
from almanac.serve.guard import guard_of
from almanac.serve.site import Site
from almanac.storage.folder import FolderStore
from tests.support.cli_calls import ENVIRONMENT, PROGRAM, almanac
from tests.support.database_agencies import change
from tests.support.tiny import Agency

AS_OF = "2026-11-21"
HOSTILE = "<script>alert(1)</script>"
TOKEN = "a-token-that-is-long-enough"
NOW = dt.datetime(2026, 11, 22, 9, tzinfo=dt.UTC)


def client_of(agency: AgencyDatabase, host: str | None = None, token: str | None = None) -> Any:
    """A browser, as far as these tests need one, that does not follow redirects."""
    return create_app(Site(agency), guard_of(host, token)).test_client()


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three contacts, of whom a campaign reaches one and a state's rule protects one."""
    agency = Agency(tmp_path_factory.mktemp("serve") / "agency.sqlite3")
    for name in ("first_name", "last_name"):
        agency.query(f"ALTER TABLE contacts ADD COLUMN {name} TEXT")
    agency.contact(1, birth_date="1960-03-01", carrier=HOSTILE, last_name=HOSTILE)
    agency.contact(2, "NY", birth_date="1960-03-01")
    named = {"first_name": "Ada", "last_name": "Lovelace"}
    agency.contact(3, birth_date="1960-04-01", effective_date="2020-05-01", **named)
    agency.campaign(7, HOSTILE, days_before_event=14)
    for contact in (1, 2, 9):
        agency.target(7, "2027-01-15", contact)
    agency.plan(AS_OF)
    return agency.path


@pytest.fixture(scope="module")
def client(planned: Path) -> FlaskClient:
    found: FlaskClient = client_of(FileDatabase(planned))
    return found


PAGES = {
    "/": "Planned as of 2026-11-21",
    "/contact/3": "Contact 3, Ada Lovelace",
    "/contact/3?on=2027-03-01": "On 2027-03-01",
    "/contacts?q=lace": "Ada Lovelace",
    "/contacts?q=nothing": "None found",
    "/day?on=2027-02-15": "birthday",
    "/campaigns": "&lt;script&gt;",
    "/campaign/7": "Year-round exclusion for NY",
    "/report": "The year, day by day",
    "/what-if": "Another daily cap",
}


@pytest.mark.parametrize("path", PAGES)
def test_a_page_says_what_the_database_has_and_escapes_it(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert PAGES[path] in answer.text
    assert HOSTILE not in answer.text


def test_an_id_leads_to_the_contact(client: FlaskClient) -> None:
    assert client.get("/contacts?q=3").location == "/contact/3"


def test_no_page_may_load_anything_from_elsewhere_or_be_framed(client: FlaskClient) -> None:
    for path in ("/", "/report", "/nothing"):
        headers = client.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'")
        assert "frame-ancestors 'none'" in policy
        assert not re.search(r"https?:|unsafe|\*", policy)
        assert headers["Cache-Control"] == "no-store"


def test_a_target_is_listed_with_what_became_of_it(client: FlaskClient) -> None:
    rows = re.findall(r"<tr>.*?</tr>", client.get("/campaign/7").text, re.DOTALL)
    texts = [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in rows]
    assert any(text.startswith("1 2027-01-15") and "pre-scheduled" in text for text in texts)
    assert any(text.startswith("2 2027-01-15") and "NY" in text for text in texts)
    assert any(text.startswith("9 2027-01-15") and "none" in text for text in texts)


def test_the_report_is_made_once_and_again_after_a_write(planned: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copy(planned, tmp_path / "copy.sqlite3"))
    site = Site(FileDatabase(copy))
    client = create_app(site, guard_of(None, None)).test_client()
    first = site.stamp()
    assert client.get("/report").text == client.get("/report").text
    assert client.get("/report-tables/types.csv").text.startswith("Email type,")
    change(copy, "INSERT INTO contacts (id, email, state) VALUES (4, 'd@example.com', 'TX')")
    assert site.stamp() != first
    assert "4 contacts" in client.get("/").text


def test_another_cap_is_compared_and_nothing_is_written(planned: Path) -> None:
    before = planned.read_bytes()
    client = client_of(FileDatabase(planned))
    started = client.post("/what-if", data={"cap": "34"})
    assert (started.status_code, started.location) == (303, "/what-if?cap=34")
    for _ in range(20):
        answer = client.get(started.location)
        if "Refresh" not in answer.headers:
            break
    assert "The cap from 3 to 1: " in answer.text
    assert planned.read_bytes() == before


@pytest.mark.parametrize(
    ("path", "code", "words"),
    [
        ("/contact/99", 404, "contact 99: "),
        ("/contact/3?on=soon", 400, "on: &#39;soon&#39; is not a date; expected YYYY-MM-DD"),
        ("/campaign/8", 404, "campaign &#39;8&#39;: no instance has this id"),
        ("/what-if?cap=0", 400, "cap: &#39;0&#39; is not a percentage"),
        ("/nothing", 404, "not found"),
    ],
)
def test_what_is_not_there_is_a_page_with_a_sentence(
    client: FlaskClient, path: str, code: int, words: str
) -> None:
    answer = client.get(path)
    assert answer.status_code == code
    assert words in answer.text
    assert "Traceback" not in answer.text


def test_a_locked_damaged_or_missing_file_is_a_page_and_then_is_read_again(
    planned: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copy(planned, tmp_path / "copy.sqlite3"))
    client = client_of(FileDatabase(copy, busy_seconds=0.05))
    content = copy.read_bytes()
    copy.unlink()
    assert "no such file" in expect(client, 503)
    copy.write_bytes(b"no database")
    assert "not an SQLite database" in expect(client, 503)
    copy.write_bytes(content)
    with Writer(copy):
        assert "locked by another program" in expect(client, 503)
    assert "Contact 3 gets 2 messages" in client.get("/contact/3").text


def expect(client: FlaskClient, code: int) -> str:
    """The text of a page that cannot be made."""
    answer = client.get("/contact/3")
    assert answer.status_code == code
    return answer.text


@dataclass
class Writer:
    """Another program in the middle of its commit."""

    path: Path

    def __enter__(self) -> None:
        code = f"""if True:
            import apsw, sys
            other = apsw.Connection({str(self.path)!r})
            other.execute("BEGIN EXCLUSIVE")
            print("locked", flush=True)
            sys.stdin.read()"""
        self.process = subprocess.Popen(
            [PROGRAM[0], "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENVIRONMENT
        )
        assert self.process.stdout
        self.process.stdout.readline()

    def __exit__(self, *_: object) -> None:
        self.process.communicate()


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8421", "8.8.8.8", ""])
def test_a_name_that_was_led_to_this_machine_gets_nothing(client: FlaskClient, host: str) -> None:
    answer = client.get("/contact/3", headers={"Host": host})
    assert answer.status_code == 403
    assert "agency.sqlite3" not in answer.text


def test_another_site_cannot_start_a_comparison(client: FlaskClient) -> None:
    other = client.post("/what-if", data={"cap": "5"}, headers={"Origin": "http://evil.example"})
    assert other.status_code == 403


def test_away_from_the_loopback_only_the_token_opens_a_page(planned: Path) -> None:
    client = client_of(FileDatabase(planned), "192.0.2.7", TOKEN)
    base = "http://192.0.2.7:8421"
    for path in ("/", "/report", "/serve.css", f"/?token={TOKEN[:-1]}", "/nothing"):
        answer = client.get(path, base_url=base)
        assert answer.status_code == 401
        assert "agency.sqlite3" not in answer.text
    entered = client.get(f"/campaigns?token={TOKEN}", base_url=base)
    assert (entered.status_code, entered.location) == (303, "/campaigns")
    assert "HttpOnly" in entered.headers["Set-Cookie"]
    assert client.get("/campaigns", base_url=base).status_code == 200


def test_a_host_without_a_token_gets_a_random_one_and_a_short_one_is_refused() -> None:
    first, second = guard_of("192.0.2.7", None).token, guard_of("192.0.2.7", None).token
    assert first is not None
    assert first != second
    assert len(first) >= 40
    assert guard_of(None, None).token is None
    with pytest.raises(InputError, match="--token: found 4 characters; expected 16 to 200"):
        guard_of(None, "1234")


def test_an_organization_of_a_store_is_shown_with_its_version(
    planned: Path, tmp_path: Path
) -> None:
    store = FolderStore(tmp_path / "store")
    push(store, "206", planned, expect=None, now=NOW, progress=lambda step, done, total: None)
    client = client_of(StoreDatabase(store, "206"))
    assert "organization 206, version 1" in client.get("/contact/3").text
    assert "Year-round exclusion for NY" in client.get("/campaign/7").text
    copy = Path(shutil.copy(planned, tmp_path / "copy.sqlite3"))
    change(copy, "DELETE FROM contacts WHERE id = 3")
    push(store, "206", copy, expect=1, now=NOW, progress=lambda step, done, total: None)
    gone = client.get("/contact/3")
    assert gone.status_code == 404
    assert "organization 206, version 2" in gone.text


def test_a_taken_port_and_a_foreign_address_are_one_sentence(planned: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        answer = almanac("serve", planned, "--port", port)
    assert answer.code == 1
    assert answer.err.startswith(f"Error: port {port} of 127.0.0.1 is taken")
    foreign = almanac("serve", planned, "--host", "192.0.2.7", "--port", 0)
    assert (foreign.code, foreign.err) == (
        1,
        "Error: --host: 192.0.2.7 is no address of this machine\n",
    )


@pytest.fixture
def serving(planned: Path) -> Iterator[subprocess.Popen[str]]:
    command = [*PROGRAM, "serve", str(planned), "--port", "0"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    )
    yield process
    process.kill()
    process.communicate()


@pytest.mark.slow
def test_it_answers_at_the_address_it_prints_until_ctrl_c(serving: subprocess.Popen[str]) -> None:
    assert serving.stdout
    address = serving.stdout.readline().split(": ", 1)[1].strip()
    assert re.fullmatch(r"http://127\.0\.0\.1:[0-9]+/", address)
    with urllib.request.urlopen(address) as answer:
        assert b"agency.sqlite3" in answer.read()
    serving.send_signal(signal.SIGINT)
    _, err = serving.communicate(timeout=20)
    assert (serving.returncode, err) == (0, "")


def test_a_search_that_has_found_nothing_yet_goes_on_by_itself(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("almanac.database.contact_search._FIRST_SPAN", 2)
    monkeypatch.setattr("almanac.serve.contacts_page.SECONDS", 0)
    first = client.get("/contacts?q=lace")
    assert first.headers["Refresh"] == "0; url=/contacts?q=lace&after=2"
    assert "up to row 2 so far" in first.text
    assert "Ada Lovelace" in client.get("/contacts?q=lace&after=2").text
