"""What another configuration would change: said before it is done, and true."""

from __future__ import annotations

import csv
import datetime as dt
import json
import re
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
import pytest
import yaml

from almanac.config import Config, load_config
from almanac.organizations.recorded_config import NamedConfig
from almanac.report.summary import RunSummary
from almanac.report.what_if import Pair, WhatIf, differing_settings, in_words
from almanac.report.what_if_page import weeks_chart
from almanac.report.what_if_text import bar
from almanac.runs.local import run_file
from almanac.runs.run_options import RunOptions
from almanac.runs.what_if import compare_plans
from almanac.schedule_status import SkipCode
from tests.support.agencies import as_of_for, build, config_for
from tests.support.agreement import planned_rows
from tests.support.cli_calls import AS_OF, Answer, agency, almanac, state_of
from tests.support.sampling import sampled

LOW_CAP = "load_balancing: {daily_send_percentage_cap: 0.01}\n"


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An agency whose last run had the defaults."""
    path = agency(tmp_path_factory.mktemp("planned") / "agency.sqlite3", 600)
    assert almanac("run", path, "--as-of", AS_OF).code == 0
    return path


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An agency that nobody has planned yet."""
    return agency(tmp_path_factory.mktemp("raw") / "agency.sqlite3", 300)


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """Where the other configuration is written to."""
    return tmp_path / "other.yaml"


def dry_run(path: Path, other: Path, text: str, *more: object) -> Answer:
    """A dry run with a configuration of that text."""
    other.write_text(text)
    return almanac("run", path, "--as-of", AS_OF, "--dry-run", "--config", other, *more)


def difference(path: Path, other: Path, text: str, *more: object) -> tuple[RunSummary, WhatIf]:
    """The same as numbers."""
    answer = dry_run(path, other, text, "--json", *more)
    assert (answer.code, answer.err) == (0, "")
    summary = RunSummary.model_validate_json(answer.out)
    assert summary.what_if is not None
    return summary, summary.what_if


def total(counts: dict[str, Counter[str]] | dict[str, dict[str, int]], name: str) -> int:
    return sum(counts.get(name, {}).values())


# --- what an operator asks ------------------------------------------------------------------------


def test_a_lower_cap_means_fewer_on_a_day_and_all_else_late_or_skipped(
    planned: Path, other: Path
) -> None:
    summary, found = difference(planned, other, LOW_CAP)
    assert [(s.key, s.old, s.new) for s in found.settings] == [
        ("load_balancing.daily_send_percentage_cap", 0.07, 0.01)
    ]
    assert (found.daily_cap, found.ceiling) == (Pair(old=42, new=6), Pair(old=50, new=7))
    assert found.busiest_old[0][1] > found.busiest_new[0][1]
    assert found.days_at_cap.new > found.days_at_cap.old
    capped = found.skipped["Daily volume cap"]
    lost = sum(pair.difference for pair in capped.values())
    assert lost > 0
    assert found.planned_total.difference == -lost
    assert found.skipped_total.difference == lost
    assert found.reasons["skipped anew"]["Daily volume cap"] == total(found.fates, "skipped anew")
    assert total(found.fates, "later") > 0
    assert not {"added", "removed"} & found.fates.keys()
    assert found.planned_total.new == summary.planned_total


@pytest.mark.slow
def test_more_days_before_move_the_messages_of_their_type_only(planned: Path, other: Path) -> None:
    _, found = difference(planned, other, "timing: {birthday_days_before: 21}\n")
    earlier = Counter(found.fates["earlier"])
    assert set(found.fates["earlier"]) == {"birthday"}
    assert earlier.total() > 200
    by_type = Counter(
        name for day in found.days.values() for name, pair in day.planned.items() if pair.difference
    )
    assert by_type["birthday"] > 100
    assert by_type["birthday"] > 10 * by_type["aep"]


def test_a_states_new_rule_skips_for_that_state(planned: Path, other: Path) -> None:
    _, found = difference(planned, other, "state_rules: {TX: {kind: year_round}}\n")
    assert [(s.key, s.old) for s in found.settings] == [("state_rules.TX", None)]
    assert found.reasons["skipped anew"] == {
        "Year-round exclusion for TX": total(found.fates, "skipped anew")
    }
    assert all(pair.old == 0 for pair in found.skipped["Year-round exclusion for TX"].values())
    answer = dry_run(planned, other, "state_rules: {TX: {kind: year_round}}\n")
    assert "state_rules.TX  none  kind: year_round" in answer.out


@pytest.mark.slow
def test_a_rule_that_is_taken_away_plans_what_it_skipped(planned: Path, other: Path) -> None:
    _, found = difference(planned, other, "state_rules: {NY: null}\n")
    assert found.reasons["planned again"].keys() == {"Year-round exclusion for NY"}
    assert found.planned_total.difference == total(found.fates, "planned again")


