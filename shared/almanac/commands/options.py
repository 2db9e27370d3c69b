"""Arguments and options that several commands share, each with one name and one help text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Database = Annotated[
    Path,
    typer.Argument(metavar="DATABASE", help="The agency's SQLite database.", show_default=False),
]
MaybeDatabase = Annotated[
    Path | None,
    typer.Argument(
        metavar="[DATABASE]",
        help="The agency's SQLite database, or else --org.",
        show_default=False,
    ),
]
DatabaseAndFile = Annotated[
    list[Path],
    typer.Argument(
        metavar="[DATABASE] FILE",
        help="The database, unless --org is given, and the file; - is standard input.",
        show_default=False,
    ),
]


def words_argument(metavar: str) -> typer.models.ArgumentInfo:
    """Return the arguments of a command about campaigns, the database among them."""
    what = "The agency's SQLite database, or else --org."
    if metavar != "[DATABASE]":
        what = "In this order; DATABASE, the agency's SQLite file, unless --org is given."
    return typer.Argument(  # type: ignore[no-any-return]
        metavar=metavar, help=what, show_default=False
    )


InstanceWords = Annotated[list[str], words_argument("[DATABASE] INSTANCE")]
MaybeOrg = Annotated[
    str | None,
    typer.Option("--org", metavar="ORG", help="Instead of DATABASE, an organization of the store."),
]
Org = Annotated[
    str, typer.Argument(metavar="ORG", help="The organization's id.", show_default=False)
]
Store = Annotated[
    str | None,
    typer.Option(
        "--store", metavar="URL", help="gs://bucket[/prefix] or a folder; else ALMANAC_STORE."
    ),
]
AsOf = Annotated[
    str | None,
    typer.Option(
        "--as-of", metavar="DATE", help="The day to plan on: YYYY-MM-DD, tomorrow, monday, +3."
    ),
]
Now = Annotated[
    str | None,
    typer.Option(
        "--now",
        metavar="DATETIME",
        help="The time of the run, such as 2026-11-21T14:00, in the organization's time zone or "
        "with an offset; after the send time, sending starts on the next day.",
    ),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="The configuration, in YAML, in place of the one that is recorded.",
    ),
]
Defaults = Annotated[
    bool,
    typer.Option(
        "--defaults", help="The default configuration, in place of the one that is recorded."
    ),
]
Rejects = Annotated[
    Path | None,
    typer.Option(
        "--rejects",
        metavar="FILE",
        help="The file for rejected rows; FILE.rejects.csv beside the file.",
    ),
]
Wait = Annotated[
    int,
    typer.Option(
        min=0,
        metavar="SECONDS",
        help="How long to wait while another program, such as a run, locks the file.",
    ),
]
ChangedBy = Annotated[
    str | None,
    typer.Option("--changed-by", metavar="WHO", help="For the log of changes; your user name."),
]
EventId = Annotated[
    str | None,
    typer.Option(
        "--event-id", metavar="ID", help="Changes with the same id are made once; a new one."
    ),
]
Map = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="THEIRS=OURS",
        help="Which column of the file is which of ours, if the name does not say; repeatable.",
    ),
]
ExitCode = Annotated[
    bool, typer.Option("--exit-code", help="Exit with 3 if there are differences, with 0 if not.")
]
Day = Annotated[
    str | None, typer.Option("--on", metavar="DATE", help="The day, such as tomorrow; today.")
]
Shown = Annotated[
    int, typer.Option(min=0, metavar="N", help="Rows of the table; CSV and JSON have all.")
]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print CSV instead of text.")]
RowsOut = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FILE",
        help="Instead of printing, write a file: .csv, .json or .xlsx by its name.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done; change nothing.")]
ChangesFormat = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="changeset|sql|json",
        help="What to write: a change set of SQLite's session extension, SQL or JSON.",
    ),
]
Cache = Annotated[
    Path | None,
    typer.Option(
        "--cache",
        metavar="DIR",
        help="Keep the planned rows in this folder, from which the next run reads them, valid for "
        "the file as it is now; else ALMANAC_CACHE.",
    ),
]
Replan = Annotated[
    bool,
    typer.Option(
        "--replan", help="Replan the affected contacts at once; in a store, request that."
    ),
]
