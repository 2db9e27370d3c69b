"""The topics of the messages between the steps."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topics:
    """Topic names with the installation's prefix, which may be empty."""

    prefix: str = ""

    @property
    def run_requests(self) -> str:
        return f"{self.prefix}run-requests"

    @property
    def shard_tasks(self) -> str:
        return f"{self.prefix}shard-tasks"

    @property
    def shard_results(self) -> str:
        return f"{self.prefix}shard-results"

    @property
    def campaign_changes(self) -> str:
        return f"{self.prefix}campaign-changes"

    @property
    def intake(self) -> str:
        return f"{self.prefix}intake"

    @property
    def dead_letters(self) -> str:
        return f"{self.prefix}dead-letters"
