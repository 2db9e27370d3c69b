"""Random draws by column, and dates and times as text. Nothing here reads a clock."""

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
        """Return True for about `share` of `count` rows; the share may differ by row."""
        return self._generator.random(count) < share

    def below(self, limits: Numbers | int, count: int) -> Numbers:
        """Return an integer of 0 to limit - 1 for each row; 0 if the limit is below 1."""
        drawn: Numbers = np.floor(self._generator.random(count) * limits).astype(np.int64)
        return np.maximum(drawn, 0)

    def between(self, first: int, last: int, count: int) -> Numbers:
        """Return an integer of `first` to `last`, both included, for each row."""
        return first + self.below(last - first + 1, count)

    def codes(self, weights: Sequence[float], count: int) -> Numbers:
        """Return an index into the weights for each row, distributed by weight."""
        steps = np.cumsum(np.asarray(weights, np.float64))
        drawn = self._generator.random(count) * steps[-1]
        codes: Numbers = np.searchsorted(steps, drawn, side="right")
        return np.minimum(codes, len(steps) - 1)

    def spans(self, spans: Sequence[tuple[int, int, float]], count: int) -> Numbers:
        """Return an integer of one of the spans (from, before, weight) for each row."""
        which = self.codes([weight for _, _, weight in spans], count)
        first = np.array([first for first, _, _ in spans], np.int64)
        size = np.array([last - first for first, last, _ in spans], np.int64)
        start: Numbers = first[which]
        return start + self.below(size[which], count)

    def distinct(self, weights: Sequence[float], sizes: Numbers) -> Numbers:
        """Return for each row as many different indexes into the weights as `sizes` says."""
        drawn = self._generator.random((len(sizes), len(weights)))
        # the row's first ones in this order are a draw by weight without replacement
        order = np.argsort(np.log(drawn) / np.maximum(weights, 1e-9), axis=1)[:, ::-1]
        chosen: Numbers = order[np.arange(len(weights)) < sizes[:, None]].astype(np.int64)
        return chosen

    def words(self, weights: Mapping[str, float], count: int) -> pa.Array:
        """Return one of the texts for each row, distributed by weight."""
        return pick(list(weights), self.codes(list(weights.values()), count))

    def stamps(self, days: Numbers) -> pa.Array:
        """Return a time of each day from 7:00 to 19:00 as `YYYY-MM-DD HH:MM:SS`."""
        seconds = self.between(7 * _HOUR, 19 * _HOUR - 1, len(days))
        moments = pa.array(days.astype(np.int64) * _DAY + seconds, pa.timestamp("s"))
        return moments.cast(pa.string())


def pick(texts: Sequence[str], codes: Numbers) -> pa.Array:
    """Return the text of each code, an index into the texts."""
    return pa.array(texts, pa.string()).take(pa.array(codes))


def dates(days: Numbers, missing: Mask | None = None) -> pa.Array:
    """Return each day since 1970-01-01 as `YYYY-MM-DD`; null where missing."""
    return pa.array(days.astype(np.int32), pa.date32(), mask=missing).cast(pa.string())


def constant(value: str | int | None, count: int) -> pa.Array:
    """Return the same value `count` times."""
    kind = pa.int64() if isinstance(value, int) else pa.string()
    return pa.repeat(pa.scalar(value, kind), count)


def join(*parts: pa.Array | str) -> pa.Array:
    """Join the parts of each row to one text."""
    return pc.binary_join_element_wise(*parts, "")
