"""What came of messages, counted one by one (docs/results.md)."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zlib import crc32

from tests.oracle.campaigns import InvalidMetadataError, read_metadata
from tests.oracle.database import Record, text, whole
from tests.oracle.dates import parse_date, parse_time
from tests.oracle.followups import _says_yes
from tests.oracle.hashing import splitmix64
from tests.oracle.results_book import Book, Counts, Message


@dataclass
class Counted:
    """The numbers."""

    total: Counts
    by: Mapping[str, Mapping[tuple[str, ...], Counts]]
    arms: dict[tuple[str, int | None], Counts]
    ignored: Counter[tuple[str, str]]  # rows that do not count, by table and why


def _counts(book: Book) -> Counted:
    """All numbers."""
    by: dict[str, dict[tuple[str, ...], Counts]] = defaultdict(lambda: defaultdict(Counter))
    total: Counts = Counter()
    for message in book.messages:
        if not book.first <= message.day <= book.last:
            continue
        mine = _of(message)
        total.update(mine)
        for name, key in _keys(book, message).items():
            by[name][key].update(mine)
    return Counted(
        total, {name: dict(keys) for name, keys in by.items()}, _arms(book), book.ignored
    )


def _keys(book: Book, message: Message) -> dict[str, tuple[str, ...]]:
    contact = book.contacts.get(message.contact or 0)
    state = "no such contact"
    if contact is not None:
        state = text(contact["state"]).upper() or "unknown"
    keys: dict[str, tuple[str, ...]] = {
        "email-type": (message.email_type,),
        "template": (message.template,),
        "state": (state,),
        "day": (str(message.day),),
    }
    if message.campaign is not None:
        name = text(book.instances.get(message.instance or 0, {}).get("instance_name"))
        keys["campaign-type"] = (message.campaign,)
        keys["instance"] = (str(message.instance or ""), name)
    if message.parent is not None:
        keys["followup"] = (message.parent, message.email_type)
    return keys


def _arms(book: Book) -> dict[tuple[str, int | None], Counts]:
    """By split group and instance, None for the control group, what its contacts did."""
    types = {text(row["name"]): row for row in book.tables["campaign_types"]}
    groups: dict[str, dict[int, dict[str, Any]]] = defaultdict(dict)
    for number, row in book.instances.items():
        try:
            split = read_metadata(row.get("metadata")).get("split")
        except InvalidMetadataError:
            continue
        if split and text(row["campaign_type"]) in types:
            groups[split["group"]][number] = split
    found: dict[tuple[str, int | None], Counts] = {}
    for group, splits in groups.items():
        sent = [
            m
            for m in book.messages
            if m.was_sent
            and m.campaign is not None
            and m.instance in splits
            and m.contact
            and book.first <= m.day <= book.last
        ]
        if not sent:
            continue
        begin = min(m.day for m in sent)
        end = max(m.day for m in sent) + timedelta(book.within)
        aimed = {c for n in splits for c in _aimed(book, book.instances[n], types)}
        taken: set[int] = set()
        for number, split in splits.items():
            share = {c for c in aimed if split["from"] <= _share(c, group) < split["to"]}
            taken |= share
            mine = [m for m in sent if m.instance == number]
            counts = Counter(contacts=len(share), reached=len({m.contact for m in mine}))
            for what in ("clicked", "answered", "yes", "unsubscribed"):
                counts[what] = len({m.contact for m in mine if what in m.did})
            found[group, number] = counts + _span(book, share, begin, end)
        rest = aimed - taken
        if rest:
            found[group, None] = Counter(contacts=len(rest)) + _span(book, rest, begin, end)
    return found


def _aimed(book: Book, instance: Record, types: dict[str, Record]) -> set[int]:
    states = {state.strip().upper() for state in text(instance["target_states"]).split(",")}
    states -= {"", "ALL"}
    fits = {
        number
        for number, row in book.contacts.items()
        if not states or text(row["state"]).upper() in states
    }
    if types[text(instance["campaign_type"])]["target_all_contacts"]:
        return fits
    return fits & {
        whole(row["contact_id"]) or 0
        for row in book.tables["contact_campaigns"]
        if row["campaign_instance_id"] == instance["id"]
    }


def _span(book: Book, contacts: set[int], begin: date, end: date) -> Counts:
    counts: Counts = Counter()
    answers = [
        (whole(row["contact_id"]), parse_time(row["created_at"]), _says_yes(row["metadata"]))
        for row in book.tables["contact_events"]
        if row["event_type"] == "eligibility_answered"
    ]
    within = [(c, yes) for c, day, yes in answers if c in contacts and day and begin <= day <= end]
    counts["span_answered"] = len({c for c, _ in within})
    counts["span_yes"] = len({c for c, yes in within if yes})
    left = {
        c
        for row, who in book.leavers()
        for c in who
        if c in contacts and begin <= (parse_date(row["since"]) or date.min) <= end
    }
    counts["span_unsubscribed"] = len(left)
    return counts


def count(path: Path, first: date, last: date, within: int) -> Counted:
    """What came of the messages of the days from first to last."""
    book = Book(path, first, last, within)
    book.read_activity()
    book.read_marks()
    return _counts(book)


def _of(message: Message) -> Counts:
    counts = Counter({"planned": 1})
    if message.was_sent:
        counts["sent"] = 1
    if message.status in ("delivered", "bounced", "failed"):
        counts[message.status] = 1
    return counts + Counter(message.did)


def _share(contact: int, group: str) -> int:
    mask = (1 << 64) - 1
    return splitmix64((contact & mask) ^ splitmix64(crc32(f"split:{group}".encode()))) % 100
