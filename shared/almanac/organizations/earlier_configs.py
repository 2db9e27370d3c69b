"""The configurations that config.yaml of an organization was before: each kept in an object."""

from __future__ import annotations

import datetime as dt

from almanac.errors import PreconditionFailed
from almanac.storage import layout
from almanac.storage.documents import Document, read_document, to_json
from almanac.storage.store import ObjectStore, StoredObject


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

    by: the command, for the history. Raises PreconditionFailed if config.yaml is no longer what is
    there, and OutcomeUnknown.
    """
    if there is not None:
        kept = EarlierConfig(
            generation=there.generation,
            text=there.data.decode("utf-8-sig", "replace"),
            replaced_at=dt.datetime.now(dt.UTC),
            replaced_by=by,
        )
        try:
            name = layout.earlier_config(org, there.generation)
            store.write(name, to_json(kept), if_generation=0)
        except PreconditionFailed:
            pass  # kept by an attempt that did not get further
    generation = there.generation if there else 0
    store.write(layout.config(org), config, if_generation=generation)


def earlier_configs(store: ObjectStore, org: str) -> list[EarlierConfig]:
    """Return the earlier configurations, the oldest first; raise Corrupt for a damaged one."""
    found = []
    for info in store.list(layout.earlier_configs(org)):
        document = read_document(store, info.name, EarlierConfig)
        found += [document[0]] if document else []
    return found
