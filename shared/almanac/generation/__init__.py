"""Generated agencies: realistic databases, the same for the same seed."""

from __future__ import annotations

from almanac.generation.writing import Summary, check_new, generate

__all__ = ["Summary", "check_new", "generate"]
