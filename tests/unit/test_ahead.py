"""Making things in a thread, one ahead of what is used."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from almanac.processes import ahead


def numbers(*, failing_at: int = 99) -> Iterator[int]:
    for number in range(6):
        if number == failing_at:
            raise LookupError(number)
        yield number


def test_what_is_made_comes_in_order_and_not_from_this_thread() -> None:
    with ahead(numbers(), lambda n: (n * 2, threading.get_ident())) as made:
        found = list(made)
    assert [double for double, _ in found] == [0, 2, 4, 6, 8, 10]
    assert threading.get_ident() not in {thread for _, thread in found}


def test_no_more_is_taken_than_the_one_after_the_next() -> None:
    taken: list[int] = []

    def noted() -> Iterator[int]:
        for number in numbers():
            taken.append(number)
            yield number

    with ahead(noted(), lambda n: n) as made:
        for number in made:
            assert taken == list(range(min(number + 2, 6)))


@pytest.mark.parametrize("where", ["taking", "making"])
def test_an_error_comes_in_its_turn(where: str) -> None:
    def make(number: int) -> int:
        if where == "making" and number == 3:
            raise LookupError(number)
        return number

    used: list[int] = []
    failing_at = 3 if where == "taking" else 99
    with pytest.raises(LookupError), ahead(numbers(failing_at=failing_at), make) as made:
        used.extend(made)
    assert used == [0, 1, 2]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_of_what_uses_them_leaves_no_thread_behind(error: type[BaseException]) -> None:
    def use() -> None:
        with ahead(numbers(), lambda n: n) as made:
            assert next(made) == 0
            raise error

    before = threading.active_count()
    with pytest.raises(error):
        use()
    assert threading.active_count() == before
