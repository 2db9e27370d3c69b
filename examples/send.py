"""Send an agency's messages of a day.

    python send.py agency.sqlite3 --on 2026-11-23 --url https://api.provider.example/v1/messages
    python send.py --org 206 --on 2026-11-23 --smtp mail.example:587 --from news@agency.example
    python send.py --org 206 --on 2026-11-23 --sendgrid --from news@agency.example

It may be stopped at any moment and started again. It needs `almanac` on the path (or what the
variable ALMANAC says) and nothing else. The database is a file, or with --org that of an
organization in a store; with --intake marks go to the function `intake` over HTTP.

A provider at --url must know idempotency keys: a message with a key that it has seen before is not
sent again, so that nothing is sent twice and nothing is forgotten. The key of a message is the id
of its row, that of its text message has `-sms` behind. SMTP and SendGrid know no keys: what an
earlier start had claimed and not marked may have been sent. It is not sent again unless --again
says so: look for it by the reference (the header X-Almanac-Id, or SendGrid's almanac_id), mark it.
"""

from __future__ import annotations

import argparse
import datetime as dt
import email.message
import email.utils
import json
import os
import random
import shlex
import smtplib
import string
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

Message = dict[str, Any]

BATCH = 200  # claimed, sent and marked together: one change of the database each
ALMANAC = shlex.split(os.environ.get("ALMANAC", "almanac"))
SENDGRID = "https://api.sendgrid.com/v3/mail/send"


class TryAgain(Exception):
    """The provider did not take the message this time; after so many seconds it may."""

    def __init__(self, why: str, seconds: float | None = None) -> None:
        super().__init__(why)
        self.seconds = seconds


class Refused(Exception):
    """The provider will never take the message."""


class Unknown(Exception):
    """The provider may have taken the message, and has no key by which to tell."""


def main() -> int:
    options = parsed()
    sender = Sender(options)
    try:
        # What an earlier run of this script had claimed comes first. It may have been sent: a
        # provider that knows keys knows that.
        claimed = list(sender.due("--claimed"))
        if claimed and not (sender.provider.knows_keys or options.again):
            print(
                f"{len(claimed)} claimed before, perhaps sent: mark them, or give --again: "
                f"{', '.join(str(message['id']) for message in claimed[:20])}",
                file=sys.stderr,
            )
            claimed = []
        for batch in batches(iter(claimed)):
            sender.send(batch)
        for batch in batches(sender.due()):
            sender.send(sender.claim(batch))
    except TryAgain as error:
        print(f"The provider does not answer: {error}; start again later", file=sys.stderr)
        return 1
    return 0


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("database", nargs="?")
    parser.add_argument("--org", help="an organization of the store that ALMANAC_STORE names")
    parser.add_argument("--on", required=True, metavar="DATE")
    ways = parser.add_mutually_exclusive_group(required=True)
    ways.add_argument("--url", help="a provider that knows idempotency keys")
    ways.add_argument("--smtp", metavar="HOST:PORT", help="SMTP_USER and SMTP_PASSWORD log in")
    ways.add_argument("--sendgrid", action="store_true", help="SENDGRID_API_KEY is the key")
    parser.add_argument("--sendgrid-url", default=SENDGRID, help=argparse.SUPPRESS)
    parser.add_argument("--from", dest="sender", metavar="ADDRESS", help="whom it is from")
    parser.add_argument(
        "--templates",
        type=Path,
        metavar="FOLDER",
        help="NAME.txt of each template for SMTP: the subject, an empty line, text",
    )
    parser.add_argument("--intake", metavar="URL", help="of the function; INTAKE_TOKEN is sent")
    parser.add_argument("--at-once", action="store_true", help="by SMTP, do not wait for email_at")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--attempts", type=int, default=8)
    parser.add_argument("--slowest", type=float, default=60, metavar="SECONDS")
    options = parser.parse_args()
    if (options.database is None) == (options.org is None):
        parser.error("expected either a database or --org")
    if options.url is None and not options.sender:
        parser.error("--from: expected the address that messages are from")
    if options.intake and not options.org:
        parser.error("--intake: expected --org with it")
    return options


