"""A fragment that is not as its shard wrote it is never read for another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from almanac.errors import Corrupt
from almanac.runs.fragments import Fragment, read_contenders
from almanac.runs.run_plan import read_plan
from almanac.storage import layout
from tests.support import agencies
from tests.support.clouds import NOW, Cloud
from tests.support.sampling import shares

RUN = f"{NOW.date()}-daily"


@pytest.fixture
def cloud(folder: Path) -> Iterator[Cloud]:
    """A run of one organization, planned by its only shard and not merged."""
    made = Cloud(folder, shard_contacts=100)
    path = agencies.build(folder / "agency.sqlite3", 3, 12, as_of=NOW.date(), config={})
    made.push("206", path)
    made.only("orchestrator", "shard")
    made.ask("206")
    made.run()
    yield made
    made.close()


@shares(23 * 16)
@pytest.mark.parametrize("bits", [0x01, 0xFF])
def test_another_byte_anywhere_is_noticed_or_makes_no_difference(
    cloud: Cloud, bits: int, every: int
) -> None:
    mark = read_plan(cloud.store, "206", RUN).fragment_mark(0)
    data = cloud.store.read(layout.fragment("206", RUN, 0)).data
    assert Fragment.from_parquet(data, "fragment", mark).to_parquet(mark) == data
    contenders = str(read_contenders(data, "fragment", mark))
    noticed = 0
    places = range(bits % 23, len(data), max(every, 23))
    for place in places:
        damaged = bytearray(data)
        damaged[place] ^= bits
        try:
            read = Fragment.from_parquet(bytes(damaged), "fragment", mark)
            assert read.to_parquet(mark) == data, f"byte {place}"
        except Corrupt:
            noticed += 1
        try:
            assert str(read_contenders(bytes(damaged), "fragment", mark)) == contenders
        except Corrupt:
            noticed += 1
    assert noticed > len(places) // 2  # of two readings each, at least a half


@pytest.mark.parametrize("length", [0, 1, 100, -1, -100])
def test_a_fragment_that_is_cut_short_is_noticed(cloud: Cloud, length: int) -> None:
    mark = read_plan(cloud.store, "206", RUN).fragment_mark(0)
    data = cloud.store.read(layout.fragment("206", RUN, 0)).data[:length]
    with pytest.raises(Corrupt, match="fragment: not a fragment of this program"):
        Fragment.from_parquet(data, "fragment", mark)
    with pytest.raises(Corrupt, match="fragment: not a fragment of this program"):
        read_contenders(data, "fragment", mark)
