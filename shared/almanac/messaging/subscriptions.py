"""Which function gets which topic's messages, and on what terms: the one table of it.

The emulation makes its subscriptions from this table, and the ones in the cloud are held against
it.
"""

from __future__ import annotations

from dataclasses import dataclass

from almanac.messaging.topics import Topics


@dataclass(frozen=True, slots=True)
class Subscription:
    """A push subscription: what a topic says goes to one function."""

    function: str  # its folder below functions/, its target, and its name among the handlers
    topic: str  # without the installation's prefix
    # After this many the message goes to the dead letters. With waits that double from
    # min_backoff to max_backoff, 20 attempts take two and a half hours, 100 take sixteen.
    max_delivery_attempts: int
    # The longest that Pub/Sub knows. A function must have stopped before (its own timeout is
    # shorter), else the message is delivered again beside it.
    ack_deadline_seconds: int = 600
    # What fails now mostly fails in a second too: the lease is taken, a service is down.
    min_backoff_seconds: int = 10
    max_backoff_seconds: int = 600

    def topic_name(self, topics: Topics) -> str:
        """The topic's name in an installation."""
        return f"{topics.prefix}{self.topic}"

    def name(self, topics: Topics) -> str:
        """The subscription's name in an installation."""
        return f"{topics.prefix}{self.function.replace('_', '-')}"


_TOPICS = Topics()

# What may have to wait for another run of its organization has as many attempts as Pub/Sub
# allows; a shard or a merge that fails longer than a lease lasts belongs to a run that is over.
SUBSCRIPTIONS = {
    each.function: each
    for each in (
        Subscription("orchestrator", _TOPICS.run_requests, max_delivery_attempts=100),
        Subscription("shard", _TOPICS.shard_tasks, max_delivery_attempts=20),
        Subscription("merge", _TOPICS.shard_results, max_delivery_attempts=20),
        Subscription("campaign_change", _TOPICS.campaign_changes, max_delivery_attempts=100),
    )
}

# Dead letters are lost unless a subscription keeps them for somebody to look at.
DEAD_LETTER_RETENTION_SECONDS = 7 * 24 * 3600


def dead_letter_subscription(topics: Topics) -> str:
    """The name of the subscription that keeps the dead letters; nobody is pushed to."""
    return topics.dead_letters
