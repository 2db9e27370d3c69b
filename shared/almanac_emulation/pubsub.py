"""Google's Pub/Sub emulator, and the topics and subscriptions in it."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from almanac.errors import AlmanacError
from almanac.messaging.subscriptions import DEAD_LETTER_RETENTION_SECONDS, Subscription
from almanac.messaging.subscriptions import dead_letter_subscription as letters
from almanac.messaging.topics import Topics
from almanac_emulation.processes import HOST, Service
from almanac_emulation.requirements import emulator_jar, java

if TYPE_CHECKING:
    from google.pubsub_v1 import PublisherClient

_ANSWER_SECONDS = 30.0
_LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class PubSubEmulator:
    """The emulator in its own process, with its messages in memory."""

    def __init__(self, project: str, log: Path) -> None:
        self.project = project
        jar = str(emulator_jar())
        # it lives for minutes: what optimizes a long life costs more than it saves
        options = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        self.service = Service(
            "pubsub",
            lambda port: [java(), *options, "-jar", jar, f"--host={HOST}", f"--port={port}"],
            log,
        )

    def start(self) -> None:
        """Start the emulator, and wait until it answers."""
        self.service.start()
        self.service.wait_until_ready()

    def stop(self) -> None:
        """Stop the emulator; its messages are lost."""
        self.service.stop()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def host(self) -> str:
        """Return the value of PUBSUB_EMULATOR_HOST."""
        return f"{HOST}:{self.service.port}"

    def publisher(self) -> PublisherClient:
        """Return a client of this emulator; the environment does not matter."""
        import grpc  # type: ignore[import-untyped]
        from google.pubsub_v1 import PublisherClient
        from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport

        channel = grpc.insecure_channel(self.host)
        return PublisherClient(transport=PublisherGrpcTransport(channel=channel))

    def create_topic(self, topic: str) -> None:
        """Create a topic."""
        self._call("PUT", f"topics/{topic}", {})

    def create_dead_letters(self, topics: Topics) -> None:
        """Create the dead-letter topic, and the subscription that keeps the dead letters."""
        self.create_topic(topics.dead_letters)
        self._call(
            "PUT",
            f"subscriptions/{letters(topics)}",
            {
                "topic": self._path(f"topics/{topics.dead_letters}"),
                "messageRetentionDuration": f"{DEAD_LETTER_RETENTION_SECONDS}s",
                "expirationPolicy": {},
            },
        )

    def create_push(
        self,
        subscription: Subscription,
        topics: Topics,
        url: str,
        max_delivery_attempts: int | None = None,
    ) -> None:
        """Create the push subscription to the function at url; the dead-letter topic must exist.

        It differs from the cloud in its waits only: without a retry policy a message that failed
        is delivered again after about a second instead of ten.
        """
        topic = self._path(f"topics/{subscription.topic_name(topics)}")
        self._call(
            "PUT",
            f"subscriptions/{subscription.name(topics)}",
            {
                "topic": topic,
                # functions-framework takes the event's source from the path
                "pushConfig": {"pushEndpoint": f"{url}/{topic}"},
                "ackDeadlineSeconds": subscription.ack_deadline_seconds,
                "expirationPolicy": {},
                "deadLetterPolicy": {
                    "deadLetterTopic": self._path(f"topics/{topics.dead_letters}"),
                    "maxDeliveryAttempts": max_delivery_attempts
                    or subscription.max_delivery_attempts,
                },
            },
        )

    def dead_letters(self, topics: Topics) -> list[bytes]:
        """Remove the dead letters; return the data of each."""
        path = f"subscriptions/{letters(topics)}"
        answer = self._call(
            "POST", f"{path}:pull", {"maxMessages": 1000, "returnImmediately": True}
        )
        received = answer.get("receivedMessages", [])
        if received:
            self._call("POST", f"{path}:acknowledge", {"ackIds": [r["ackId"] for r in received]})
        return [base64.b64decode(each["message"].get("data", "")) for each in received]

    def _path(self, name: str) -> str:
        return f"projects/{self.project}/{name}"

    def _call(self, method: str, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(
            f"{self.service.url}/v1/{self._path(name)}",
            data=json.dumps(body).encode(),
            method=method,
            headers={"Content-Type": "application/json"},
        )
        try:
            with _LOCAL.open(request, timeout=_ANSWER_SECONDS) as answer:
                content: dict[str, Any] = json.load(answer)
                return content
        except urllib.error.HTTPError as error:
            with error:
                raise AlmanacError(f"Pub/Sub emulator: {name}: {error.read().decode()}") from None
        except OSError as error:
            raise AlmanacError(f"Pub/Sub emulator: {name}: {error}") from error
