"""How `almanac` ends: exit codes, and errors in one sentence."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import NoReturn

from almanac.errors import AlmanacError, InputError

OK, FAILURE, USAGE, INTERRUPTED, TERMINATED = 0, 1, 2, 130, 143
# errors of SQLite that no input causes, though they name the user's file
_OF_THE_MACHINE = ("FullError", "IOError", "NoMemError")


def guarded(work: Callable[[], int]) -> int:
    """The exit code of the work; what goes wrong is told on standard error."""
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        code = work()
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # whoever read our output has had enough; nothing more can be said to them
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILURE
    except KeyboardInterrupt:
        return interrupted()
    except AlmanacError as error:
        return interrupted() if _is_interrupt(error) else failed(str(error), _code(error))
    except MemoryError:
        return failed("not enough memory; try --workers 1", FAILURE)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return failed(f"{where}{error.strerror or error}", FAILURE)
    except Exception as error:
        if _is_interrupt(error):
            return interrupted()
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def failed(message: str, code: int) -> int:
    """Tells the error, and returns the code."""
    print(f"Error: {message}", file=sys.stderr)
    return code


def interrupted() -> int:
    """A run changes its database in one step or not at all, so there is nothing to tidy up."""
    print("Interrupted", file=sys.stderr)
    return INTERRUPTED


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    """Ends as after Ctrl-C, with all temporary files removed."""
    raise SystemExit(TERMINATED)


def _code(error: AlmanacError) -> int:
    if any(type(each).__name__ in _OF_THE_MACHINE for each in _causes(error)):
        return FAILURE
    return USAGE if isinstance(error, InputError) else FAILURE


def _is_interrupt(error: BaseException) -> bool:
    """Whether Ctrl-C is behind it: ADBC raises an error of its own then."""
    return any(isinstance(each, KeyboardInterrupt) for each in _causes(error))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
