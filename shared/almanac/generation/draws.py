"""Random draws by the column, and dates and times as text. Nothing here reads a clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Numbers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Shares = npt.NDArray[np.float64]

_HOUR = 3600  # seconds
_DAY = 24 * _HOUR


class Draws:
    """A stream of random columns, the same for the same numbers in `stream`."""

    def __init__(self, *stream: int) -> None:
        self._generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(stream)))

    def chance(self, share: float | Shares, count: int) -> Mask:
        """True for about `share` of `count` rows; or each row with a share of its own."""
        return self._generator.random(count) < share

    def below(self, limits: Numbers | int, count: int) -> Numbers:
        """An integer of 0 to limit - 1 for each row; 0 where the limit is below 1."""
        drawn: Numbers = np.floor(self._generator.random(count) * limits).astype(np.int64)
        return np.maximum(drawn, 0)

    def between(self, first: int, last: int, count: int) -> Numbers:
        """An integer of `first` to `last`, both included, for each row."""
        return first + self.below(last - first + 1, count)

    def codes(self, weights: Sequence[float], count: int) -> Numbers:
        """An index into the weights for each row, as often as they say."""
        steps = np.cumsum(np.asarray(weights, np.float64))
        drawn = self._generator.random(count) * steps[-1]
        codes: Numbers = np.searchsorted(steps, drawn, side="right")
        return np.minimum(codes, len(steps) - 1)

    def spans(self, spans: Sequence[tuple[int, int, int]], count: int) -> Numbers:
        """An integer of one of the spans (from, up to and without, weight) for each row."""
        which = self.codes([weight for _, _, weight in spans], count)
        first = np.array([first for first, _, _ in spans], np.int64)
        size = np.array([last - first for first, last, _ in spans], np.int64)
        start: Numbers = first[which]
        return start + self.below(size[which], count)

    def words(self, weights: Mapping[str, float], count: int) -> pa.Array:
        """One of the texts for each row, as often as their weights say."""
        return pick(list(weights), self.codes(list(weights.values()), count))

    def stamps(self, days: Numbers) -> pa.Array:
        """`YYYY-MM-DD HH:MM:SS` of some time of each day, from 7 in the morning to 7 at night."""
        seconds = self.between(7 * _HOUR, 19 * _HOUR - 1, len(days))
        moments = pa.array(days.astype(np.int64) * _DAY + seconds, pa.timestamp("s"))
        return moments.cast(pa.string())


def pick(texts: Sequence[str], codes: Numbers) -> pa.Array:
    """The text of each code, an index into the texts."""
    return pa.array(texts, pa.string()).take(pa.array(codes))


def dates(days: Numbers, missing: Mask | None = None) -> pa.Array:
    """`YYYY-MM-DD` of each day since 1970-01-01; null where missing."""
    return pa.array(days.astype(np.int32), pa.date32(), mask=missing).cast(pa.string())


def constant(value: str | int | None, count: int) -> pa.Array:
    """The same value `count` times."""
    kind = pa.int64() if isinstance(value, int) else pa.string()
    return pa.repeat(pa.scalar(value, kind), count)


def join(*parts: pa.Array | str) -> pa.Array:
    """The parts of each row put together to one text."""
    return pc.binary_join_element_wise(*parts, "")
