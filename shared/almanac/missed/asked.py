"""What is asked for: the messages of one campaign instance, or of one email type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from almanac.campaigns.repository import Campaigns
from almanac.config import BUILT_IN_TYPES
from almanac.database.opening import map_errors
from almanac.errors import RequestError
from almanac.explain.lookup import OpenDatabase
from almanac.frames import Codes, Mask
from almanac.planning.brief import Instance, RunContext
from almanac.planning.kinds import KindTable

FOLLOWUP = "followup"


@dataclass(frozen=True)
class AskedFor:
    """The campaign, by id or name, or the email type that is asked for: one of them."""

    campaign: str | None = None
    email_type: str | None = None

    def instance(self, database: OpenDatabase) -> int | None:
        """Return the id of the campaign; raise RequestError if there is none, or are several."""
        if self.campaign is None:
            return None
        with map_errors(database.source.path):
            return int(Campaigns.read(database.source.connection).instance(self.campaign)["id"])


@dataclass(frozen=True)
class Subject:
    """A built-in type, or a campaign instance."""

    email_type: str
    name: str  # as `explain` names its messages
    position: int = -1  # of the instance in the context, -1 for a built-in type
    instance: Instance | None = None


@dataclass(frozen=True)
class MissedQuestion:
    """The subjects of a question, and which kinds of message are theirs."""

    words: str
    subjects: Sequence[Subject]
    of_kind: Codes  # by kind: the subject, -1 for a kind that is not asked for

    @property
    def kinds(self) -> Mask:
        return self.of_kind >= 0


def asked_for(
    context: RunContext, kind_table: KindTable, instance: int | None, email_type: str | None
) -> MissedQuestion:
    """Return what an instance's id or an email type asks for; RequestError for an unknown type."""
    if instance is not None:
        chosen = [n for n, each in enumerate(context.instances) if each.id == instance]
        words = f"campaign {instance} {context.instances[chosen[0]].name!r}"
        return _of_instances(context, kind_table, chosen, words)
    built_in = [*BUILT_IN_TYPES, FOLLOWUP]
    if email_type in built_in:
        followups = email_type == FOLLOWUP
        of_kind = np.array(
            [
                0 if (k.is_followup if followups else k.email_type == email_type) else -1
                for k in kind_table.kinds
            ],
            np.int32,
        )
        return MissedQuestion(f"type {email_type}", [Subject(email_type, email_type)], of_kind)
    chosen = [n for n, each in enumerate(context.instances) if each.email_type == email_type]
    if not chosen:
        known = sorted({*built_in, *(each.email_type for each in context.instances)})
        raise RequestError(f"--type: expected one of {', '.join(known)}, found {email_type!r}")
    return _of_instances(context, kind_table, chosen, f"type {email_type}")


def _of_instances(
    context: RunContext, kind_table: KindTable, chosen: Sequence[int], words: str
) -> MissedQuestion:
    of_kind = np.full(len(kind_table.kinds), -1, np.int32)
    subjects: list[Subject] = []
    for position in chosen:
        instance = context.instances[position]
        kind = kind_table.kind(instance.email_type, instance.id)
        if kind >= 0:
            of_kind[kind] = len(subjects)
        name = f"{instance.email_type} '{instance.name}'"
        subjects.append(Subject(instance.email_type, name, position, instance))
    return MissedQuestion(words, subjects, of_kind)
