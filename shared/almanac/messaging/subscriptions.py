"""The table of push subscriptions: which function gets which topic's messages, and how.

The emulation makes its subscriptions from this table; the Terraform files are compared with it.
"""

from __future__ import annotations

from dataclasses import dataclass

from almanac.messaging.topics import Topics


@dataclass(frozen=True, slots=True)
class Subscription:
    """A push subscription: a topic's messages go to one function."""

    function: str  # its folder below functions/, its target, and its name among the handlers
    topic: str  # without the installation's prefix
    # Then the message becomes a dead letter. With pauses that double from min_backoff to
    # max_backoff, 20 attempts take two and a half hours, 100 take sixteen.
    max_delivery_attempts: int
    # Pub/Sub's maximum. A function's own timeout must be shorter, else the message is delivered
    # again while the function still runs.
    ack_deadline_seconds: int = 600
    # Most failures last for more than a second: the lease is taken, a service is down.
    min_backoff_seconds: int = 10
    max_backoff_seconds: int = 600

    def topic_name(self, topics: Topics) -> str:
        """Return the topic's name in an installation."""
        return f"{topics.prefix}{self.topic}"

    def name(self, topics: Topics) -> str:
        """Return the subscription's name in an installation."""
        return f"{topics.prefix}{self.function.replace('_', '-')}"


_TOPICS = Topics()

# A message that may wait for another run of its organization has as many attempts as Pub/Sub
# allows; a shard or merge that fails for longer than a lease lasts belongs to a run that is over.
SUBSCRIPTIONS = {
    each.function: each
    for each in (
        Subscription("orchestrator", _TOPICS.run_requests, max_delivery_attempts=100),
        Subscription("shard", _TOPICS.shard_tasks, max_delivery_attempts=20),
        Subscription("merge", _TOPICS.shard_results, max_delivery_attempts=20),
        Subscription("campaign_change", _TOPICS.campaign_changes, max_delivery_attempts=100),
        Subscription("intake_events", _TOPICS.intake, max_delivery_attempts=100),
    )
}

# Dead letters are lost unless a subscription keeps them for an operator.
DEAD_LETTER_RETENTION_SECONDS = 7 * 24 * 3600


def dead_letter_subscription(topics: Topics) -> str:
    """Return the name of the pull subscription that keeps the dead letters."""
    return topics.dead_letters
