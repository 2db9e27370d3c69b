"""Agencies to try things on: databases like those in the field, the same for the same seed."""

from __future__ import annotations

from almanac.generation.writing import Summary, generate

__all__ = ["Summary", "generate"]
