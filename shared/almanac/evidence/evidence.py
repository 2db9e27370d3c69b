"""Write the archive of a contact or of a campaign, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from almanac.campaigns.repository import Campaigns
from almanac.database.evidence_rows import CampaignRows
from almanac.database.opening import map_errors
from almanac.database.reading import Snapshot
from almanac.errors import InputError
from almanac.evidence.archive import ArchiveWriter, sha256_of
from almanac.evidence.campaign import campaign_evidence
from almanac.evidence.contact import contact_evidence, state_of
from almanac.evidence.model import DatabaseState, MadeArchive
from almanac.evidence.page import campaign_page, contact_page
from almanac.evidence.records import Period
from almanac.explain.lookup import Meant, open_database
from almanac.json_text import indented_json
from almanac.organizations.agency_database import AgencyDatabase
from almanac.outputs import check_folder, partial_of

DATA, PAGE, CONTACTS = "evidence.json", "page.html", "contacts.jsonl"


@dataclass(frozen=True)
class ArchiveTarget:
    """The archive to write. made_at: a time to record in it, if any."""

    path: Path
    made_at: str | None = None


def write_contact(
    agency: AgencyDatabase, contact: Meant, period: Period, target: ArchiveTarget
) -> MadeArchive:
    """Write the evidence of a contact. Raises as `contact_evidence`, InputError and OSError."""
    check_new(target.path)
    found, state = contact_evidence(agency, contact, period)
    about = f"contact {found.contact_id}, {found.first} to {found.last}"
    members = [(DATA, [_data(found)]), (PAGE, [contact_page(found, state, about)])]
    return _write(target, about, state, members)


def write_campaign(
    agency: AgencyDatabase, name: str, period: Period | None, target: ArchiveTarget
) -> MadeArchive:
    """Write the evidence of a campaign instance. Raises RequestError for an unknown one, and as
    `write_contact`."""
    check_new(target.path)
    with open_database(agency, whole=True) as database, map_errors(database.source.path):
        connection, snapshot = database.source.connection, Snapshot(database.source)
        campaigns = Campaigns.read(connection)
        instance = campaigns.instance(name)
        rows = CampaignRows(connection, int(instance["id"]), period)
        state = state_of(database, snapshot)
        days = f", {period[0]} to {period[1]}" if period else ""
        about = f"campaign {instance['id']} ({instance.get('instance_name')}){days}"
        lines = _CountedLines(rows.lines())

        def members() -> Iterator[tuple[str, Iterable[bytes]]]:
            yield CONTACTS, lines
            found = campaign_evidence(rows, snapshot, campaigns, instance, lines.count)
            yield DATA, [_data(found)]
            yield PAGE, [campaign_page(found, state, about)]

        return _write(target, about, state, members())


def check_new(path: Path) -> None:
    """Raise InputError unless a new file of this name can be written."""
    check_folder(path, "--out")
    if path.exists():
        raise InputError(f"--out: {path}: exists already; expected the name of a new file")


class _CountedLines:
    """Chunks of lines, and how many lines went through."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks, self.count = chunks, 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self.count += chunk.count(b"\n")
            yield chunk


def _data(found: BaseModel) -> bytes:
    return indented_json(found.model_dump(mode="json"))


def _write(
    target: ArchiveTarget,
    about: str,
    state: DatabaseState,
    members: Iterable[tuple[str, Iterable[bytes]]],
) -> MadeArchive:
    with partial_of(target.path, "--out") as partial:
        with partial.open("wb") as file, ArchiveWriter(file) as writer:
            for name, chunks in members:
                writer.add(name, chunks)
            manifest = writer.finish(about, state, target.made_at)
        sha256 = sha256_of(partial)
        partial.replace(target.path)
    return MadeArchive(file=str(target.path), sha256=sha256, manifest=manifest)
