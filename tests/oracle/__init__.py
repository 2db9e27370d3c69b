"""A slow, plain reading of the planning rules, one contact at a time, to compare the product with.

It shares no code with the product and imports nothing but the standard library and, for public
holidays, `holidays`: what both say alike was understood alike twice.
"""

from .dates import anniversary, months, parse_date
from .hashing import h
from .oracle import Plan, Row, plan
from .settings import DEFAULTS, merged
from .windows import excluded, windows

__all__ = [
    "DEFAULTS",
    "Plan",
    "Row",
    "anniversary",
    "excluded",
    "h",
    "merged",
    "months",
    "parse_date",
    "plan",
    "windows",
]
