"""Settings that hold for all tests."""

from __future__ import annotations

import gc
import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import settings

from tests.support.tiny import Agency

# A shell that starts the tests in the background has SIGINT ignored, and programs that are started
# by tests would inherit that. A handler, unlike SIG_IGN, is not inherited.
_IN_MAIN_THREAD = threading.current_thread() is threading.main_thread()
if _IN_MAIN_THREAD and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# no deadline: a slow machine is not a wrong program; `make simulate` takes the thorough profile
settings.register_profile("quick", deadline=None, print_blob=True, max_examples=10)
settings.register_profile("thorough", deadline=None, print_blob=True, max_examples=100)
settings.load_profile("quick")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Thousands of tests are no garbage: Python does not look through them again and again."""
    gc.disable()
    yield
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True)
def _logs_go_nowhere_afterwards() -> Iterator[None]:
    """Whoever has logs written to a stream does so for one test: the next has another stream."""
    yield
    structlog.reset_defaults()


@pytest.fixture(autouse=True, scope="session")
def files_in_memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Thousands of small files and folders are quicker in memory, where the system has such."""
    tmp_path_factory.getbasetemp()  # stays where it is
    shared = Path("/dev/shm")
    before = tempfile.tempdir
    if os.access(shared, os.W_OK):
        tempfile.tempdir = str(shared)
    yield
    tempfile.tempdir = before


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for small databases."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@pytest.fixture
def agency(folder: Path) -> Agency:
    """A tiny agency, without contacts yet."""
    return Agency(folder / "agency.sqlite3")
