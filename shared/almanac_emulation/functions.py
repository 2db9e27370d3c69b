"""The functions as processes, each under functions-framework as in Cloud Run."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from almanac.errors import ConfigError
from almanac.messaging.subscriptions import SUBSCRIPTIONS
from almanac_emulation import framework
from almanac_emulation.processes import HOST, Service

STATUS, INTAKE, WEBHOOKS = "status", "intake", "webhooks"
FUNCTIONS = (*SUBSCRIPTIONS, STATUS, INTAKE, WEBHOOKS)
OPEN = (*SUBSCRIPTIONS, STATUS, INTAKE)  # webhooks are open only where that is asked for


def default_sources() -> Path:
    """Return the folder of the functions in this repository."""
    return Path(__file__).parents[2] / "functions"


def source_of(function: str, sources: Path) -> Path:
    """Return the path of the function's main.py; raise ConfigError if it does not exist."""
    path = sources / function / "main.py"
    if not path.is_file():
        raise ConfigError(f"{sources}: not the folder of the functions: {path} is missing")
    return path


def function_service(
    function: str,
    source: Path,
    log: Path,
    temporary: Path,
    environment: Mapping[str, str],
    python: Path | None = None,
) -> Service:
    """Return the service, not started, that runs the function in the file source.

    temporary: the folder for its temporary files, which a killed process leaves behind.
    python: the interpreter, by default the current one.
    """
    signature = "cloudevent" if function in SUBSCRIPTIONS else "http"
    temporary.mkdir(parents=True, exist_ok=True)

    def command(port: int) -> list[str]:
        return [
            *(str(python or sys.executable), framework.__file__),
            *("--source", str(source)),
            *("--target", function),
            *("--signature-type", signature),
            *("--host", HOST),
            *("--port", str(port)),
        ]

    direct = {"NO_PROXY": HOST, "no_proxy": HOST, "TMPDIR": str(temporary)}
    return Service(function, command, log, environment={**direct, **environment}, restart=True)