class Sender:
    """Between the agency's database and the provider."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.where = ["--org", options.org] if options.org else [options.database]
        self.provider: Api | SendGrid | Smtp
        if options.url:
            self.provider = Api(options.url)
        elif options.sendgrid:
            self.provider = SendGrid(options)
        else:
            self.provider = Smtp(options)

    def due(self, *how: str) -> Iterator[Message]:
        """The messages of the day, in the order in which to send them."""
        command = ["due", *self.where, "--on", self.options.on, "--columns", "first_name", *how]
        for line in almanac(command).splitlines():
            yield json.loads(line)

    def claim(self, batch: list[Message]) -> list[Message]:
        """The messages that are ours to send from now on: no run moves them any more."""
        # A line of `due` names contact and date too: where a run has moved it, a claim for a file
        # is refused, and one for a store gives it its day back.
        refused = set(self.mark(batch, "processing"))
        return [message for message in batch if message["id"] not in refused]

    def send(self, batch: list[Message]) -> None:
        """Send claimed messages, and mark what became of them, also when giving up half-way."""
        done: list[Message] = []
        try:
            for message in batch:
                try:
                    done.append(self.send_one(message))
                except Unknown as error:  # stays claimed
                    print(f"row {message['id']}: perhaps sent: {error}", file=sys.stderr)
        finally:
            self.mark(done)

    def send_one(self, message: Message) -> Message:
        """Send a claimed message, with its text message if it has one; its mark."""
        mark: Message = {"id": message["id"], "status": "sent"}
        try:
            mark["message_id"] = self.patiently(lambda: self.provider.send_email(message))
        except Refused as error:
            return mark | {"status": "failed", "detail": str(error)}
        try:
            if message["sms_template"]:
                self.patiently(lambda: self.provider.send_text(message), message["sms_until"])
        except Refused as error:
            mark["detail"] = f"without the text message: {error}"
        return mark

    def patiently(self, send: Callable[[], str], until: str | None = None) -> str:
        """Return the provider's id of the message; raise TryAgain after the last attempt.

        Raise Refused once it is too late.
        """
        attempt = 1
        while until is None or now() < dt.datetime.fromisoformat(until):
            try:
                return send()
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

    def mark(self, marks: list[Message], status: str | None = None) -> list[int]:
        """Hand the marks back; the rows of those that are refused."""
        if not marks:
            return []
        lines = [json.dumps({**mark, "status": status or mark["status"]}) for mark in marks]
        if self.options.intake:
            refused = self.post_marks("\n".join(lines))
            found = [(marks[each["index"]]["id"], each["why"]) for each in refused]
        else:
            rejects = f"{self.options.database or self.options.org}.rejects.csv"
            command = ["mark", *self.where, "-", "--json", "--rejects", rejects]
            answer = json.loads(almanac(command, "\n".join(lines) + "\n"))
            found = [(each["id"], each["why"]) for each in answer["refused"]]
        for row, why in found:
            print(f"row {row}: {why}", file=sys.stderr)
        return [row for row, _ in found]

    def post_marks(self, lines: str) -> list[Message]:
        """Post marks to the function `intake`; what it refuses."""
        headers = {"Content-Type": "application/x-ndjson", "Idempotency-Key": str(uuid.uuid4())}
        if token := os.environ.get("INTAKE_TOKEN"):
            headers["Authorization"] = f"Bearer {token}"
        url = f"{self.options.intake}/orgs/{self.options.org}/deliveries"
        found: list[Message] = []

        def once() -> str:
            answer, _ = post(url, lines.encode(), headers)
            found[:] = json.loads(answer)["refused"]
            return ""

        try:
            self.patiently(once)
        except Refused as error:  # all of them
            return [{"index": at, "why": str(error)} for at in range(lines.count("\n") + 1)]
        return found


class Api:
    """A provider that knows idempotency keys, templates and times of sending."""

    knows_keys = True

    def __init__(self, url: str) -> None:
        self.url = url

    def send_email(self, message: Message) -> str:
        """Hand over an e-mail; the provider's id of it."""
        return self.send(
            {
                "to": message["email"],
                "template": message["email_template"],
                "values": values(message),
                "send_at": message["email_at"],
                "reference": message["id"],  # comes back with everything the provider reports
            }
        )

    def send_text(self, message: Message) -> str:
        """Hand over a text message."""
        return self.send(
            {
                "to": message["phone"],
                "template": message["sms_template"],
                "values": values(message),
                "send_at": message["sms_at"],
                "reference": f"{message['id']}-sms",
            }
        )

    def send(self, body: Message) -> str:
        headers = {"Content-Type": "application/json", "Idempotency-Key": str(body["reference"])}
        answer, _ = post(self.url, json.dumps(body).encode(), headers)
        try:
            return str(json.loads(answer)["id"])
        except (ValueError, KeyError) as error:
            raise TryAgain(str(error)) from None


