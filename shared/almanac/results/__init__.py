"""What came of messages: counts, rates, split groups, deliverability by day."""
