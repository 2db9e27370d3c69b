"""Counts of a plan and of a database, and the differences between two plans."""
