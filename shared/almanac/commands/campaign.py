"""`almanac campaign`."""

from __future__ import annotations

import datetime as dt
import os
import pwd
import shlex
import shutil
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel
from rich.console import Console

from almanac.campaigns import edit as changing
from almanac.campaigns import queries as looking
from almanac.campaigns import target_import as importing
from almanac.campaigns import text
from almanac.campaigns.edit import ChangeRequest
from almanac.campaigns.model import Done, Imported
from almanac.campaigns.validation import campaign_change
from almanac.commands.agency_arguments import agency_and_words
from almanac.commands.arguments import read_assignments, read_date
from almanac.commands.exit_codes import OK, USAGE
from almanac.commands.progress import progress_bars
from almanac.contact_ranges import MAX_ID
from almanac.csv_input import STDIN, rejects_path
from almanac.errors import InputError
from almanac.messaging.bus import Bus
from almanac.messaging.requests import Requested, publish_request, request_bus
from almanac.messaging.topics import Topics
from almanac.names import change_run_id, check_event_id
from almanac.organizations.agency_database import AgencyDatabase, FileDatabase, StoreDatabase
from almanac.progress import Progress
from almanac.report.text import console_for
from almanac.runs.run_plan import PlannedChange
from almanac.settings import load_settings

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class Where:
    """The arguments as they were typed: DATABASE is among the words unless there is --org."""

    words: Sequence[str]
    org: str | None
    store: str | None

    @property
    def again(self) -> str:
        """The same database in another command."""
        if self.org is None:
            return shlex.quote(self.words[0])
        at = f" --store {shlex.quote(self.store)}" if self.store else ""
        return f"--org {self.org}{at}"

    def agency(self, *expected: str) -> tuple[AgencyDatabase, list[str]]:
        """The database, and the words behind it, of which these are expected and more may be."""
        agency, words = agency_and_words(self.words, self.org, self.store)
        if len(words) < len(expected):
            missing = expected[len(words) :]
            raise InputError(
                f"{' '.join(missing)}: is missing; expected "
                f"{'' if self.org else 'DATABASE '}{' '.join(expected)}, "
                f"found {' '.join(self.words) or 'nothing'}"
            )
        return agency, words


@dataclass(frozen=True)
class How:
    """What is common to the commands that change something."""

    dry_run: bool
    replan: bool
    changed_by: str | None
    event_id: str | None
    as_of: str | None
    as_json: bool
    direct: bool = False

    def request(self, agency: AgencyDatabase) -> ChangeRequest:
        """Who wants it, and when."""
        return ChangeRequest(
            event_id=uuid.uuid4().hex if self.event_id is None else check_event_id(self.event_id),
            changed_by=self.changed_by or _user(),
            as_of=_day(agency, self.as_of),
            now=dt.datetime.now(dt.UTC),
        )


def list_all(where: Where, as_of: str | None, quick: bool, as_json: bool) -> int:
    """Prints types and instances."""
    agency, words = where.agency()
    _no_more(words)
    with progress_bars() as progress:
        found = looking.list_campaigns(agency, _day(agency, as_of), not quick, progress)
    return _tell(found, as_json, text.print_list)


def show(where: Where, as_of: str | None, as_json: bool) -> int:
    """Prints an instance in full."""
    agency, (which, *more) = where.agency("INSTANCE")
    _no_more(more)
    with progress_bars() as progress:
        found = looking.show_campaign(agency, which, _day(agency, as_of), progress)
    return _tell(found, as_json, text.print_campaign)


def add_type(where: Where, how: How) -> int:
    """Adds a type."""
    agency, (name, *settings) = where.agency("NAME")
    with progress_bars() as progress:
        done = changing.add_type(
            agency, name, read_assignments(settings), how.request(agency), how.dry_run, progress
        )
    return _told(done, how, where)


def add(where: Where, how: How, bus: Bus | None = None) -> int:
    """Adds an instance."""
    agency, (type_name, name, *settings) = where.agency("TYPE", "NAME")
    changes, request = read_assignments(settings), how.request(agency)
    with progress_bars() as progress, _planner(agency, how, request, bus, progress) as plan:
        done = changing.add_instance(
            agency, type_name, name, changes, request, how.dry_run, progress
        )
        if done.instance_id is not None:
            done = done.model_copy(update=plan([request.anew(done.instance_id)]))
    return _told(done, how, where)


def set_instance(where: Where, how: How, bus: Bus | None = None) -> int:
    """Changes an instance: in a store by asking for it, unless it is to be done directly."""
    agency, (which, *settings) = where.agency("INSTANCE")
    if how.direct and isinstance(agency, FileDatabase):
        raise InputError("--direct: is for an organization of a store; a file is always changed so")
    if not settings and not how.replan:
        raise InputError(
            "FIELD=VALUE: is missing; expected such as active_end_date=2026-12-31, or --replan to "
            "plan anew without a change"
        )
    changes, request = read_assignments(settings), how.request(agency)
    ask = isinstance(agency, StoreDatabase) and not how.direct
    with (
        progress_bars() as progress,
        _planner(agency, how, request, bus, progress, needed=ask) as plan,
    ):
        done = changing.look_at_instance(agency, which, changes, request, progress)
        if not how.dry_run and ((how.direct and how.replan) or done.outcome != "done before"):
            done = _set(agency, done, how, request, ask, plan, progress)
    return _told(done, how, where)


