"""Contacts of a generated agency, a chunk of ids at a time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import chain

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from almanac.civil import anniversary, is_leap, month_day_of, year_of
from almanac.frames import Days, Ids
from almanac.generation import facts
from almanac.generation.draws import Draws, Mask, Numbers, constant, dates, join, pick
from almanac.generation.oddities import make_odd
from almanac.generation.places import STATES
from almanac.generation.shape import DatePattern, ExtraColumn, Shape

CHUNK = 100_000  # contacts
# Ids of a chunk begin at a multiple of this, regardless of the gaps in earlier chunks.
ID_STRIDE = CHUNK + CHUNK // facts.GAP_EVERY * (facts.GAP_LONGEST + 1)
LEAP_DAY = 31 + 28  # as a key of civil.month_day_of
PHONE_NUMBERS = 100  # 555-0100 to 555-0199

_DAYS_A_YEAR = 365.2425


@dataclass(frozen=True)
class ContactChunk:
    """Rows of `contacts`, and their data that the other tables need."""

    ids: Ids
    birth: Days  # the true dates, even if the text is odd
    effective: Days
    email: pa.Array
    agent: Ids
    first_free_id: int  # from here to the next chunk's first id no contact exists
    rows: pa.RecordBatch


def contact_chunk(
    draws: Draws, number: int, count: int, total: int, as_of: int, shape: Shape
) -> ContactChunk:
    """Return chunk `number` (from 0) with `count` of `total` contacts; as_of is a day number."""
    ids = _ids(draws, number, count)
    women = draws.chance(facts.WOMEN_SHARE, count)
    first = np.where(women, _name_codes(draws, facts.WOMEN, count), 0)
    first += np.where(women, 0, _name_codes(draws, facts.MEN, count) + len(facts.WOMEN.split()))
    last = _name_codes(draws, facts.SURNAMES, count)
    birth = _births(draws, count, as_of, shape)
    effective = _effective_dates(draws, birth, as_of, shape)
    state = draws.codes([shape.states.get(s.code, 0) for s in STATES], count)
    agent = 1 + draws.below(max(1, round(total * shape.agents)), count)
    created = as_of - draws.between(2, 2200, count)
    updated = created + 1 + draws.below(as_of - 1 - created, count)
    columns = {
        "id": pa.array(ids),
        "first_name": pick(_first_names(), first),
        "last_name": pick(_surnames(), last),
        "email": _emails(draws, ids, first, last),
        "current_carrier": draws.words(shape.carriers, count),
        "plan_type": draws.words(shape.plan_types, count),
        "effective_date": dates(effective),
        "birth_date": dates(birth),
        "tobacco_user": _flags(draws.chance(shape.tobacco, count)),
        "gender": pick(["M", "F"], women.astype(np.int64)),
        "state": pick([s.code for s in STATES], state),
        "zip_code": _zips(draws, state),
        "agent_id": pa.array(agent),
        "phone_number": _phones(draws, state, shape.phones),
        "status": draws.words(shape.statuses, count),
        "created_at": draws.stamps(created),
        "updated_at": draws.stamps(updated),
        "failed_underwriting": _flags(draws.chance(shape.failed_underwriting, count)),
    }
    if shape.genders is not None:
        columns["gender"] = draws.words(shape.genders, count)
    if shape.repeated_emails:
        columns["email"] = _repeated(draws, columns["email"], shape.repeated_emails)
    columns |= {extra.name: _extra(draws, extra, count) for extra in shape.extra_columns}
    make_odd(draws, columns, shape.oddities, count)
    return ContactChunk(
        ids=ids,
        birth=birth.astype(np.int32),
        effective=effective.astype(np.int32),
        email=columns["email"],
        agent=agent,
        first_free_id=int(ids[-1]) + 1,
        rows=pa.RecordBatch.from_pydict(columns),
    )


def _ids(draws: Draws, number: int, count: int) -> Ids:
    """Return ascending ids with some gaps."""
    steps = np.ones(count, np.int64)
    gaps = count // facts.GAP_EVERY
    steps[draws.below(count, gaps)] += draws.between(1, facts.GAP_LONGEST, gaps)
    return number * ID_STRIDE + np.cumsum(steps)


def _births(draws: Draws, count: int, as_of: int, shape: Shape) -> Numbers:
    """Return birth dates of people who have the ages of the shape, or of `facts.AGES`, on as_of."""
    if shape.births is not None:
        return _by_pattern(draws, shape.births, count, as_of)
    age = draws.spans(facts.AGES, count)
    # less than a year more, so that no age is a year above the drawn one
    whole_years: Numbers = np.ceil(age * _DAYS_A_YEAR).astype(np.int64)
    return as_of - whole_years - draws.below(364, count)


def _by_pattern(draws: Draws, pattern: DatePattern, count: int, as_of: int) -> Numbers:
    """Return dates whose completed years, months and days of the month are as in the pattern."""
    years = draws.spans(pattern.years, count)
    month, day = draws.codes(pattern.months, count), draws.codes(pattern.days, count)
    leap = draws.chance(pattern.leap, count)
    february = np.where(month == 1, 27, 30)
    month_day = np.where(leap, LEAP_DAY, month * 31 + np.minimum(day, february))
    today = np.array([as_of], np.int32)
    year = int(year_of(today)[0]) - years - (month_day > int(month_day_of(today)[0]))
    before = year - year % 4
    before -= 4 * ~is_leap(before)
    return anniversary(month_day, np.where(leap, before, year)).astype(np.int64)


def _effective_dates(draws: Draws, birth: Numbers, as_of: int, shape: Shape) -> Numbers:
    """Return effective dates by the shape; else by `facts.POLICY_MONTHS`, of adults, many on the
    1st of a month."""
    count = len(birth)
    if shape.effective_dates is not None:
        return _by_pattern(draws, shape.effective_dates, count, as_of)
    this_month = int(np.datetime64(as_of, "D").astype("datetime64[M]").astype(np.int64))
    adult = birth + round(facts.YOUNGEST_POLICY_YEARS * _DAYS_A_YEAR)
    first_month = adult.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) + 1
    month: Numbers = np.maximum(this_month - draws.spans(facts.POLICY_MONTHS, count), first_month)
    start, end = _month_start(month), _month_start(month + 1)
    on_first = draws.chance(facts.FIRST_OF_MONTH_SHARE, count)
    offset: Numbers = np.where(on_first, 0, 1 + draws.below(end - start - 1, count))
    return start + offset


def _month_start(months: Numbers) -> Numbers:
    """Return the day number of the 1st of each month, counted from January 1970."""
    starts: Numbers = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    return starts


def _flags(mask: Mask) -> pa.Array:
    return pa.array(mask.astype(np.int64))


def _name_codes(draws: Draws, names: str, count: int) -> Numbers:
    ranks = range(len(names.split()))
    return draws.codes([1 / (rank + facts.NAME_FLATNESS) for rank in ranks], count)


@cache
def _first_names() -> list[str]:
    return facts.WOMEN.split() + facts.MEN.split()


@cache
def _surnames() -> list[str]:
    return [name.replace("-", " ") for name in facts.SURNAMES.split()]


@cache
def _local_parts() -> tuple[list[str], list[str]]:
    """Return the first parts of addresses, three for each first name, and the second parts."""
    starts = [text for n in _first_names() for text in (f"{n.lower()}.", n[0].lower(), f"{n}_")]
    ends = ["".join(c for c in name.lower() if c.isalpha()) for name in _surnames()]
    return starts, ends


def _emails(draws: Draws, ids: Ids, first: Numbers, last: Numbers) -> pa.Array:
    """Return addresses such as mary.smith4711@example.com, which the id makes unique."""
    starts, ends = _local_parts()
    style = draws.codes([60, 35, 5], len(ids))
    return join(
        pick(starts, first * 3 + style),
        pick(ends, last),
        pa.array(ids).cast(pa.string()),
        "@",
        draws.words(facts.EMAIL_DOMAINS, len(ids)),
    )


def _repeated(draws: Draws, emails: pa.Array, share: float) -> pa.Array:
    """Return the addresses, of which a share is replaced by that of any row."""
    count = len(emails)
    row = np.arange(count)
    other = draws.below(count, count)
    return emails.take(pa.array(np.where(draws.chance(share, count), other, row)))


def _extra(draws: Draws, extra: ExtraColumn, count: int) -> pa.Array:
    """Return a flag, or the same value in all rows; NULL in those that are not filled."""
    empty = ~draws.chance(extra.filled, count)
    if extra.true is not None:
        return pa.array(draws.chance(extra.true, count).astype(np.int64), mask=empty)
    values = constant("x" if extra.kind == "TEXT" else 1, count)
    return pc.if_else(pa.array(empty), pa.scalar(None, values.type), values)


@cache
def _zip_table() -> tuple[list[str], Numbers, Numbers]:
    """Return all ZIP codes, and the start and the number of those of each state."""
    codes = [state.zip_codes for state in STATES]
    sizes = np.array([len(c) for c in codes], np.int64)
    return list(chain.from_iterable(codes)), np.cumsum(sizes) - sizes, sizes


def _zips(draws: Draws, state: Numbers) -> pa.Array:
    texts, starts, sizes = _zip_table()
    return pick(texts, starts[state] + draws.below(sizes[state], len(state)))


@cache
def _phone_texts() -> list[str]:
    """Return the fictitious numbers of every state in two spellings, and "" at the end."""
    spellings = ("({area}) 555-01{n:02d}", "{area}55501{n:02d}")
    return [
        spelling.format(area=state.area_code, n=n)
        for spelling in spellings
        for state in STATES
        for n in range(PHONE_NUMBERS)
    ] + [""]


def _phones(draws: Draws, state: Numbers, share: float) -> pa.Array:
    count = len(state)
    texts = _phone_texts()
    spelling = draws.codes([4, 1], count)
    number = (spelling * len(STATES) + state) * PHONE_NUMBERS + draws.below(PHONE_NUMBERS, count)
    return pick(texts, np.where(draws.chance(share, count), number, len(texts) - 1))
