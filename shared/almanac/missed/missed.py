"""The contacts that get no message of a campaign or a type, and why (docs/missed.md).

Contacts are planned a range at a time, as by a run, and compared with the rows that the last run
wrote. Which messages are missed, and what their sentences depend on, is a matter of columns;
`explain` is asked once for each sentence that differs. Memory is bounded by a range.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import compress
from typing import NamedTuple

import numpy as np

from almanac import civil
from almanac.balancing.occupancy import Limits
from almanac.contact_ranges import covering
from almanac.database.catalog import describe, raw_records
from almanac.database.opening import map_errors
from almanac.database.reading import Snapshot
from almanac.explain import lookup
from almanac.explain.lookup import OpenDatabase, Question, basis_of, configuration_of
from almanac.frames import NO_DAY, Ids
from almanac.joins import positions
from almanac.missed.absent import missed_contacts, without_candidate
from almanac.missed.absent_campaigns import absent_from, listed, not_sent_to
from almanac.missed.asked import AskedFor, asked_for
from almanac.missed.block import Block, PlanningBasis
from almanac.missed.candidates import missed_candidates
from almanac.missed.names import Names
from almanac.missed.rows import Missing, Reasons
from almanac.missed.sentences import Sentences
from almanac.organizations.agency_database import AgencyDatabase
from almanac.organizations.brief import run_context_of
from almanac.planning.kinds import KindTable
from almanac.planning.suppressions import holds_on
from almanac.progress import Progress

BATCH = 50_000  # contacts that are planned at a time


class MissedMessage(NamedTuple):
    """A message that a contact does not get."""

    contact_id: int
    email: str
    message: str  # its type, with the name of a campaign
    event_date: str  # '' if it is not known
    reason: str
    sentence: str  # why, as `explain` says it


class Example(NamedTuple):
    """A contact that misses a message, and the sentence about it."""

    contact_id: int
    sentence: str


@dataclass
class MissedCounts:
    """What was counted so far."""

    contacts: int = 0  # that are asked about
    without: int = 0  # those of them that miss a message
    messages: Counter[str] = field(default_factory=Counter)  # missed ones, by reason
    examples: dict[str, Example] = field(default_factory=dict)  # the first, by reason


class Missed:
    """The missed messages of an open database; `counts` is complete when all were read."""

    def __init__(
        self, database: OpenDatabase, snapshot: Snapshot, question: Question, asked: AskedFor
    ) -> None:
        config, self.config_from = configuration_of(database, question)
        basis = basis_of(database, snapshot, question, config, self.config_from)
        self.as_of, self.last_run = basis.as_of, basis.last_run
        self._snapshot, self._settings = snapshot, config.contacts
        context = run_context_of(snapshot, config, basis.as_of, basis.t0)
        kind_table = KindTable(context)
        self.asked = asked_for(context, kind_table, asked.instance(database), asked.email_type)
        holds = holds_on(snapshot.suppressions(), civil.day_of(basis.as_of)).tolist()
        self._basis = PlanningBasis(
            context=context,
            kind_table=kind_table,
            limits=Limits.of(
                *(config, civil.day_of(basis.t0), database.total_contacts()),
                *(kind_table.kinds, context.closed_days),
            ),
            occupancy=database.occupancy(),
            suppressions=list(compress(_suppressions(database), holds)),
        )
        self._reasons, self._names = Reasons(kind_table), Names()
        self._sentences = Sentences(self.asked, self._reasons)
        self.counts = MissedCounts()

    def rows(self, progress: Progress) -> Iterator[MissedMessage]:
        """Yield the missed messages by contact, with their sentences."""
        for block, found in self._blocks(progress):
            table, texts = block.data.contacts, self._reasons.texts
            at = positions(table["id"].to_numpy(), found.contact_id)
            emails = table["email"].take(at).to_pylist()
            columns = (found.contact_id, found.subject, found.event, found.reason)
            for email, sentence, contact_id, subject, event, reason in zip(
                *(emails, self._sentences.of(block, found)),
                *(column.tolist() for column in columns),
                strict=True,
            ):
                yield MissedMessage(
                    contact_id=contact_id,
                    email=email,
                    message=self.asked.subjects[subject].name,
                    event_date="" if event == NO_DAY else civil.text_of(event),
                    reason=texts[reason],
                    sentence=sentence,
                )

    def count(self, progress: Progress) -> MissedCounts:
        """Read all, for the counts alone."""
        for _ in self._blocks(progress):
            pass
        return self.counts

    def _blocks(self, progress: Progress) -> Iterator[tuple[Block, Missing]]:
        ids = self._snapshot.contact_ids(self._settings)
        ranges = list(covering(ids[BATCH::BATCH].tolist()))
        for done, contacts in enumerate(ranges):
            progress("contacts", done, len(ranges))
            block = Block.read(self._snapshot, self._basis, contacts)
            asked_about, found = self._missing(block)
            found = self._sentences.judged(block, found)
            found = found.take(np.lexsort((found.event, found.subject, found.contact_id)))
            self._count(block, asked_about, found)
            yield block, found
        progress("contacts", len(ranges), len(ranges))

    def _missing(self, block: Block) -> tuple[Ids, Missing]:
        """Return the contacts of a range that are asked about, and what they miss."""
        reasons, names = self._reasons, self._names
        parts = [missed_candidates(block, self.asked, reasons, names)]
        asked_about = [block.plan.batch.scope[:0]]
        for number, subject in enumerate(self.asked.subjects):
            left_out = block.ineligible
            if subject.instance is None:
                asked_about.append(block.plan.batch.scope)
                parts.append(without_candidate(block, subject.email_type, reasons))
            else:
                about = listed(block, subject.instance)
                asked_about.append(about)
                left_out = not_sent_to(block, np.intersect1d(left_out, about), subject)
                parts.append(absent_from(block, subject, number, reasons, names))
            parts.append(missed_contacts(block, left_out, number, reasons, names))
        found = Missing.concat(parts)
        return np.unique(np.concatenate([*asked_about, found.contact_id])), found

    def _count(self, block: Block, asked_about: Ids, found: Missing) -> None:
        counts = self.counts
        counts.contacts += len(asked_about)
        counts.without += len(np.unique(found.contact_id))
        reasons, first, number = np.unique(found.reason, return_index=True, return_counts=True)
        for reason, row, count in zip(*(x.tolist() for x in (reasons, first, number)), strict=True):
            text = self._reasons.texts[reason]
            counts.messages[text] += count
            if text not in counts.examples:
                (sentence,) = self._sentences.of(block, found.take(slice(row, row + 1)))
                counts.examples[text] = Example(int(found.contact_id[row]), sentence)


@contextmanager
def missed_of(agency: AgencyDatabase, asked: AskedFor, question: Question) -> Iterator[Missed]:
    """Open a database for the missed messages of a campaign or a type.

    Raises RequestError for an unknown campaign or type, and as `AgencyDatabase.open`.
    """
    with lookup.open_database(agency, whole=True) as database:
        yield Missed(database, Snapshot(database.source), question, asked)


def _suppressions(database: OpenDatabase) -> list[dict[str, object]]:
    """Return the rows of suppressions in the order of the table."""
    connection = database.source.connection
    with map_errors(database.source.path):
        table = describe(connection, "suppressions")
        if table is None:
            return []
        return raw_records(connection, table, "ORDER BY rowid" if table.has_rowid else "")