def _set(
    agency: AgencyDatabase,
    done: Done,
    how: How,
    request: ChangeRequest,
    ask: bool,
    plan: _Plan,
    progress: Progress,
) -> Done:
    """Do what was looked at: written and planned in one step where a run does both."""
    if not done.changes and not how.replan:
        return done.model_copy(update={"outcome": "nothing to change"})
    instance = int(done.instance_id or 0)
    if ask or (how.replan and not how.direct):
        changes = {each.field: each.new for each in done.changes}
        outcome = "published" if ask else "written" if changes else "nothing to change"
        return done.model_copy(
            update={"outcome": outcome, **plan([request.change(instance, changes)])}
        )
    done = changing.write_instance(agency, done, request, progress)
    return done.model_copy(update=plan([request.anew(instance)]))


def set_type(where: Where, how: How, bus: Bus | None = None) -> int:
    """Changes a type, directly: there is no message for it."""
    agency, (name, first, *settings) = where.agency("NAME", "FIELD=VALUE")
    changes, request = read_assignments([first, *settings]), how.request(agency)
    with progress_bars() as progress, _planner(agency, how, request, bus, progress) as plan:
        done, instances = changing.look_at_type(agency, name, changes, request, progress)
        if not how.dry_run:  # what was done before too: it may have died before it was planned
            done = changing.write_type(agency, done, request, progress)
            done = done.model_copy(update=plan([request.anew(each) for each in instances]))
    return _told(done, how, where)


def import_targets(
    where: Where, how: How, rejects: Path | None, strict: bool, bus: Bus | None = None
) -> int:
    """Imports targets from a CSV file; USAGE if a strict import is refused."""
    agency, (which, name, *more) = where.agency("INSTANCE", "FILE")
    _no_more(more)
    request = how.request(agency)
    with (
        progress_bars() as progress,
        _planner(agency, how, request, bus, progress) as plan,
        _file(Path(name)) as file,
    ):
        options = importing.Options(rejects_path(Path(name), rejects), strict, how.dry_run)
        shown = "standard input" if Path(name) == STDIN else name
        done: Imported = importing.import_targets(
            agency, which, file, shown, options, request, progress
        )
        if done.outcome == "written":
            done = done.model_copy(update=plan([request.anew(done.instance_id)]))
    _tell(done, how.as_json, lambda console, found: text.print_import(console, found, where.again))
    return USAGE if done.outcome == "refused" else OK


_Plan = Callable[[Sequence[PlannedChange]], dict[str, object]]


@contextmanager
def _planner(
    agency: AgencyDatabase,
    how: How,
    request: ChangeRequest,
    bus: Bus | None,
    progress: Progress,
    needed: bool = False,
) -> Iterator[_Plan]:
    """What has changes applied and planned: by a run in the file, or by asking for one.

    Without --replan it does nothing, unless it is needed. What it takes is looked for at once.
    """
    wanted = (how.replan or needed) and not how.dry_run
    check_event_id(request.anew(MAX_ID).event_id)  # another one will be made of it
    if not wanted:
        yield lambda changes: {}
    elif isinstance(agency, StoreDatabase):
        settings = load_settings()
        over, topic = bus or request_bus(settings), Topics(settings.topic_prefix).campaign_changes

        def ask(changes: Sequence[PlannedChange]) -> dict[str, object]:
            zone, runs = agency.config().zone, []
            for change in changes:
                message = campaign_change(agency.org, change)
                requested = Requested.now()
                publish_request(over, topic, message, requested)
                runs.append(change_run_id(requested.at.astimezone(zone).date(), message.event_id))
            return {"run_ids": runs}

        yield ask
    else:
        assert isinstance(agency, FileDatabase)

        def run(changes: Sequence[PlannedChange]) -> dict[str, object]:
            if not changes:  # of a type without instances
                return {}
            found = changing.plan_file(
                agency.path, agency.config(), changes, request.as_of, progress
            )
            return {"replanned": found}

        yield run


@contextmanager
def _file(path: Path) -> Iterator[Path]:
    """The file, or a copy of what comes only once: an import may have to read it again."""
    if path == STDIN or path.is_fifo():
        with tempfile.NamedTemporaryFile(prefix="almanac-", suffix=".csv") as copy:
            with nullcontext(sys.stdin.buffer) if path == STDIN else path.open("rb") as stream:
                shutil.copyfileobj(stream, copy)
            copy.flush()
            yield Path(copy.name)
        return
    if path.is_dir():
        raise InputError(f"{path}: a folder; expected a CSV file")
    if not path.exists():
        raise InputError(f"{path}: no such file; expected a CSV file, or - for standard input")
    yield path


def _day(agency: AgencyDatabase, as_of: str | None) -> dt.date:
    return read_date(as_of) if as_of else looking.today_at(agency)


def _user() -> str | None:
    """The name of the user who calls, as the system knows it."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return None


def _no_more(words: Sequence[str]) -> None:
    if words:
        raise InputError(f"{words[0]!r}: one argument too many")


def _told(done: Done, how: How, where: Where) -> int:
    return _tell(
        done, how.as_json, lambda console, found: text.print_done(console, found, where.again)
    )


def _tell(found: M, as_json: bool, show: Callable[[Console, M], None]) -> int:
    if as_json:
        print(found.model_dump_json())
    else:
        show(console_for(sys.stdout), found)
    return OK