class SendGrid:
    """SendGrid's API: email_template is the id of a dynamic template."""

    knows_keys = False

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options

    def send_email(self, message: Message) -> str:
        body: Message = {
            "from": {"email": self.options.sender},
            "template_id": message["email_template"],
            "personalizations": [
                {
                    "to": [{"email": message["email"]}],
                    "dynamic_template_data": values(message),
                    # comes back with everything that SendGrid reports to our webhook
                    "custom_args": {"almanac_id": str(message["id"])},
                }
            ],
        }
        if message["email_at"] and (at := dt.datetime.fromisoformat(message["email_at"])) > now():
            body["send_at"] = int(at.timestamp())
        headers = {"Content-Type": "application/json"}
        headers["Authorization"] = f"Bearer {os.environ.get('SENDGRID_API_KEY', '')}"
        _, found = post(self.options.sendgrid_url, json.dumps(body).encode(), headers, keys=False)
        return str(found.get("X-Message-Id", ""))

    def send_text(self, message: Message) -> str:
        raise Refused("SendGrid sends no text messages")


class Smtp:
    """Any server that takes mail by SMTP."""

    knows_keys = False

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options

    def send_email(self, message: Message) -> str:
        if message["email_at"] and not self.options.at_once:
            at = dt.datetime.fromisoformat(message["email_at"])
            time.sleep(max(0.0, (at - now()).total_seconds()))
        mail = self.mail(message)
        try:
            with self.connected() as server:
                server.send_message(mail)
        except smtplib.SMTPRecipientsRefused as error:
            ((code, why),) = error.recipients.values()
            raise _answered(code, why) from None
        except smtplib.SMTPResponseException as error:
            raise _answered(error.smtp_code, error.smtp_error) from None
        except (OSError, smtplib.SMTPException) as error:
            raise Unknown(str(error)) from None
        return str(mail["Message-ID"])

    def connected(self) -> smtplib.SMTP:
        """A connection; until there is one, nothing was sent."""
        host, _, port = self.options.smtp.partition(":")
        try:
            server = smtplib.SMTP(host, int(port or 25), timeout=30)
            server.ehlo()
            if server.has_extn("starttls"):
                server.starttls()
            if user := os.environ.get("SMTP_USER"):
                server.login(user, os.environ.get("SMTP_PASSWORD", ""))
        except smtplib.SMTPResponseException as error:
            raise _answered(error.smtp_code, error.smtp_error) from None
        except (OSError, smtplib.SMTPException) as error:
            raise TryAgain(str(error)) from None
        return server

    def mail(self, message: Message) -> email.message.EmailMessage:
        """The e-mail, its template filled in."""
        name = str(message["email_template"])
        text = f"$template\n\nDear $first_name,\n\nthis is about {message['email_type']}.\n"
        if self.options.templates:
            text = (self.options.templates / f"{Path(name).name}.txt").read_text("utf-8")
        given = {key: value or "" for key, value in values(message).items()} | {"template": name}
        subject, _, body = string.Template(text).safe_substitute(given).partition("\n\n")
        mail = email.message.EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = self.options.sender, message["email"], subject
        mail["Message-ID"] = email.utils.make_msgid(str(message["id"]))
        mail["Date"] = email.utils.localtime()
        mail["X-Almanac-Id"] = str(message["id"])
        mail.set_content(body)
        return mail

    def send_text(self, message: Message) -> str:
        raise Refused("SMTP sends no text messages")


def _answered(code: int, why: bytes | str) -> Exception:
    text = f"SMTP {code}: {why.decode(errors='replace') if isinstance(why, bytes) else why}"
    return TryAgain(text) if code < 500 else Refused(text)


def post(
    url: str, body: bytes, headers: dict[str, str], *, keys: bool = True
) -> tuple[bytes, Message]:
    """One attempt; the answer's body and headers. keys: the same again is harmless."""
    request = urllib.request.Request(url, body, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read(), dict(answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 429 or error.code >= 500:
                after = error.headers.get("Retry-After", "")
                seconds = float(after) if after.isdigit() else None
                raise TryAgain(f"HTTP {error.code}", seconds) from None
            raise Refused(f"HTTP {error.code}: {error.read(200).decode()}") from None
    except (OSError, ValueError) as error:  # no answer, or none that can be read
        never_left = isinstance(getattr(error, "reason", None), ConnectionRefusedError)
        raise (TryAgain if keys or never_left else Unknown)(str(error)) from None


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
