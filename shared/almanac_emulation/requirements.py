"""Check that what the emulation needs is installed, and say how to install what is missing."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from almanac.errors import ConfigError, NotInstalled

_JAR = "platform/pubsub-emulator/lib/cloud-pubsub-emulator-*.jar"
_MODULES = (
    "functions_framework",
    "google.pubsub_v1",
    "google.cloud.storage",
    "opentelemetry.exporter.otlp.proto.http",
)


def require_everything() -> None:
    """Raise ConfigError for the first requirement that is missing."""
    require_cloud_extra()
    java()
    emulator_jar()


def require_cloud_extra() -> None:
    """Raise ConfigError unless the libraries of the functions are installed."""
    for module in _MODULES:
        if not _is_installed(module):
            raise NotInstalled("the emulation", module)
    if not _is_installed("aiosmtpd"):
        raise ConfigError("the emulation: aiosmtpd is not installed; make setup installs it")


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # its parent package
        return False


def java() -> str:
    """Return the Java runtime; raise ConfigError, which says how to install one."""
    found = shutil.which("java")
    if found is None:
        raise ConfigError(
            "the Pub/Sub emulator needs Java, which is missing: install a runtime of version 17 "
            "or newer, such as Debian's default-jre-headless"
        )
    return found


def emulator_jar() -> Path:
    """Return the emulator's jar in the Google Cloud CLI; raise ConfigError if it is missing."""
    for root in _cloud_cli_roots():
        jars = sorted(root.glob(_JAR))
        if jars:
            return jars[-1]
    raise ConfigError(
        "the Pub/Sub emulator is missing: install it with `gcloud components install "
        "pubsub-emulator`, or Debian's google-cloud-cli-pubsub-emulator"
    )


def _cloud_cli_roots() -> Iterator[Path]:
    """Return where the Google Cloud CLI may be; the quick guess first: `gcloud` takes a second."""
    program = shutil.which("gcloud")
    if program is None:
        return
    yield Path(program).resolve().parent.parent
    asked = subprocess.run(
        [program, "info", "--format=value(installation.sdk_root)"],
        capture_output=True,
        text=True,
        check=False,
    )
    if asked.returncode == 0 and asked.stdout.strip():
        yield Path(asked.stdout.strip())
