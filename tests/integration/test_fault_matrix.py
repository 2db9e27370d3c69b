"""Commands on a store, with a fault at one of their requests: they say what is, and act once.

`python -m tests.support.fault_table` prints the table of all of them (docs/reliability.md).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog

from tests.support.fault_commands import COMMANDS
from tests.support.fault_matrix import KINDS, Matrix
from tests.support.fault_table import MOST, tried

# where a fault decides most: the write of current.json or to the inbox, a read of the lease or of
# the messages of a day, a listing
SAMPLE = [
    ("store push", "answer lost", 15),
    ("store push", "another writer", 15),
    ("store push", "done, 503", 10),
    ("suppression end", "another writer", 2),
    ("mark", "another writer", 2),
    ("mark", "answer cut", 2),
    ("intake", "another writer", 3),
    ("contacts import", "lost, twice", 8),
    ("campaign targets add", "upload flipped", 8),
    ("store rollback", "answer flipped", 3),
    ("store rollback", "lost, twice", 12),
    ("store pull", "answer flipped", 4),
    ("store versions", "reset", 2),
    ("campaign add", "upload cut", 10),
    ("due", "answer flipped", 8),
    ("day", "429", 2),
    ("config set", "503, twice", 5),
    ("undo", "408", 6),
]


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    structlog.configure(processors=[_drop])
    folder = tmp_path_factory.mktemp("matrix")
    with pytest.MonkeyPatch.context() as patch, Matrix(folder, patch) as matrix:
        yield matrix


def _drop(*_: object) -> str:
    raise structlog.DropEvent


@pytest.mark.parametrize(("command", "kind", "at"), SAMPLE)
def test_a_command_that_meets_a_fault_acts_once_and_says_what_is(
    matrix: Matrix, command: str, kind: str, at: int
) -> None:
    assert matrix.failures(command, kind, at) == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_acts_once_and_says_what_is_whichever_request_meets_the_fault(
    matrix: Matrix, command: str, kind: str
) -> None:
    points, failures = tried(matrix, command, kind, MOST)
    assert points or not matrix.numbers(command, KINDS[kind])
    assert failures == []
