"""Standard output and error for a command: a reader that is gone changes nothing."""

from __future__ import annotations

import io
import os
import sys
from typing import Any


def open_streams() -> None:
    """Replace the process's standard output and error by streams that outlive their reader.

    What is written after the reader is gone is discarded, so that a command does what it would
    have done, and ends with the same exit code. A name that the terminal cannot show does not end
    a command either.
    """
    sys.stdout = _lasting(sys.stdout, "standard output")
    sys.stderr = _lasting(sys.stderr, "standard error")


def _lasting(stream: Any, name: str) -> Any:
    if stream is None:  # closed by the caller
        return io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    stream.reconfigure(errors="backslashreplace")
    try:
        number = stream.fileno()
    except OSError:  # kept in memory
        return stream
    stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_Lasting(number, name)),
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


class _Lasting(io.FileIO):
    """A file descriptor that leads nowhere once its reader is gone, or after an error."""

    def __init__(self, number: int, label: str) -> None:
        super().__init__(number, "w", closefd=False)
        self._label = label

    def write(self, data: Any, /) -> int:
        """Write as FileIO does; raise OSError that names the stream, but for a closed pipe."""
        try:
            return super().write(data)
        except BrokenPipeError:
            self._discard()
            return memoryview(data).nbytes
        except OSError as error:
            self._discard()  # what is buffered would fail again at the end of the process
            raise OSError(error.errno, error.strerror, self._label) from error

    def _discard(self) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)
