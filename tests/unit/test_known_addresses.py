"""Contacts whom entries of several kinds name by address: looked up once, from the index."""

from __future__ import annotations

from pathlib import Path

import pytest

from almanac.config import Config
from almanac.database.blocks import Blocks
from almanac.database.changed_pages import changed_view
from almanac.database.opening import transaction
from almanac.intake.absorb import absorb
from tests.support.intake_calls import NOW, absorbed, received, refused
from tests.support.tiny import Agency

PAGE = 4096


@pytest.mark.parametrize("id_type", ["INTEGER PRIMARY KEY", "TEXT"])
def test_the_addresses_of_all_kinds_are_read_once_and_from_an_index_that_has_them(
    tmp_path: Path, id_type: str
) -> None:
    agency = Agency(tmp_path / "agency.sqlite3")
    agency.campaign(4)
    agency.query("DROP TABLE contacts")
    agency.query(f"CREATE TABLE contacts (id {id_type}, email TEXT, state TEXT, note TEXT)")
    agency.query(
        "WITH RECURSIVE n (value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n LIMIT 3000) "
        "INSERT INTO contacts SELECT value, 'user' || value || '@example.com', 'TX', "
        "hex(zeroblob(400)) FROM n"
    )
    agency.query("CREATE INDEX by_address ON contacts (email)")
    sizes = dict(agency.query("SELECT name, sum(pgsize) FROM dbstat GROUP BY name"))
    fetched = 0
    data = agency.path.read_bytes()

    def fetch(start: int, length: int) -> bytes:
        nonlocal fetched
        fetched += length
        return data[start : start + length]

    blocks = Blocks("agency", len(data), fetch, block_bytes=PAGE, cache_bytes=16 * PAGE)
    events = [
        received("contacts", {"email": "USER7@example.com", "state": "NV"}, event_id="a"),
        received(
            "targets", {"email": "user8@example.com", "campaign_instance_id": 4}, event_id="b"
        ),
        received("activity", {"email": "user9@example.com", "type": "answered"}, event_id="c"),
        received("suppressions", {"email": "user9@example.com"}, event_id="d", replan=True),
    ]
    with (
        changed_view(Path("agency"), blocks, tmp_path) as view,
        transaction(view.connection, Path("agency")),
    ):
        done = absorb(view.connection, events, Config(), NOW, "run")
    assert done.refused == 0
    assert done.replan_contacts.tolist() == [9]
    assert fetched < 2 * sizes["by_address"] < sizes["contacts"] / 4


def test_an_address_that_an_entry_changes_is_the_new_one_for_entries_of_other_kinds(
    tmp_path: Path,
) -> None:
    agency = Agency(tmp_path / "agency.sqlite3")
    agency.campaign(4)
    agency.contact(1)
    agency.contact(2)
    absorbed(
        agency,
        received(
            "contacts",
            {"email": "user2@example.com", "state": "NV"},
            {"id": 1, "email": "other@example.com"},
            {"id": 3, "email": "new@example.com"},
        ),
        received(
            "targets",
            *(
                {"email": f"{name}@example.com", "campaign_instance_id": 4}
                for name in ("other", "user1", "new")
            ),
            event_id="e2",
        ),
    )
    assert [index for index, _ in refused(agency)] == [1]
    assert agency.query("SELECT contact_id FROM contact_campaigns ORDER BY 1") == [(1,), (3,)]
