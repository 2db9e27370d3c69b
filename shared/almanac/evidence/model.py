"""What an archive of evidence holds, as evidence.json and manifest.json have it."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

from pydantic import BaseModel

from almanac.explain.model import Absence, ContactFacts, Decision, ExplainedMessage
from almanac.rulebook.model import RuleLine

OUTCOMES = {
    "planned": "planned, and not sent yet",
    "withheld": "not sent, and why",
    "with the sender": "handed to the sender",
    "sent": "sent",
    "bounced": "sent, and returned",
    "failed": "not sent by the sender",
    "unknown status": "a status of another program",
}
Outcome = Literal[
    "planned", "withheld", "with the sender", "sent", "bounced", "failed", "unknown status"
]
RawRow = dict[str, Any]  # a row of the database as it is, by column


class DatabaseState(BaseModel):
    """The state of the database that an archive is from."""

    name: str  # of the file without its folder, or the organization
    version: int | None = None  # of a store; None for a file
    crc32c: str | None = None  # of the version's database
    committed_at: dt.datetime | None = None
    size: int  # bytes
    changes: int | None = None  # of a file: the counter of changes in its header
    last_run: str | None
    contacts_checksum: str | None = None  # as the last run recorded them
    schedules_checksum: str | None = None


class ArchiveMember(BaseModel):
    """A file in an archive."""

    name: str
    size: int  # bytes
    sha256: str


class ArchiveManifest(BaseModel):
    """manifest.json: what an archive holds, and what it is from."""

    format: int
    almanac: str  # the release that wrote it
    about: str
    database: DatabaseState
    made_at: str | None
    members: list[ArchiveMember]


class MadeArchive(BaseModel):
    """An archive that was written or checked."""

    file: str
    sha256: str  # of the whole file
    manifest: ArchiveManifest


class RecordedConfig(BaseModel):
    """A configuration that a run or a command recorded."""

    digest: str  # SHA-256 of its text
    valid_from: str
    valid_to: str | None
    recorded_by: str
    problem: str | None = None  # why this release cannot read it
    text: str


class RecordedRun(BaseModel):
    """A run, as it recorded itself."""

    run_id: str
    at: str
    completed_at: str | None
    status: str | None
    configuration: str | None  # the digest of the one in force
    contacts_checksum: str | None
    schedules_checksum: str | None


class StateRules(BaseModel):
    """The rules by a configuration that are in force in a period."""

    configuration: str | None  # its digest; None for the one of the next run
    rules: list[RuleLine]


class SuppressionState(BaseModel):
    """A row of suppressions that concerns the contact."""

    in_force: bool  # on the day of the evidence
    takes: str
    words: str
    row: RawRow


class TextConsent(BaseModel):
    """Whether the contact has agreed to text messages."""

    agreed: bool  # every column says yes, or there is none
    columns: list[str]  # of contacts, of those that the configuration names


class EvidenceMark(BaseModel):
    """What a sender reported of a message."""

    status: str
    at: str
    detail: str


class EvidenceMessage(BaseModel):
    """A row of email_schedules, what became of it, and by which rules."""

    outcome: Outcome
    what: str  # what became of it, as a sentence
    day: dt.date | None
    email_type: str
    run: str | None  # that wrote the row last
    configuration: str | None  # the digest of the one in force at that run
    rules: list[RuleLine]  # of the contact's state by that configuration, in force on the day
    protected: str | None  # why these rules protect the day
    decisions: list[Decision]  # by that configuration on the day of the run
    marks: list[EvidenceMark]
    row: RawRow


class ContactEvidence(BaseModel):
    """evidence.json of a contact."""

    contact_id: int
    first: dt.date
    last: dt.date
    as_of: dt.date  # the day as of which the contact, consent and suppressions are described
    holds: str  # what the archive is limited to
    contact: ContactFacts
    text_consent: TextConsent
    suppressions: list[SuppressionState]
    targets: list[RawRow]
    messages: list[EvidenceMessage]
    not_planned: list[ExplainedMessage]  # due in the period, and in no row yet
    not_due: list[Absence]
    clicks: list[RawRow]
    events: list[RawRow]
    rules: list[StateRules]
    configurations: list[RecordedConfig]
    runs: list[RecordedRun]
    unknown: list[str]  # what is not recorded, in sentences


class OutcomeCount(BaseModel):
    """Messages of a campaign with one outcome."""

    email_type: str
    outcome: Outcome
    status: str
    skip_reason: str | None
    messages: int


class CampaignEvidence(BaseModel):
    """evidence.json of a campaign; its contacts are in contacts.jsonl."""

    instance: RawRow
    campaign_type: RawRow
    first: dt.date | None
    last: dt.date | None
    holds: str
    contacts: int
    counts: list[OutcomeCount]
    changes: list[RawRow]  # of campaign_change_log
    rules: list[StateRules]
    configurations: list[RecordedConfig]
    runs: list[RecordedRun]
    unknown: list[str]
