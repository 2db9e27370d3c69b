"""The outbox of a sender, its feedback, and suppressions."""
