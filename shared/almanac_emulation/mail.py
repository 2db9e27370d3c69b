"""A mail server on this machine that keeps what it takes, instead of delivering it."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope

from almanac_emulation.processes import HOST, free_port


@dataclass(frozen=True)
class Mail:
    """A mail as it came: whom it is to, and its text with the headers."""

    to: str
    text: str

    def header(self, name: str) -> str:
        """Return the value of a header; '' without it."""
        lines = self.text.split("\r\n\r\n", 1)[0].split("\r\n")
        return next((line[len(name) + 2 :] for line in lines if line.startswith(f"{name}: ")), "")


@dataclass
class MailServer:
    """A context manager. refuses: addresses that do not exist, by its word."""

    refuses: frozenset[str] = frozenset()
    mails: list[Mail] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._controller = Controller(self, hostname=HOST, port=free_port())
        self._controller.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._controller.stop()

    @property
    def address(self) -> str:
        """Return HOST:PORT."""
        return f"{HOST}:{self._controller.port}"

    async def handle_RCPT(  # noqa: N802 (aiosmtpd's name)
        self, server: Any, session: Any, envelope: Envelope, address: str, options: Any
    ) -> str:
        """Take or refuse an address."""
        if address in self.refuses:
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802
        """Take a mail."""
        content = envelope.content or b""
        text = content if isinstance(content, str) else content.decode("utf-8", "replace")
        self.mails.extend(Mail(to, text) for to in envelope.rcpt_tos)
        return "250 OK"
