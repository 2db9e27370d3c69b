"""The table of subscriptions."""

from __future__ import annotations

from pathlib import Path

from almanac.messaging.subscriptions import SUBSCRIPTIONS, dead_letter_subscription
from almanac.messaging.topics import Topics
from almanac.runs.handlers import HANDLERS

FUNCTIONS = Path(__file__).parents[2] / "functions"
TOPICS = Topics("test-")


def test_every_topic_but_the_dead_letters_goes_to_one_function() -> None:
    assert {name: each.topic_name(TOPICS) for name, each in SUBSCRIPTIONS.items()} == {
        "orchestrator": TOPICS.run_requests,
        "shard": TOPICS.shard_tasks,
        "merge": TOPICS.shard_results,
        "campaign_change": TOPICS.campaign_changes,
        "intake_events": TOPICS.intake,
    }


def test_every_function_of_the_table_has_a_handler_and_a_folder() -> None:
    assert SUBSCRIPTIONS.keys() == HANDLERS.keys()
    folders = {path.parent.name for path in FUNCTIONS.glob("*/main.py")}
    assert folders == {*SUBSCRIPTIONS, "status", "intake", "webhooks"}


def test_subscriptions_are_named_in_an_installation() -> None:
    assert {each.name(TOPICS) for each in SUBSCRIPTIONS.values()} == {
        "test-orchestrator",
        "test-shard",
        "test-merge",
        "test-campaign-change",
        "test-intake-events",
    }
    assert dead_letter_subscription(TOPICS) == "test-dead-letters"


def test_the_terms_are_within_what_pubsub_allows() -> None:
    for each in SUBSCRIPTIONS.values():
        assert 10 <= each.ack_deadline_seconds <= 600
        assert 5 <= each.max_delivery_attempts <= 100
        assert 0 <= each.min_backoff_seconds <= each.max_backoff_seconds <= 600
