"""The text of a file: its encoding, and its lines in bounded memory."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import deque
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

MAX_RECORD = 1 << 17  # characters of a row, with the line ends in it

_CHUNK = 1 << 20
_BYTE_ORDER_MARKS = (  # UTF-32 first: its mark begins with that of UTF-16
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
    (b"\xef\xbb\xbf", "utf-8-sig"),
)
_LABELS = {"utf-8": "UTF-8", "utf-8-sig": "UTF-8", "cp1252": "Windows-1252", "utf-32": "UTF-32"}
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_NOT_ASCII = re.compile("[\x80-\ud7ff\ue000-\U0010ffff]")


def _escape(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return "\udcff", error.end


codecs.register_error("almanac.escape", _escape)  # surrogateescape is for single bytes only


class Encoding(NamedTuple):
    """How the bytes of a file are decoded; those that cannot be become lone surrogates."""

    codec: str
    intact: bool  # every byte can be decoded, and there is no NUL character

    @property
    def label(self) -> str:
        return _LABELS.get(self.codec, "UTF-16")


def detect(stream: BinaryIO) -> Encoding:
    """Find the encoding of a file: read it once, and rewind it.

    Without a byte-order mark, a file that begins with ASCII in UTF-16 is UTF-16. Any other is
    UTF-8; but where some bytes are not UTF-8, and none are a UTF-8 character beyond ASCII, the
    file is Windows-1252.
    """
    codec = _codec_of(stream.read(64))
    found = _scan(stream, codec)
    if codec == "utf-8" and found.undecoded and not found.not_ascii:
        codec = "cp1252"
        found = _scan(stream, codec)
    stream.seek(0)
    return Encoding(codec, not found.undecoded and not found.nul)


def is_decoded(text: str) -> bool:
    """Return whether all characters come from bytes that could be decoded."""
    return _LONE_SURROGATE.search(text) is None


class _Scan(NamedTuple):
    undecoded: bool = False
    nul: bool = False
    not_ascii: bool = False


def _scan(stream: BinaryIO, codec: str) -> _Scan:
    """Read the whole file with the codec."""
    stream.seek(0)
    decoder = codecs.getincrementaldecoder(codec)(_errors(codec))
    undecoded = nul = not_ascii = False
    while True:
        data = stream.read(_CHUNK)
        text = decoder.decode(data, final=not data)
        nul = nul or "\0" in text
        if not text.isascii():
            undecoded = undecoded or not is_decoded(text)
            not_ascii = not_ascii or _NOT_ASCII.search(text) is not None
        if not data:
            return _Scan(undecoded, nul, not_ascii)


def _codec_of(start: bytes) -> str:
    for mark, codec in _BYTE_ORDER_MARKS:
        if start.startswith(mark):
            return codec
    pairs = len(start) // 2
    zeros = start[0::2].count(0), start[1::2].count(0)
    if pairs and zeros == (0, pairs):
        return "utf-16-le"
    if pairs and zeros == (pairs, 0):
        return "utf-16-be"
    return "utf-8"


def _errors(codec: str) -> str:
    return "almanac.escape" if codec.startswith(("utf-16", "utf-32")) else "surrogateescape"


class Lines:
    """The lines of a file, with their line ends, as a CSV reader takes them.

    The lines since the last `accept` are a record. A record that is not CSV is given back: its
    first line is skipped and the others are read again.
    """

    def __init__(self, stream: BinaryIO, longest: int = MAX_RECORD) -> None:
        """Take a seekable stream at its beginning; longest: characters of a record."""
        self._longest = longest
        self.encoding = detect(stream)
        self.number = 1  # of the record's first line
        self._stream = stream
        self._fresh = self._split()
        self._again: deque[str] = deque()
        self._record: list[str] = []
        self._size = 0  # characters of the record

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        """Return the next line. Raise csv.Error where the record is too long."""
        line = self._again.popleft() if self._again else next(self._fresh)
        self._record.append(line)
        self._size += len(line)
        if self._size > self._longest:
            raise csv.Error(f"longer than {self._longest:,} characters")
        return line

    def accept(self) -> None:
        """Begin the next record."""
        self.number += len(self._record)
        self._record.clear()
        self._size = 0

    def skip_line(self) -> str:
        """Return the record's first line, and begin the next record with the line after it."""
        first, *others = self._record
        self._again.extendleft(reversed(others))
        self.number += 1
        self._record.clear()
        self._size = 0
        return first

    def peek(self) -> str:
        """Skip blank lines. Return the next line, which remains to be read; '' at the end."""
        while True:
            try:
                line = next(self)
            except StopIteration:
                return ""
            except csv.Error:  # too long: it is raised again when the line is read
                line = self._record[0]
            if line.strip():
                self._again.appendleft(line)
                self._record.clear()
                self._size = 0
                return line
            self.accept()

    def singly(self) -> Iterator[tuple[int, str, str]]:
        """Yield (number, line, problem) for each line that is not blank."""
        while True:
            number, problem = self.number, ""
            try:
                next(self)
            except StopIteration:
                return
            except csv.Error as error:
                problem = str(error)
            line = self.skip_line()
            if not (problem or self.encoding.intact or is_decoded(line)):
                problem = f"text that is not {self.encoding.label}"
            if line.strip():
                yield number, line, problem

    def position(self) -> int:
        """Return how many bytes have been read."""
        return self._stream.tell()

    def _split(self) -> Iterator[str]:
        codec = self.encoding.codec
        text = io.TextIOWrapper(self._stream, codec, _errors(codec), newline="")
        rest = ""
        try:
            while chunk := text.read(_CHUNK):
                lines = list(io.StringIO(rest + chunk, newline=""))
                rest = lines.pop()  # it may go on in the next chunk
                if len(rest) > self._longest and rest[-1] not in "\r\n":
                    rest = rest[: self._longest + 1]  # too long in any case
                yield from lines
            if rest:
                yield rest
        finally:
            if not self._stream.closed:
                text.detach()  # the stream belongs to the caller
