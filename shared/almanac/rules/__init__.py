"""State rules as data, and what they mean for a date."""
