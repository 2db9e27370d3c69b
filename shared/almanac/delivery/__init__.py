"""What a sender takes and returns, and the suppressions that keep messages from being sent."""
