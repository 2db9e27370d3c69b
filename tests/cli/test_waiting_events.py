"""Commands on a store, and what waits for its next run: it takes effect on a day's messages."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from almanac.config import Config
from almanac.intake import inbox
from almanac.storage import layout
from almanac.storage.folder import FolderStore
from tests.support.cli_calls import almanac
from tests.support.intake_calls import received
from tests.support.tiny import Agency

ORG = "206"
TODAY = dt.datetime.now(Config().zone).date()  # of the version, which keeps the messages of it
DAY, NEXT = str(TODAY), str(TODAY + dt.timedelta(days=1))


@pytest.fixture(scope="module")
def pushed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with contacts 1 to 3, who have a message on the day, and 4, who has one the
    day after; contact 3 has another row, 9, which was sent."""
    folder = tmp_path_factory.mktemp("pushed")
    agency = Agency(folder / "agency.sqlite3")
    for number in (1, 2, 3, 4):
        agency.contact(number, status="active")
    for number, day in ((1, DAY), (2, DAY), (3, DAY), (4, NEXT)):
        row = {"event_year": 2026, "event_month": 12, "event_day": 7, "ideal_send_date": day}
        agency.sent("birthday", day, number, id=number, status="pre-scheduled", **row)
    agency.sent("effective_date", "2026-10-01", 3, id=9)
    store = folder / "store"
    answer = almanac("store", "push", ORG, agency.path, "--store", store)
    assert answer.code == 0, answer
    return store


