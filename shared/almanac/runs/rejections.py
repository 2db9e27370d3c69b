"""The record of messages that can never succeed, so that they can be acknowledged."""

from __future__ import annotations

import base64
import datetime as dt
import zlib

from almanac.errors import PreconditionFailed
from almanac.logs import get_log
from almanac.storage import layout
from almanac.storage.documents import Document, read_document, to_json
from almanac.storage.store import ObjectStore, write_once


class Rejection(Document):
    """rejected/<date>/<message id>.json: the message as received, and why it was rejected."""

    topic: str
    message_id: str
    publish_time: dt.datetime | None
    reason: str
    data: str  # text, or base64 if it is not UTF-8
    encoding: str  # utf-8 or base64


def record_rejection(
    store: ObjectStore,
    *,
    topic: str,
    message_id: str,
    publish_time: dt.datetime | None,
    data: bytes,
    reason: str,
    now: dt.datetime,
) -> None:
    """Record the message under its date; a repeated delivery keeps the first record.

    Ids are unique only within a topic, and a request for all organizations passes its id on to
    their requests: another message with the same id gets a number after its name.
    """
    try:
        text, encoding = data.decode(), "utf-8"
    except UnicodeDecodeError:
        text, encoding = base64.b64encode(data).decode(), "base64"
    rejection = Rejection(
        topic=topic,
        message_id=message_id,
        publish_time=publish_time,
        reason=reason,
        data=text,
        encoding=encoding,
    )
    number = zlib.crc32(data, zlib.crc32(topic.encode()))
    for key in (message_id, f"{message_id[:100]}-{number:08x}"):
        name = layout.rejected((publish_time or now).date(), key)
        try:
            write_once(store, name, to_json(rejection))
        except PreconditionFailed:
            there = read_document(store, name, Rejection)
            if there is not None and (there[0].topic, there[0].data) != (topic, text):
                continue  # another message
            # else an earlier delivery of this one, rejected with another reason
        break
    get_log().error("message rejected", topic=topic, message_id=message_id, reason=reason)
