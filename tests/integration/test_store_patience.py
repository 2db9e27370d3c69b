"""Commands over a bucket whose answers are lost or refused: the result is what happened."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from almanac.organizations.earlier_configs import replace_config
from almanac.storage import layout
from almanac.storage.cloud import CloudStore
from almanac.storage.patience import Patience
from almanac_emulation.cloud_storage.faults import Fault, Faults
from tests.support.cli_calls import Answer, almanac
from tests.support.storage_stores import cloud_store, storage_emulator
from tests.support.tiny import Agency

ORG = "206"
CONFIG = layout.config(ORG)
ALWAYS = 10_000  # times


@pytest.fixture
def faults() -> Iterator[Faults]:
    found = storage_emulator()[0].faults
    yield found
    found.clear()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds between a failed request and the next, for which nothing waits."""
    found: list[float] = []
    defaults = Patience.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "sleep", found.append)
    monkeypatch.setitem(defaults, "clock", lambda: sum(found))
    return found


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, pauses: list[float]) -> CloudStore:
    """The bucket of the commands."""
    made = cloud_store()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", storage_emulator()[0].url)
    monkeypatch.setenv("ALMANAC_STORE", f"gs://{made.bucket_name}")
    return made


def pushed(folder: Path, times: int) -> Path:
    path = folder / "agency.sqlite3"
    agency = Agency(path)
    for number in range(times):
        agency.contact(number + 1)
        assert almanac("store", "push", ORG, path).code == 0
    agency.contact(times + 1)
    return path


def check_error(answer: Answer, *parts: str) -> None:
    """A failure is one sentence, of our words."""
    assert (answer.code, answer.err.count("\n")) == (1, 1)
    for part in parts:
        assert part in answer.err
    for raw in ("{", "http", "urllib", "Exception", "Connection", "Traceback"):
        assert raw not in answer.err


@pytest.mark.parametrize("status", [403, 503])
def test_a_lease_that_is_not_released_is_a_warning_beside_the_result(
    store: CloudStore, faults: Faults, pauses: list[float], tmp_path: Path, status: int
) -> None:
    pushed(tmp_path, 2)
    faults.add(Fault("delete", layout.lease(ORG), status=status, times=ALWAYS))
    answer = almanac("store", "rollback", ORG, 1)
    assert (answer.code, answer.out) == (
        0,
        "Organization 206: version 1 is current again, in place of 2.\n",
    )
    assert answer.err.startswith("Warning: organization 206: the lease was not released (")
    assert "; it ends by itself at " in answer.err
    assert answer.err.count("\n") == 1
    assert sum(pauses) < 61


@pytest.mark.parametrize("times", [1, ALWAYS])
def test_a_lease_that_arrives_damaged_when_it_is_released_changes_no_result(
    store: CloudStore, faults: Faults, tmp_path: Path, times: int
) -> None:
    def damage() -> None:
        faults.add(Fault("media", layout.lease(ORG), altered=True, times=times))

    pushed(tmp_path, 2)
    faults.add(Fault("upload", layout.current(ORG), afterwards=damage))
    answer = almanac("store", "rollback", ORG, 1)
    assert (answer.code, answer.out) == (
        0,
        "Organization 206: version 1 is current again, in place of 2.\n",
    )
    warned = "Warning: organization 206: the lease was not released (" in answer.err
    assert warned == (times > 1) == (store.stat(layout.lease(ORG)) is not None)
    assert answer.err.count("\n") == warned


def test_an_error_stays_the_error_when_the_lease_is_not_released(
    store: CloudStore, faults: Faults, tmp_path: Path
) -> None:
    pushed(tmp_path, 2)
    faults.add(Fault("delete", layout.lease(ORG), status=403, times=ALWAYS))
    answer = almanac("store", "rollback", ORG, 7)
    assert answer.code == 2
    assert "Error: organization 206: version 7 is not kept" in answer.err


@pytest.mark.parametrize("name", ["current.json", "config.yaml"])
def test_a_command_tries_again_for_a_minute_in_all_and_says_so(
    store: CloudStore, faults: Faults, pauses: list[float], tmp_path: Path, name: str
) -> None:
    path = pushed(tmp_path, 1)
    faults.add(Fault("upload", f"orgs/{ORG}/{name}", status=503, times=ALWAYS))
    command = ("push", ORG, path) if name == "current.json" else ("init", ORG)
    answer = almanac("store", *command)
    check_error(answer, "was not changed: ", "(status 503)", "tried again for 60 seconds")
    assert 59 < sum(pauses) < 61


def test_no_answer_to_the_read_back_leaves_the_outcome_unknown_and_names_a_command(
    store: CloudStore, faults: Faults
) -> None:
    faults.add(Fault("metadata", status=503, times=ALWAYS))
    faults.add(Fault("upload", CONFIG, afterwards=lambda: dark(faults), answer_lost=True))
    answer = almanac("store", "init", ORG)
    check_error(answer, "may have been changed, or not", f"almanac config show --org {ORG} shows")
    faults.clear()
    assert store.read(CONFIG).data.startswith(b"# Configuration")


def dark(faults: Faults) -> None:
    """From now on nothing is answered."""
    for operation in ("upload", "media", "list"):
        faults.add(Fault(operation, status=503, times=ALWAYS))


def test_a_configuration_whose_answer_is_lost_is_written(store: CloudStore, faults: Faults) -> None:
    faults.add(Fault("upload", CONFIG, answer_lost=True))
    answer = almanac("store", "init", ORG)
    assert (answer.code, answer.err) == (0, "")
    assert f"Organization {ORG}: {CONFIG} is written.\n" in answer.out


@pytest.mark.parametrize("mine", [True, False])
def test_a_configuration_that_another_writer_replaced_meanwhile_was_in_between(
    store: CloudStore, faults: Faults, tmp_path: Path, mine: bool
) -> None:
    """mine: it was written before the other's, else it never was."""
    other = cloud_store()
    other._bucket = store._bucket
    store.write(CONFIG, b"# first\n", if_generation=0)
    wanted = tmp_path / "mine.yaml"
    wanted.write_bytes(b"# mine\n")

    def meanwhile() -> None:
        replace_config(other, ORG, other.read(CONFIG), b"# other\n", "test")

    when = {"afterwards": meanwhile} if mine else {"meanwhile": meanwhile}
    faults.add(Fault("upload", CONFIG, answer_lost=True, **when))  # type: ignore[arg-type]
    answer = almanac("store", "init", ORG, "--config", wanted)
    if mine:
        assert (answer.code, answer.err) == (0, "")
    else:
        check_error(answer, "was changed meanwhile; nothing was written")
    assert store.read(CONFIG).data == b"# other\n"


def test_what_follows_a_push_does_not_replace_its_result(
    store: CloudStore, faults: Faults, tmp_path: Path
) -> None:
    path = pushed(tmp_path, 1)
    pointer = layout.current(ORG)
    refused = Fault("metadata", CONFIG, status=403, times=ALWAYS)
    faults.add(Fault("upload", pointer, afterwards=lambda: faults.add(refused)))
    answer = almanac("store", "push", ORG, path)
    assert (answer.code, answer.err) == (0, "")
    assert "is version 2, now current" in answer.out
