"""The documents say what is so: their links, what they name of the code, and the code of them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from almanac.campaigns import model as campaigns
from almanac.commands.main import app
from almanac.config import TEMPLATE_KEYS, Config
from almanac.config_problems import settings_of
from almanac.config_values import CONTACT_COLUMNS
from almanac.database.schema import (
    COMMITTED_INDEX,
    CONTACT_ALIASES,
    IDENTITY_INDEX,
    OLDER_INDEX,
    STATUS_INDEX,
    TABLES,
    Table,
)
from almanac.delivery import feedback as marking
from almanac.delivery import feedback_file as marks
from almanac.delivery import outbox as sending
from almanac.delivery import suppressions as suppression
from almanac.organizations.overdue import STALE
from almanac.planning.contacts import ISSUE_ADVICE
from almanac.report.summary import RunSummary
from almanac.runs.organization_summary import RUNS_READ
from almanac.schedule_status import SkipCode
from almanac.status.model import Backlog, OrganizationStatus, Outcomes, RunStatus, WaitingEvents
from almanac.status.organization import FAILED, WITH_SENDER

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"
PACKAGE = ROOT / "shared" / "almanac"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
MODULES = sorted(PACKAGE.rglob("*.py"))
SEMANTICS = (DOCS / "semantics.md").read_text("utf-8")


def name_of(path: Path) -> str:
    """The path as a failure shows it."""
    return path.relative_to(ROOT).as_posix()


@cache
def text_of(path: Path) -> str:
    return path.read_text("utf-8")


def prose(text: str) -> str:
    """A page without its code blocks."""
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def headings(text: str) -> list[str]:
    return re.findall(r"^#+ +(.+?) *$", prose(text), re.MULTILINE)


def anchor(heading: str) -> str:
    """The anchor that a heading gets on the web."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def section(heading: str) -> str:
    """The text of semantics.md below a heading, with the sections in it."""
    level, rest = re.split(rf"^(#+) {re.escape(heading)}$", SEMANTICS, flags=re.MULTILINE)[1:]
    return re.split(rf"^#{{1,{len(level)}}} ", rest, flags=re.MULTILINE)[0]


def first_cells(text: str) -> list[str]:
    """What the first column of each table row has in backticks, one by one."""
    rows = re.findall(r"^\| *(`[^|]*) \|", text, re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row)]


# --- links and references -------------------------------------------------------------------------


@cache
def anchors(path: Path) -> set[str]:
    """The anchors of a page; none of what is not a file."""
    return {anchor(each) for each in headings(text_of(path))} if path.is_file() else set()


def test_every_relative_link_leads_somewhere() -> None:
    lost = []
    for page in PAGES:
        for link in re.findall(r"\]\(([^)\s]+)\)", prose(text_of(page))):
            if re.match(r"[a-z]+:", link):
                continue  # not one of ours
            target, _, fragment = link.partition("#")
            path = (page.parent / target).resolve() if target else page
            if not path.exists() or (fragment and fragment not in anchors(path)):
                lost.append((name_of(page), link))
    assert lost == []


def referred_sections(text: str) -> Iterator[str]:
    """The sections of semantics.md that a module names."""
    found = re.findall(r"\(semantics: ([^)]*)\)", text)
    found += re.findall(r"docs/semantics\.md, ([A-Z][\w ,-]*)", text)
    for names in found:
        for name in re.split(r",| to ", " ".join(names.split())):
            if not re.fullmatch(r" *(steps? )?\d+ *", name):
                yield name.strip()
    yield from re.findall(r'Decision\(\s*"[^"]*",\s*"([^"]*)"', text)
    yield from re.findall(r'\bsection="([^"]*)"', text)


def test_every_section_that_the_code_names_exists() -> None:
    known = {heading.casefold() for heading in headings(SEMANTICS)}
    named = {(each, name_of(path)) for path in MODULES for each in referred_sections(text_of(path))}
    assert {(each, path) for each, path in named if each.casefold() not in known} == set()
    used = {"Contacts", "Windows", "Sifting", "Daily cap", "Hash", "Writing"}
    assert used <= {each for each, _ in named}


def test_every_file_that_a_page_names_exists() -> None:
    places = (ROOT, PACKAGE.parent, PACKAGE, PACKAGE / "database")
    lost = [
        (name_of(page), name)
        for page in PAGES
        for name in re.findall(r"`((?:[\w.-]+/)*[\w-]+\.(?:py|csv|toml))`", prose(text_of(page)))
        if not any((place / name).exists() for place in places)
    ]
    assert lost == []


def test_the_index_lists_every_decision_under_its_title() -> None:
    listed = re.findall(
        r"^\d+\. \[(.+)\]\((.+)\)$", (DOCS / "decisions/README.md").read_text(), re.MULTILINE
    )
    there = [
        (headings(path.read_text("utf-8"))[0], path.name)
        for path in sorted((DOCS / "decisions").glob("[0-9]*.md"))
    ]
    assert listed == there


# --- what semantics.md lists ----------------------------------------------------------------------


def test_every_email_type_has_a_row() -> None:
    assert set(first_cells(section("Email types"))) == {*TEMPLATE_KEYS, "campaign_<type>"}


def test_every_skip_reason_has_a_row() -> None:
    details = dict.fromkeys(SkipCode, "<state>") | {SkipCode.SUPPRESSED: "<reason>"}
    expected = {code.value.format(details[code]) for code in SkipCode}
    assert set(first_cells(section("Skip reasons"))) == expected