# --- what is compared with what -------------------------------------------------------------------


def test_the_text_tells_it_on_eighty_columns(planned: Path, other: Path) -> None:
    before = state_of(planned.parent)
    answer = dry_run(planned, other, LOW_CAP)
    assert (answer.code, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert re.match(
        r"The cap from 42 to 6: [\d,]+ messages go later, [\d,]+ finds? no day\.$", lines[0]
    )
    assert lines[2].startswith(f"What if: {planned}"[:40])
    assert "Nothing was written" in " ".join(answer.out.split())
    for heading in (
        "Weeks that differ",
        "Settings that differ",
        "Planned by type",
        "Skipped by reason",
        "Each message with the new configuration",
        "Daily volume",
        "Busiest days",
        "Days that differ most",
        "Next",
    ):
        assert f"\n{heading}" in answer.out
    prose = answer.out.partition("\nWeeks that differ")[2].partition("\nNext\n")[0]
    assert max(map(len, prose.splitlines())) <= 80
    assert all(line == line.rstrip() for line in prose.splitlines())
    assert "#-" in prose
    assert lines[lines.index("Settings that differ") - 2].endswith("in both plans")
    assert state_of(planned.parent) == before


def test_the_report_page_shows_it(planned: Path, other: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    summary, found = difference(planned, other, LOW_CAP, "--report", page)
    html = page.read_text("utf-8")
    assert '<section id="what-if"' in html
    assert '<a href="#what-if">' in html
    assert f"New: {other}" in html
    assert f"<strong>{found.answer}</strong>" in html
    with (tmp_path / "page-tables" / "what_if_types.csv").open(newline="") as file:
        rows = {row["Email type"]: row for row in csv.DictReader(file)}
    assert {name: int(row["New"]) for name, row in rows.items()} == {
        name: summary.planned.get(name, 0) for name in found.planned
    }
    bars = weeks_chart(found).bars
    differing = list(found.weeks_that_differ)
    assert {bar.day for bar in bars} >= set(differing)
    assert (bars[0].day, bars[-1].day) == (differing[0], differing[-1])
    assert len(differing) < len(found.weeks())
    assert html.count("messages with the old configuration, ") == len(bars)
    answer = dry_run(planned, other, "", "--report", page)
    assert answer.code == 0
    assert "what-if" not in page.read_text("utf-8")


def test_the_configuration_of_the_last_run_gives_an_ordinary_dry_run(
    planned: Path, other: Path
) -> None:
    answer = dry_run(planned, other, "horizon_days: 365\n")
    words = " ".join(answer.out.split())
    assert words.startswith(f"Configuration: {other}. The configuration does not differ from the ")
    assert f"the one recorded by the run of {AS_OF}. Dry run: nothing was written." in words
    assert '"what_if":null' in dry_run(planned, other, "", "--json").out


def test_without_any_run_it_is_compared_with_the_defaults(raw: Path, other: Path) -> None:
    _, found = difference(raw, other, LOW_CAP)
    assert found.old == "the defaults, since no run of the file has recorded any"
    assert found.new == str(other)
    assert found.settings[0].old == Config().load_balancing.daily_send_percentage_cap


def test_a_dry_run_with_the_defaults_shows_that_the_last_run_had_others(
    raw: Path, other: Path, tmp_path: Path
) -> None:
    path = Path(shutil.copy(raw, tmp_path / "agency.sqlite3"))
    other.write_text(LOW_CAP)
    assert almanac("run", path, "--as-of", AS_OF, "--config", other).code == 0
    answer = almanac("run", path, "--as-of", AS_OF, "--dry-run", "--defaults")
    assert answer.out.startswith("The cap from ")
    assert "  new  the defaults (--defaults)\n" in answer.out


def test_another_configuration_than_that_of_the_last_run_can_be_compared_with(
    planned: Path, other: Path, tmp_path: Path
) -> None:
    against = tmp_path / "against.yaml"
    against.write_text("load_balancing: {daily_send_percentage_cap: 0.02}\n")
    _, found = difference(planned, other, LOW_CAP, "--against", against)
    assert found.old == str(against)
    assert found.daily_cap == Pair(old=12, new=6)
    answer = dry_run(planned, other, LOW_CAP, "--against", against)
    assert "without --dry-run and --against." in answer.out


def test_comparing_writes_nothing_and_says_so_when_asked_to(planned: Path, other: Path) -> None:
    other.write_text(LOW_CAP)
    answer = almanac("run", planned, "--as-of", AS_OF, "--against", other)
    assert answer.code == 2
    assert answer.err == "Error: --against: compares two plans, and writes none; add --dry-run\n"


def test_a_recorded_configuration_that_cannot_be_read_is_not_compared_with(
    raw: Path, other: Path, tmp_path: Path
) -> None:
    path = Path(shutil.copy(raw, tmp_path / "agency.sqlite3"))
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE config_versions (id, config_type, config_data, valid_to)")
    connection.execute("INSERT INTO config_versions VALUES (1, 'organization', 'horizon: 1', NULL)")
    connection.close()
    answer = dry_run(path, other, LOW_CAP)
    assert answer.code == 0
    assert "\nNot compared with the recorded configuration:" in answer.out
    assert "horizon: unknown key" in " ".join(answer.out.split())
    assert "\nDry run: nothing was written." in answer.out


def test_a_table_of_that_name_without_its_columns_records_nothing(
    raw: Path, tmp_path: Path
) -> None:
    path = Path(shutil.copy(raw, tmp_path / "agency.sqlite3"))
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE config_versions (id, theirs)")
    connection.close()
    answer = almanac("run", path, "--as-of", AS_OF, "--dry-run")
    assert answer.out.startswith("Configuration: the defaults, since no run")


def test_each_configuration_has_its_own_first_day(planned: Path, other: Path) -> None:
    other.write_text('send_time: "16:00"\n')
    answer = almanac(
        "run", planned, "--now", f"{AS_OF}T12:00", "--dry-run", "--config", other, "--json"
    )
    summary = RunSummary.model_validate_json(answer.out)
    found = summary.what_if
    assert found is not None
    assert str(summary.as_of) == AS_OF
    assert str(found.first_send_date_new) == AS_OF
    assert str(found.first_send_date_old) == "2026-11-22"
    text = almanac("run", planned, "--now", f"{AS_OF}T12:00", "--dry-run", "--config", other).out
    assert "sending starts on 2026-11-22, with the new one on 2026-11-21." in " ".join(text.split())


def test_only_the_contacts_asked_for_are_compared(planned: Path, other: Path) -> None:
    summary, found = difference(
        planned, other, "timing: {birthday_days_before: 21}\n", "--contacts", "1-200"
    )
    assert 0 < summary.contacts_in_scope <= 200
    assert found.planned_total.new == summary.planned_total < 1000


@pytest.mark.parametrize("text", [LOW_CAP, "timing: {birthday_days_before: 20}"])
def test_progress_tells_which_of_the_two_is_planned(raw: Path, text: str) -> None:
    steps: list[str] = []

    def progress(step: str, done: int, total: int) -> None:
        if step not in steps:
            steps.append(step)

    old, new = NamedConfig(Config(), "old"), NamedConfig(load_config(text), "new")
    compare_plans(raw, old, new, RunOptions(as_of=dt.date.fromisoformat(AS_OF)), progress)
    assert steps.count("snapshot") == 1
    if text == LOW_CAP:  # contacts are planned alike with any cap
        assert "new: plan contacts" not in steps
    else:
        assert steps.index("old: balance") < steps.index("new: plan contacts")
    assert steps[-1] == "compare"


# --- and it is true -------------------------------------------------------------------------------

Rows = dict[Any, tuple[Any, ...]]
DAY, STATUS, REASON = 1, 3, 4


def really(path: Path, config: dict[str, Any], as_of: dt.date, target: Path) -> Rows:
    """The rows of a copy of the file that is planned, those left as history aside."""
    shutil.copy(path, target)
    options = RunOptions(as_of=as_of, workers=1)
    run_file(target, load_config(yaml.safe_dump(config)), options)
    rows = planned_rows(target)
    return {
        identity: row for identity, row in rows.items() if row[REASON] != SkipCode.NOT_SENT.value
    }


def sent(row: tuple[Any, ...] | None) -> bool:
    return row is not None and row[STATUS] == "pre-scheduled"


def differ(days: list[Counter[tuple[str, str]]], key: tuple[str, str]) -> bool:
    return days[0][key] != days[1][key]


def fate(old: tuple[Any, ...] | None, new: tuple[Any, ...] | None) -> str | None:
    """What becomes of a message, from its two rows."""
    if old and new and sent(old) and sent(new):
        if old[DAY] == new[DAY]:
            return "same day"
        return "later" if old[DAY] < new[DAY] else "earlier"
    if sent(new):
        return "planned again" if old else "added"
    if sent(old):
        return "skipped anew" if new else "removed"
    return None


@pytest.mark.parametrize(
    ("seed", "only_cap"), sampled([(seed, seed >= 8) for seed in range(12)], 1)
)
def test_the_difference_is_that_of_two_files_that_are_really_planned(
    seed: int, only_cap: bool, tmp_path: Path
) -> None:
    as_of, configs = as_of_for(seed), (config_for(seed), config_for(seed + 1000))
    if only_cap:
        balancing = configs[0].get("load_balancing", {}) | {"daily_send_percentage_cap": 0.004}
        configs = (configs[0], configs[0] | {"load_balancing": balancing})
    schema = ("old", "new")[seed % 2]
    path = build(tmp_path / "agency.sqlite3", seed, as_of=as_of, schema=schema, config=configs[0])
    old, new = (really(path, c, as_of, tmp_path / f"{n}.sqlite3") for n, c in enumerate(configs))
    before, after = (NamedConfig(load_config(yaml.safe_dump(config)), "") for config in configs)
    options = RunOptions(as_of=as_of, workers=1, shards=1 + seed % 3)
    summary = compare_plans(path, before, after, options, lambda step, done, total: None)
    found = summary.what_if
    assert found is not None

    fates: dict[str, Counter[str]] = {}
    for identity in old.keys() | new.keys():
        what = fate(old.get(identity), new.get(identity))
        if what is not None:
            fates.setdefault(what, Counter())[identity[1]] += 1
    assert found.fates == fates

    days = [Counter((r[DAY], i[1]) for i, r in rows.items() if sent(r)) for rows in (old, new)]
    assert {
        (day, email_type): (pair.old, pair.new)
        for day, load in found.days.items()
        for email_type, pair in load.planned.items()
    } == {key: (days[0][key], days[1][key]) for key in days[0] | days[1] if differ(days, key)}

    if schema == "old":  # else there are skipped rows of an earlier plan too
        reasons = [
            Counter((r[REASON], i[1]) for i, r in rows.items() if not sent(r))
            for rows in (old, new)
        ]
        assert {
            (reason, email_type): (pair.old, pair.new)
            for reason, types in found.skipped.items()
            for email_type, pair in types.items()
        } == {key: (reasons[0][key], reasons[1][key]) for key in reasons[0] | reasons[1]}

    alone = run_file(path, after.config, replace(options, dry_run=True))
    ignored = {"run_id", "seconds", "what_if"}
    assert summary.model_dump(exclude=ignored) == alone.model_dump(exclude=ignored)


def test_the_documents_name_every_number_of_it() -> None:
    page = (Path(__file__).parent.parent.parent / "docs/what_if.md").read_text("utf-8")
    cells = re.findall(r"^\| (`[^|]*) \|", page, re.MULTILINE)
    assert {name for cell in cells for name in re.findall(r"`(\w+)`", cell)} == {
        *WhatIf.model_fields,
        *WhatIf.model_computed_fields,
    }


# --- the parts ------------------------------------------------------------------------------------


def test_settings_differ_key_by_key() -> None:
    old = load_config("state_rules: {NY: null, TX: {kind: year_round}}\naep: {years: [2026]}\n")
    new = load_config(
        "state_rules: {CA: {kind: birthday_window, before: 45, after: 60}}\n"
        'send_time: "09:00"\ntemplates: {birthday: ours}\n'
    )
    assert [(s.key, in_words(s.old), in_words(s.new)) for s in differing_settings(old, new)] == [
        ("send_time", "08:30", "09:00"),
        ("aep.years", "2026", "none"),
        ("templates.birthday", "birthday_template", "ours"),
        ("state_rules.CA.before", "30", "45"),
        ("state_rules.NY", "none", "kind: year_round"),
        ("state_rules.TX", "kind: year_round", "none"),
    ]
    assert differing_settings(new, new) == []


@pytest.mark.parametrize(
    ("old", "new", "signs"),
    sampled(
        [
            (100, 100, "##########"),
            (50, 100, "#####+++++"),
            (100, 50, "#####-----"),
            (100, 99, "#########-"),
            (0, 1, "+"),
            (1, 0, "-"),
            (0, 0, ""),
        ],
        2,
    ),
)
def test_a_bar_shows_every_difference(old: int, new: int, signs: str) -> None:
    assert bar(Pair(old=old, new=new), 100, 10) == signs


def test_nothing_planned_with_either_is_nothing_to_draw(tmp_path: Path, other: Path) -> None:
    path = tmp_path / "empty.sqlite3"
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE contacts (id INTEGER PRIMARY KEY, email TEXT)")
    connection.close()
    _, found = difference(path, other, LOW_CAP)
    assert (found.days, found.fates, found.weeks(), weeks_chart(found).bars) == ({}, {}, [], [])
    answer = dry_run(path, other, LOW_CAP)
    assert (answer.code, answer.err) == (0, "")
    assert json.loads(dry_run(path, other, LOW_CAP, "--json").out)["dry_run"]
