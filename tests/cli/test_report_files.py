"""`almanac report --xlsx` and `--ics`, and rows of other commands as a workbook."""

from __future__ import annotations

from pathlib import Path

import pytest
from icalendar import Calendar

from almanac.report.tables import TABLES
from tests.support.cli_calls import almanac, state_of
from tests.support.tiny import Agency
from tests.support.workbooks import sheets_of

DAY = "2027-03-01"


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two contacts of a campaign on one day, and one on another."""
    agency = Agency(tmp_path_factory.mktemp("files") / "agency.sqlite3")
    agency.campaign(5, name="rates", target_all_contacts=False)
    for contact, trigger in ((1, "2027-04-20"), (2, "2027-04-20"), (3, "2027-05-20")):
        agency.contact(contact)
        agency.target(5, trigger, contact)
    agency.plan(DAY)
    return agency.path


def test_a_report_can_be_a_workbook_and_a_calendar(planned: Path, tmp_path: Path) -> None:
    xlsx, ics = tmp_path / "plan.xlsx", tmp_path / "plan.ics"
    before = state_of(planned.parent)
    answer = almanac("report", planned, "--xlsx", xlsx, "--ics", ics)
    assert (answer.code, answer.err) == (0, "")
    said = f"The tables as a workbook: {xlsx} The calendar: {ics}"
    assert " ".join(answer.out.split()) == said
    assert state_of(planned.parent) == before
    sheets = sheets_of(xlsx)
    assert tuple(sheets)[: len(TABLES)] == TABLES
    assert "results_types" in sheets
    assert [sheets["types"][2, column] for column in "ABC"] == ["campaign_rates", 3, 0]
    summaries = [str(x["SUMMARY"]) for x in Calendar.from_ical(ics.read_bytes()).walk("VEVENT")]
    assert summaries == ["rates 5: 2 messages", "rates 5: 1 message"]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ([], "expected --out FILE, --xlsx FILE or --ics FILE"),
        (["--xlsx", "plan.xls"], "--xlsx: plan.xls: expected a name that ends in .xlsx"),
        (["--ics", "plan"], "--ics: plan: expected a name that ends in .ics"),
        (["--ics", "none/plan.ics"], "--ics: none/plan.ics: there is no folder to put it in"),
    ],
)
def test_a_mistake_in_the_files_of_a_report(
    planned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], error: str
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = almanac("report", planned, *words)
    assert answer.code == 2
    assert error in answer.err
    assert not list(tmp_path.iterdir())
