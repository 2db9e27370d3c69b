"""What may go wrong at a call of an instance, and how often."""

from __future__ import annotations

# Per call of an instance; the sum says how often something happens at all.
CHANCES = {
    "dies before": 0.006,
    "dies after": 0.006,
    "answer lost": 0.02,
    "refused": 0.01,
    "stale": 0.01,
    "damaged": 0.006,
    "another delivery": 0.02,
    "time passes": 0.006,
    "another writer": 0.002,
    "flipped once": 0.006,
    "overtaken by a push": 0.002,
    "overtaken by a delivery": 0.005,
    "overtaken by another run": 0.002,
}
# A write is carried out, then another writer acts, and only then the caller misses its answer.
OVERTAKEN = {
    "overtaken by a push": "another writer",
    "overtaken by a delivery": "another delivery",
    "overtaken by another run": "another run",
}
WRITES_ONLY = {"answer lost", *OVERTAKEN}
READS_ONLY = {"stale", "damaged", "flipped once"}
TRANSFERRED = ("read ", "fetch ", "read range ")  # the calls that bring data


def can_befall(fault: str, call: str, *, writes: bool) -> bool:
    """Whether the fault makes sense at a call, which begins with its kind."""
    if fault == "flipped once":
        return call.startswith(TRANSFERRED)
    if call.startswith("acknowledge"):
        return fault == "dies before"
    return writes or fault not in WRITES_ONLY