@pytest.fixture
def store(pushed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FolderStore:
    """A copy of the store, of all commands."""
    copy = FolderStore(tmp_path / "store", durable=False)
    for info in FolderStore(pushed).list(""):
        copy.write(info.name, FolderStore(pushed).read(info.name).data, 0)
    monkeypatch.setenv("ALMANAC_STORE", str(copy.root))
    monkeypatch.chdir(tmp_path)
    return copy


def due(*options: str) -> list[dict[str, Any]]:
    answer = almanac("due", "--org", ORG, "--on", DAY, *options)
    assert answer.code == 0, answer
    return [json.loads(line) for line in answer.out.splitlines()]


def ids(*options: str) -> list[int]:
    return [line["id"] for line in due(*options)]


Put = Callable[..., None]


@pytest.fixture
def put(store: FolderStore) -> Put:
    def put(kind: str, *entries: dict[str, Any], event_id: str = "e1", minutes: int = 0) -> None:
        event = received(kind, *entries, event_id=event_id, minutes=minutes)
        inbox.put(store, ORG, [event])

    return put


def test_a_claim_that_waits_is_handed_out_as_claimed_and_not_once_more(put: Put) -> None:
    assert ids() == [1, 2, 3]
    first = due()[0]
    put("deliveries", first | {"status": "processing"}, {"id": 2, "status": "sent"})
    assert ids() == [3]
    assert [line | {"email_at": ""} for line in due("--claimed")] == [first | {"email_at": ""}]
    put("deliveries", {"id": 1, "status": "sent"}, event_id="e2", minutes=1)
    assert ids("--claimed") == []


def test_a_claim_of_a_row_that_a_run_has_made_again_under_another_id_is_honoured(put: Put) -> None:
    (line,) = [line for line in due() if line["id"] == 2]
    put("deliveries", line | {"id": 77, "status": "processing"})
    assert ids() == [1, 3]
    assert ids("--claimed") == [77]


@pytest.mark.parametrize(
    ("kind", "entry"),
    [
        ("suppressions", {"email": " User2@Example.com"}),
        ("suppressions", {"contact_id": "2"}),
        ("contacts", {"action": "deactivate", "email": "user2@example.com"}),
        ("contacts", {"id": 2, "status": "inactive"}),
        ("contacts", {"id": "2", "do_not_contact": True}),
    ],
)
def test_who_is_suppressed_or_deactivated_since_the_last_run_is_left_out_at_once(
    put: Put, kind: str, entry: dict[str, Any]
) -> None:
    put(kind, entry)
    assert ids() == [1, 3]
    answer = almanac("due", "--org", ORG, "--on", DAY)
    assert "left out: 1 (" in answer.err


def test_the_list_of_suppressions_says_that_more_of_them_may_wait(put: Put) -> None:
    put("suppressions", {"email": "user2@example.com"})
    for command in ("list", "export"):
        answer = almanac("suppression", command, "--org", ORG)
        assert "1 object waits in the inbox" in answer.err, command
        assert "user2" not in answer.out


def test_an_address_that_bounced_for_any_message_is_left_out_at_once(put: Put) -> None:
    put("deliveries", {"id": 9, "status": "bounced"})
    assert ids() == [1, 2]


def test_an_address_that_a_contact_has_since_is_the_one_that_counts(put: Put) -> None:
    put("contacts", {"id": 1, "email": "new@example.com"})
    assert due()[0]["email"] == "new@example.com"
    put("suppressions", {"email": "NEW@example.com"}, event_id="e2")
    assert ids() == [2, 3]


def test_what_concerns_other_days_or_is_malformed_changes_no_message(
    store: FolderStore, put: Put
) -> None:
    put("deliveries", {"id": 4, "status": "processing"}, {"id": "x"}, {"status": "sent"})
    put("suppressions", {"email": "other@example.com"}, {"email": 5}, event_id="e2")
    put("targets", {"campaign_instance_id": 1, "contact_id": 1}, event_id="e3")
    before = [info.generation for info in store.list("")]
    assert ids() == [1, 2, 3]
    assert [info.generation for info in store.list("")] == before


def test_a_day_of_which_the_version_keeps_no_extract_is_read_from_its_database(
    store: FolderStore, put: Put
) -> None:
    kept = [info.name for info in store.list("") if "/due-" in info.name]
    assert len(kept) == 1
    whole = due()
    put("suppressions", {"email": "user2@example.com"})
    left = due()
    for name in kept:
        store.delete(name, if_generation=None)
    assert due() == left == [line for line in whole if line["id"] != 2]


def test_nothing_waits_for_an_organization_without_a_database(
    store: FolderStore, tmp_path: Path
) -> None:
    store.write(layout.config("207"), b"", 0)
    (tmp_path / "lines.jsonl").write_text('{"id": 1, "status": "sent"}\n')
    (tmp_path / "list.csv").write_text("email\na@example.com\n")
    for command in (
        ("intake", "lines.jsonl", "--kind", "deliveries"),
        ("mark", "lines.jsonl"),
        ("suppression", "end", "--email", "a@example.com"),
        ("contacts", "import", "list.csv"),
        ("campaign", "import", "spring", "list.csv"),
    ):
        answer = almanac(*command, "--org", "207")
        assert answer.err == "Error: organization 207: has no version yet\n", command
        assert (answer.code, answer.out) == (2, "")
    assert inbox.waiting(store, "207") == []


def test_nothing_is_handed_out_while_an_object_of_the_inbox_cannot_be_read(
    store: FolderStore,
) -> None:
    store.write(f"{layout.inbox(ORG)}x.json", b"{}", 0)
    answer = almanac("due", "--org", ORG, "--on", DAY)
    assert (answer.code, answer.out) == (1, "")
    assert "orgs/206/inbox/x.json: it may hold claims" in answer.err


def test_who_goes_back_before_a_run_is_told_what_it_had_applied(put: Put) -> None:
    put("suppressions", {"email": "user2@example.com"}, {"email": "other@example.com"})
    put("deliveries", {"id": 1, "status": "sent"}, event_id="e2")
    answer = almanac("run", "--org", ORG)
    assert answer.code == 0, answer
    answer = almanac("undo", "--org", ORG)
    assert answer.code == 0
    assert (
        "version 1 is without what later runs applied from the inbox "
        "(deliveries 1, suppressions 2), and it does not come back" in answer.err
    )
