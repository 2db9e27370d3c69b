"""State rules as data, and their application to contacts and days."""
