"""Send an agency's messages of a day through a mail provider's HTTP API.

    python send.py agency.sqlite3 --on 2026-11-23 --url https://api.provider.example/v1/messages

It may be stopped at any moment and started again: nothing is sent twice, and nothing is forgotten.
It needs `almanac` on the path (or what the variable ALMANAC says) and nothing else. The provider
must know idempotency keys: a message with a key that it has seen before is not sent again. The key
of a message is the id of its row, that of its text message has `-sms` behind. The provider keeps a
message until its `send_at`.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import random
import shlex
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from itertools import islice
from typing import Any

Message = dict[str, Any]

BATCH = 200  # claimed, sent and marked together: one change of the database each
ALMANAC = shlex.split(os.environ.get("ALMANAC", "almanac"))


class TryAgain(Exception):
    """The provider did not take the message this time; after so many seconds it may."""

    def __init__(self, why: str, seconds: float | None = None) -> None:
        super().__init__(why)
        self.seconds = seconds


class Refused(Exception):
    """The provider will never take the message."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("database")
    parser.add_argument("--on", required=True, metavar="DATE")
    parser.add_argument("--url", required=True)
    parser.add_argument("--attempts", type=int, default=8)
    parser.add_argument("--slowest", type=float, default=60, metavar="SECONDS")
    sender = Sender(parser.parse_args())
    try:
        # What an earlier run of this script had claimed comes first. It may have been sent: the
        # provider knows, by its key.
        for batch in batches(sender.due("--claimed")):
            sender.send(batch)
        for batch in batches(sender.due()):
            sender.send(sender.claim(batch))
    except TryAgain as error:
        print(f"The provider does not answer: {error}; start again later", file=sys.stderr)
        return 1
    return 0


class Sender:
    """Between the agency's database and the provider."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options

    def due(self, *how: str) -> Iterator[Message]:
        """The messages of the day, in the order in which to send them."""
        options = self.options
        command = ["due", options.database, "--on", options.on, "--columns", "first_name", *how]
        for line in almanac(command).splitlines():
            yield json.loads(line)

    def claim(self, batch: list[Message]) -> list[Message]:
        """The messages that are ours to send from now on: no run moves them any more."""
        # A line of `due` names contact and date too: where a run has moved it, it is refused.
        refused = {each["id"] for each in self.mark(batch, "processing")["refused"]}
        return [message for message in batch if message["id"] not in refused]

    def send(self, batch: list[Message]) -> None:
        """Send claimed messages, and mark what became of them, also when giving up half-way."""
        done: list[Message] = []
        try:
            for message in batch:
                done.append(self.send_one(message))  # noqa: PERF401 - an error keeps what is done
        finally:
            self.mark(done)

    def send_one(self, message: Message) -> Message:
        """Send a claimed message, with its text message if it has one; its mark."""
        mark: Message = {"id": message["id"], "status": "sent"}
        try:
            mark["message_id"] = self.send_patiently(email(message))
        except Refused as error:
            return mark | {"status": "failed", "detail": str(error)}
        try:
            if message["sms_template"]:
                self.send_patiently(text_message(message), message["sms_until"])
        except Refused as error:
            mark["detail"] = f"without the text message: {error}"
        return mark

    def send_patiently(self, body: Message, until: str | None = None) -> str:
        """Return the provider's id of the message; raise TryAgain after the last attempt.

        Raise Refused once it is too late.
        """
        attempt = 1
        while until is None or now() < dt.datetime.fromisoformat(until):
            try:
                return self.post(body)
            except TryAgain as error:
                if attempt == self.options.attempts:
                    raise
                time.sleep(self.pause(attempt, error.seconds))
                attempt += 1
        raise Refused(f"not sent until {until}")

    def pause(self, attempt: int, seconds: float | None) -> float:
        """Seconds to wait: what the provider asks for, else random below a bound that doubles."""
        if seconds is not None:
            return float(min(seconds, self.options.slowest))
        return random.uniform(0, min(2 ** (attempt - 1), self.options.slowest))

    def post(self, body: Message) -> str:
        """One attempt."""
        request = urllib.request.Request(
            self.options.url,
            json.dumps(body).encode(),
            {"Content-Type": "application/json", "Idempotency-Key": str(body["reference"])},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return str(json.load(answer)["id"])
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 429 or error.code >= 500:
                    after = error.headers.get("Retry-After", "")
                    raise TryAgain(
                        f"HTTP {error.code}", float(after) if after.isdigit() else None
                    ) from None
                raise Refused(f"HTTP {error.code}: {error.read(200).decode()}") from None
        except (OSError, ValueError) as error:  # no answer, or none that can be read
            raise TryAgain(str(error)) from None

    def mark(self, marks: list[Message], status: str | None = None) -> dict[str, Any]:
        """Hand the marks back; what came of them."""
        if not marks:
            return {"refused": []}
        lines = "".join(
            json.dumps({**mark, "status": status or mark["status"]}) + "\n" for mark in marks
        )
        rejects = f"{self.options.database}.rejects.csv"
        command = ["mark", self.options.database, "-", "--json", "--rejects", rejects]
        found: dict[str, Any] = json.loads(almanac(command, lines))
        for each in found["refused"]:
            print(f"row {each['id']}: {each['why']}", file=sys.stderr)
        return found


def email(message: Message) -> Message:
    """What the provider is to send by e-mail."""
    return {
        "to": message["email"],
        "template": message["email_template"],
        "values": values(message),
        "send_at": message["email_at"],
        "reference": message["id"],  # comes back with everything the provider reports
    }


def text_message(message: Message) -> Message:
    """What the provider is to send as text message."""
    return {
        "to": message["phone"],
        "template": message["sms_template"],
        "values": values(message),
        "send_at": message["sms_at"],
        "reference": f"{message['id']}-sms",
    }


def values(message: Message) -> Message:
    """What the templates are filled in with."""
    return {**message["contact"], "event_date": message["event_date"]}


def now() -> dt.datetime:
    """The present moment."""
    return dt.datetime.now(dt.UTC)


def almanac(arguments: list[str], text: str | None = None) -> str:
    """What a command of almanac prints; its own words, if it fails, are on standard error."""
    ended = subprocess.run(
        [*ALMANAC, *arguments], input=text, stdout=subprocess.PIPE, text=True, check=True
    )
    return ended.stdout


def batches(messages: Iterator[Message]) -> Iterator[list[Message]]:
    """The messages, BATCH at a time."""
    while batch := list(islice(messages, BATCH)):
        yield batch


if __name__ == "__main__":
    sys.exit(main())