def test_every_contact_issue_has_a_row() -> None:
    assert set(first_cells(section("Contact issues"))) == set(ISSUE_ADVICE)


def test_every_number_of_a_summary_has_a_row() -> None:
    rows = re.findall(r"^\| (`[^|]*) \|", section("What each number means"), re.MULTILINE)
    assert {n for row in rows for n in re.findall(r"`(\w+)`", row)} == set(RunSummary.model_fields)


def columns_of(table: str) -> list[str]:
    """The columns that the page gives a table, in order."""
    (cell,) = re.findall(rf"^\| `{table}`[^|]*\| (.*) \|$", section("Tables"), re.MULTILINE)
    return re.findall(r"`(\w+)`", cell)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_table_has_its_columns(table: Table) -> None:
    names = [column.name for column in table.columns]
    assert [name for name in columns_of(table.name) if name != "pending"] == names


def test_the_columns_of_contacts_are_those_that_are_read() -> None:
    assert set(columns_of("contacts")) == {*CONTACT_COLUMNS, *CONTACT_ALIASES.values()}


def test_every_index_has_a_row() -> None:
    indexes = (IDENTITY_INDEX, COMMITTED_INDEX, OLDER_INDEX, STATUS_INDEX)
    rows = re.findall(r"^\| `(\w+)`[^|]*\| `([^`]*)` \|", section("Indexes"), re.MULTILINE)
    assert rows == [(index.name, index.on) for index in indexes]


def test_every_setting_that_the_page_names_exists() -> None:
    known = {".".join(map(str, path)) for path, _ in settings_of(Config)}
    groups = {name.partition(".")[0] for name in known if "." in name}
    named = re.findall(rf"`((?:{'|'.join(groups)})\.\w+)`", SEMANTICS)
    assert set(named) <= known
    assert len(set(named)) > 15


# --- what store.md lists --------------------------------------------------------------------------


@pytest.mark.parametrize("model", [OrganizationStatus, Backlog, Outcomes, WaitingEvents])
def test_every_field_of_a_status_has_a_row(model: type[BaseModel]) -> None:
    text = (DOCS / "store.md").read_text("utf-8")
    rows = first_cells(text)
    named = {*rows, *re.findall(r"`(\w+)`", text)}
    assert {*OrganizationStatus.model_fields} <= set(rows)
    assert {*model.model_fields} <= named


def test_every_state_of_a_run_has_a_row() -> None:
    states = get_args(RunStatus.model_fields["state"].annotation)
    assert set(states) <= set(first_cells((DOCS / "store.md").read_text("utf-8")))


def test_the_statuses_that_the_page_names_are_those_that_are_counted() -> None:
    text = (DOCS / "store.md").read_text("utf-8")
    for field, statuses in (("with_sender", WITH_SENDER), ("failed", FAILED)):
        (row,) = re.findall(rf"^\| `{field}` \| (.*status.*) \|$", text, re.MULTILINE)
        assert set(re.findall(r"`(\w+)`", row)) - {"as_of"} == statuses
    assert f"older than {STALE.total_seconds() / 3600:g} hours" in text
    assert f"the last {RUNS_READ} runs" in text


# --- what commands print as JSON ------------------------------------------------------------------

JSON_OF = {
    "campaigns.md": (
        *(campaigns.CampaignList, campaigns.TypeLine, campaigns.InstanceLine, campaigns.Reach),
        *(campaigns.CampaignShown, campaigns.Field, campaigns.LoggedChange, campaigns.ChangeResult),
        *(campaigns.FieldChange, campaigns.Affected, campaigns.Replanned, campaigns.Imported),
    ),
    "suppression.md": (suppression.SuppressionCount, suppression.Effect, suppression.Loaded),
    "senders.md": (sending.DueMessages, marking.Marked, marks.RefusedLine),
}


@pytest.mark.parametrize("page", JSON_OF)
def test_every_name_in_an_object_is_on_the_page(page: str) -> None:
    named = set(re.findall(r"`(\w+)`", (DOCS / page).read_text("utf-8")))
    assert {name for model in JSON_OF[page] for name in model.model_fields} <= named


# --- commands -------------------------------------------------------------------------------------


def commands_in(page: Path, program: str) -> list[list[str]]:
    """Every call of the program that a page shows, in code blocks and in backticks."""
    text = text_of(page)
    blocks = re.findall(r"^ *```\w*\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    lines += re.findall(r"`([^`\n]+)`", prose(text))
    calls = []
    for line in lines:
        match = re.match(rf"\s*(?:\$ )?(?:\.venv/bin/)?{program} ([^#]+)", line)
        if match:
            calls.append(shlex.split(match[1]))
    return calls


def test_every_make_target_that_a_page_shows_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    shown = {(call[0], name_of(page)) for page in PAGES for call in commands_in(page, "make")}
    assert {(target, page) for target, page in shown if target not in targets} == set()


def test_every_command_that_a_page_shows_exists_with_its_options() -> None:
    program: Any = app
    wrong = []
    calls = [(page, call) for page in PAGES for call in commands_in(page, "almanac")]
    for page, call in calls:
        command, words = program, list(call)
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
        options = {"--help"} | {o for parameter in command.params for o in parameter.opts}
        unknown = [word for word in words if word.startswith("-") and word not in options]
        lost = hasattr(command, "commands") and any(re.match("[a-z]", word) for word in words)
        if unknown or lost:
            wrong.append((name_of(page), call))
    assert wrong == []
