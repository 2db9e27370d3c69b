"""`almanac version`."""

from __future__ import annotations

from almanac import __version__
from almanac.commands.exit_codes import OK
from almanac.commands.groups import new_app

app = new_app()


@app.command(epilog="Example: almanac version")
def version() -> int:
    """Print the version."""
    print(f"almanac {__version__}")
    return OK
