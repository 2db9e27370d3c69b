"""The configurations that config.yaml of an organization was before: each kept in an object."""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from typing import Literal

from almanac.errors import OutcomeUnknown, PreconditionFailed
from almanac.storage import layout
from almanac.storage.documents import Document, read_document, to_json
from almanac.storage.store import (
    LOST_ANSWERS,
    ObjectStore,
    StoredObject,
    read_or_none,
    reading_back,
    write_once,
)


class EarlierConfig(Document):
    """What config.yaml was at a generation, until it was replaced."""

    generation: int
    text: str
    replaced_at: dt.datetime
    replaced_by: str  # the command


def replace_config(
    store: ObjectStore, org: str, there: StoredObject | None, config: bytes, by: str
) -> None:
    """Write config.yaml in place of what is there, which is kept first.

    by: the command, for the history. A lost answer is resolved by reading back; another writer who
    replaced this text meanwhile has kept it. Raises PreconditionFailed (config.yaml is no longer
    what is there, and nothing was written), TransientError and OutcomeUnknown as write_once.
    """
    if there is not None:
        kept = EarlierConfig(
            generation=there.generation,
            text=there.data.decode("utf-8-sig", "replace"),
            replaced_at=dt.datetime.now(dt.UTC),
            replaced_by=by,
        )
        with suppress(PreconditionFailed):  # kept by an attempt that did not get further
            write_once(store, layout.earlier_config(org, there.generation), to_json(kept))
    generation = there.generation if there else 0
    for _ in range(LOST_ANSWERS):
        try:
            store.write(layout.config(org), config, if_generation=generation)
            return
        except OutcomeUnknown as error:
            lost = error
            with reading_back(lost):
                state = _state_after(store, org, generation, config)
            if state == "written":
                return
            if state == "changed":
                raise PreconditionFailed(
                    f"{layout.config(org)}: was changed meanwhile; nothing was written"
                ) from lost
    raise lost.as_not_written() from lost


def _state_after(
    store: ObjectStore, org: str, generation: int, config: bytes
) -> Literal["written", "changed", "unchanged"]:
    """Return what became of config.yaml since a generation: written with this text, or otherwise.

    Written is also what another writer has replaced since, and kept.
    """
    now = read_or_none(store, layout.config(org))
    if (now.generation if now else 0) == generation:
        return "unchanged"
    if now and now.data == config:
        return "written"
    text = config.decode("utf-8-sig", "replace")
    since = layout.earlier_config(org, generation)
    names = [info.name for info in store.list(layout.earlier_configs(org)) if info.name > since]
    kept = [read_document(store, name, EarlierConfig) for name in names]
    return "written" if any(each and each[0].text == text for each in kept) else "changed"


def earlier_configs(store: ObjectStore, org: str) -> list[EarlierConfig]:
    """Return the earlier configurations, the oldest first; raise Corrupt for a damaged one."""
    found = []
    for info in store.list(layout.earlier_configs(org)):
        document = read_document(store, info.name, EarlierConfig)
        found += [document[0]] if document else []
    return found
