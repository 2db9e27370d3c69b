"""Almanac plans which message each contact of an insurance agency gets on which day."""

__version__ = "0.1.0"
