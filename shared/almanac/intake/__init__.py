"""What comes in between runs: events, the inbox, and how they are applied."""
