"""`almanac emulate`: run the local cloud of the development tools, where they are installed."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from almanac.errors import ConfigError


def emulate(contacts: int, functions: Path | None, keep: bool) -> int:
    """Plan a generated agency on a local cloud; ConfigError if the emulators are missing."""
    if importlib.util.find_spec("almanac_emulation") is None:
        raise ConfigError(
            "`almanac emulate` works only from a checkout of the repository: "
            "the installed package does not contain the emulators"
        )
    from almanac_emulation.demo import run_demo

    return run_demo(contacts, functions, keep)
