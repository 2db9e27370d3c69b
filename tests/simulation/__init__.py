"""Whole years in the life of an agency, day by day."""
