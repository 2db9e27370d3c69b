"""Versions that are kept at any age, since a person pinned them: an object for each."""

from __future__ import annotations

import datetime as dt
from contextlib import suppress

from pydantic import AwareDatetime

from almanac.errors import NotFound
from almanac.storage import layout
from almanac.storage.documents import Document, read_document, to_json
from almanac.storage.store import ObjectStore


class Pin(Document):
    """pins/<version>.json: since when a version is pinned, and why."""

    note: str
    pinned_at: AwareDatetime


def pinned(store: ObjectStore, org: str) -> dict[str, str]:
    """Return the folders of the pinned versions, each with its note; raise Corrupt."""
    found = {}
    for info in store.list(layout.pins(org)):
        if (folder := layout.pinned_version(info.name)) is None:
            continue
        there = read_document(store, info.name, Pin)
        if there is not None:
            found[folder] = there[0].note
    return found


def pin(store: ObjectStore, folder: str, note: str, now: dt.datetime) -> None:
    """Pin the version of the folder, with a new note if it is pinned already."""
    name = layout.pin(folder)
    there = store.stat(name)
    data = to_json(Pin(note=note, pinned_at=now))
    store.write(name, data, if_generation=there.generation if there else 0)


def unpin(store: ObjectStore, folder: str) -> None:
    """Unpin the version; it goes with the next run that finds it too old."""
    with suppress(NotFound):
        store.delete(layout.pin(folder), if_generation=None)
