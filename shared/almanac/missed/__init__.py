"""Who gets no message of a campaign or a type, and why (docs/missed.md)."""
