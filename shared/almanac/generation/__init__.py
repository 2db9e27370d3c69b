"""Generated agencies: realistic databases, the same for the same seed."""

from __future__ import annotations

from almanac.generation.writing import Summary, generate

__all__ = ["Summary", "generate"]
