"""The options that only `almanac run` has."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Shards = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="The number of contact ranges to plan.")
]
Workers = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="The number of processes; one for each core."),
]
Contacts = Annotated[
    str | None,
    typer.Option(
        metavar="IDS", help="Plan only these contacts: 5,7,100-200, or @FILE with ids in it."
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would change; write nothing.")]
Against = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="With --dry-run: the configuration to compare with; that of the file's last run.",
    ),
]
Report = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write the report page to this file.")
]
Trace = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write what the run did, and for how long, to this file."),
]
AdoptScheduled = Annotated[
    bool,
    typer.Option(
        "--adopt-scheduled",
        help="Plan again what an older scheduler has left with status scheduled.",
    ),
]
Backup = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="First put a checked copy of the file as it is into this folder."
    ),
]
Keep = Annotated[
    int | None,
    typer.Option(
        min=0, metavar="DAYS", help="With --backup: how long such copies of the file stay; 7."
    ),
]
Yes = Annotated[
    bool,
    typer.Option("--yes", help="Do not ask, however far the day is from that of the last run."),
]
WithoutStates = Annotated[
    bool,
    typer.Option(
        "--without-states", help="Plan although no contact's state or ZIP code can be read."
    ),
]
