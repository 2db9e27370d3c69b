"""Publishing over Google Cloud Pub/Sub."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from almanac.client_errors import in_words, is_passing
from almanac.errors import AlmanacError, ConfigError, NotInstalled, RequestError, TransientError
from almanac.tracing import carrier

if TYPE_CHECKING:
    from google.pubsub_v1 import PublisherClient

# Pub/Sub takes at most 1000 messages and 10 MB a request
_BATCH_MESSAGES = 1000
_BATCH_BYTES = 5_000_000
_MESSAGE_BYTES = 9_900_000
_ATTEMPT_SECONDS = 15.0


class PubSubBus:
    """A Bus over the topics of a Google Cloud project; any number of threads may publish.

    Transient errors are retried for at most deadline_seconds per batch of messages. The client is
    made when first needed, since the import is slow and the process may be forked until then.
    PUBSUB_EMULATOR_HOST works as Google defines it.
    """

    def __init__(
        self,
        project: str,
        *,
        deadline_seconds: float = 60.0,
        client: PublisherClient | None = None,
    ) -> None:
        self.project = project
        self._deadline_seconds = deadline_seconds
        self._client = client
        self._lock = threading.Lock()

    def publish(
        self, topic: str, messages: Sequence[bytes], attributes: Mapping[str, str] | None = None
    ) -> None:
        if not messages:
            return
        client = self._get_client()
        # the answer to a request holds the ids of its messages, which confirms them
        for batch in _batches(topic, messages):
            self._publish(client, topic, batch, {**(attributes or {}), **carrier()})

    def _publish(
        self,
        client: PublisherClient,
        topic: str,
        batch: Sequence[bytes],
        attributes: Mapping[str, str],
    ) -> None:
        from google.api_core import exceptions
        from google.api_core.retry import Retry
        from google.auth.exceptions import GoogleAuthError
        from google.pubsub_v1 import PubsubMessage

        path = f"projects/{self.project}/topics/{topic}"
        try:
            answer = client.publish(
                topic=path,
                messages=[PubsubMessage(data=data, attributes=attributes) for data in batch],
                retry=Retry(
                    predicate=_may_pass,
                    initial=0.1,
                    maximum=10.0,
                    timeout=self._deadline_seconds,
                ),
                timeout=min(_ATTEMPT_SECONDS, self._deadline_seconds),
            )
        except exceptions.NotFound:
            raise ConfigError(
                f"topic {topic}: there is no such topic in project {self.project}"
            ) from None
        except (exceptions.GoogleAPIError, GoogleAuthError) as error:
            kind = TransientError if _may_pass(error) else AlmanacError
            needs = "; the account needs the role Pub/Sub Publisher on it"
            role = needs if isinstance(error, exceptions.Forbidden) else ""
            raise kind(f"topic {topic}: not published: {in_words(error)}{role}") from error
        if len(answer.message_ids) != len(batch):
            raise TransientError(
                f"topic {topic}: {len(answer.message_ids)} of {len(batch)} messages confirmed"
            )

    def _get_client(self) -> PublisherClient:
        with self._lock:
            if self._client is None:
                self._client = _new_client()
            return self._client


def _new_client() -> PublisherClient:
    try:
        from google.auth.exceptions import DefaultCredentialsError
        from google.pubsub_v1 import PublisherClient
    except ModuleNotFoundError as error:
        raise NotInstalled("Pub/Sub", error.name) from error
    try:
        return PublisherClient()
    except DefaultCredentialsError as error:
        raise ConfigError(f"Pub/Sub: {in_words(error)}") from error


def _may_pass(error: Exception) -> bool:
    """Return whether a retry may succeed; Pub/Sub may abort a request that has no fault."""
    from google.api_core.exceptions import Aborted

    return isinstance(error, Aborted) or is_passing(error)


def _batches(topic: str, messages: Sequence[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    for data in messages:
        if len(data) > _MESSAGE_BYTES:
            raise RequestError(
                f"topic {topic}: a message of {len(data)} bytes; at most {_MESSAGE_BYTES} fit"
            )
        if batch and (len(batch) == _BATCH_MESSAGES or size + len(data) > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(data)
        size += len(data)
    yield batch
