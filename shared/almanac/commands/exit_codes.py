"""The exit codes of `almanac`, and its errors in one sentence."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, NoReturn, cast

from almanac.errors import AlmanacError, InputError

OK, FAILURE, USAGE, DIFFERENT, INTERRUPTED, TERMINATED = 0, 1, 2, 3, 130, 143
# errors of SQLite that no input causes, although they name the user's file
_MACHINE_ERRORS = ("FullError", "IOError", "NoMemError")

# whose errors are about a file or the machine, wherever they come from: never a traceback
_LIBRARIES = ("apsw", "pyarrow")


def guarded(work: Callable[[], int]) -> int:
    """Return the exit code of the work; print its errors on standard error."""
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        code = work()
        sys.stdout.flush()
        return code
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
        if type(error).__module__.partition(".")[0] in _LIBRARIES:
            return failed(f"{type(error).__name__}: {' '.join(str(error).split())}", FAILURE)
        if (problem := validation_problem(error)) is not None:
            return failed(f"{getattr(error, 'title', '')} cannot be read: {problem}", FAILURE)
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def validation_problem(error: BaseException | None) -> str | None:
    """Return in words what pydantic refuses; None for another error. Help needs no pydantic."""
    if type(error).__name__ != "ValidationError":
        return None
    from almanac.validation_text import first_problem_text

    return first_problem_text(cast("Any", error))


def failed(message: str, code: int) -> int:
    """Print the error, and return the code."""
    print(f"Error: {message}", file=sys.stderr)
    return code


def warned(message: str) -> None:
    """Print what an operator should know, and what does not change the result."""
    print(f"Warning: {message}", file=sys.stderr)


def interrupted() -> int:
    """Say so, and return the code; a run commits in one transaction, so nothing is to be undone."""
    print("Interrupted", file=sys.stderr)
    return INTERRUPTED


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    """Exit as after Ctrl-C, so that all temporary files are removed."""
    raise SystemExit(TERMINATED)


def _code(error: AlmanacError) -> int:
    if any(type(each).__name__ in _MACHINE_ERRORS for each in _causes(error)):
        return FAILURE
    return USAGE if isinstance(error, InputError) else FAILURE


def _is_interrupt(error: BaseException) -> bool:
    """Return whether Ctrl-C came first, and what was to be done at the end then failed."""
    return any(isinstance(each, KeyboardInterrupt) for each in _causes(error))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
