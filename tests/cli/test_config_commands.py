"""`almanac config`: the configuration of a file and of an organization, shown and changed."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from almanac.config import Config, load_config
from almanac.config_document import document, plain_settings
from almanac.config_meanings import MEANINGS
from almanac.config_problems import settings_of
from almanac.organizations.agency_database import FileDatabase
from almanac.yaml_text import path_text
from tests.support.cli_calls import AS_OF, Answer, almanac
from tests.support.sampling import sampled
from tests.support.tiny import Agency

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "configuration.md"
MANY = """
load_balancing: {daily_send_percentage_cap: 0.02, closed: {dates: [2026-12-24]}}
contacts: {columns: {birth_date: "no", carrier: "a b"}}
sms: {birthday: birthday_sms}
delivery: {sms_hours: {states: {KY: null, TX: {to: "18:00"}}}}
rule_set: standard
state_rules:
  NY: null
  TX: {kind: year_round, pre_window_days: null}
  VA:
  - {kind: birthday_window, after: 30, valid_to: 2025-06-30, pre_window_days: 0}
  - {kind: calendar_window, from: 10-15, to: 12-07, age: {max: 75}, source: {cite: "§ 1: #2"}}
"""


@pytest.fixture
def tiny(tmp_path: Path) -> Agency:
    """A file that no run has planned."""
    found = Agency(tmp_path / "agency.sqlite3")
    found.contact(birth_date="1950-06-01")
    return found


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with the organization 206."""
    path = tmp_path / "store"
    config = tmp_path / "206.yaml"
    config.write_text("# ours\ntimezone: America/Denver\n")
    assert almanac("store", "init", "206", "--config", config, "--store", path).code == 0
    return path


@pytest.fixture(params=["file", "store"])
def place(request: pytest.FixtureRequest, tiny: Agency, store: Path) -> tuple[object, ...]:
    """The arguments that name a file, or an organization."""
    of_store = ("--org", "206", "--store", store)
    return (tiny.path,) if request.param == "file" else of_store


def config(command: str, place: tuple[object, ...], *more: object) -> Answer:
    """A subcommand on a place; the words of a file come after it, those of a store before."""
    words = (*place, *more) if isinstance(place[0], Path) else (*more, *place)
    return almanac("config", command, *words)


def shown(place: tuple[object, ...]) -> Config:
    answer = config("show", place)
    assert (answer.code, answer.err) == (0, "")
    return load_config(answer.out)


def editor(tmp_path: Path, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a Python program, which has the file as `path`, the editor."""
    program = tmp_path / "editor.py"
    head = "import pathlib, sys\npath = pathlib.Path(sys.argv[1])\n"
    program.write_text(f"{head}{code}\n")
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", f"{sys.executable} {program}")


# --- meanings -------------------------------------------------------------------------------------


def test_every_key_has_its_meaning_in_the_words_of_the_documentation() -> None:
    assert list(MEANINGS) == [path_text(path) for path, _ in settings_of(Config)]
    rows = re.findall(r"^\| `([\w.]+)` \|.*\| (.*?) \|$", DOCUMENT.read_text("utf-8"), re.MULTILINE)
    documented = {key: re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", text) for key, text in rows}
    assert documented.items() >= MEANINGS.items()


@pytest.mark.parametrize(
    "text", ["", *(MANY.replace("RULES", x) for x in ("standard", "statutory"))]
)
def test_what_is_shown_is_a_configuration_that_gives_the_same_one(text: str) -> None:
    there = load_config(text)
    assert load_config(document(plain_settings(there), "It.")) == there


def test_what_differs_from_the_defaults_is_marked() -> None:
    lines = document(plain_settings(load_config(MANY)), "It.").splitlines()
    marked = [line.strip() for line in lines if "  # default: " in line]
    assert "daily_send_percentage_cap: 0.02  # default: 0.07" in marked
    assert "NY: null  # default: {kind: year_round}" in marked
    assert "TX: {kind: year_round}  # default: none" in marked
    assert len(marked) == 10
    assert "# default: " not in document(plain_settings(Config()), "It.")


# --- show and set ---------------------------------------------------------------------------------


def test_a_setting_is_set_and_the_next_run_plans_by_it(tiny: Agency) -> None:
    answer = config("set", (tiny.path,), "horizon_days=300", "state_rules.TX={kind: year_round}")
    assert (answer.code, answer.err) == (0, "")
    assert "2 settings changed; the next run plans by it." in " ".join(answer.out.split())
    assert re.search(r"horizon_days +365 +300", answer.out)
    assert tiny.query("SELECT created_by FROM config_versions") == [("almanac config",)]
    planned = almanac("run", tiny.path, "--as-of", AS_OF)
    assert re.match(r"Configuration: the one set on \d{4}-\d\d-\d\d by almanac config", planned.out)
    assert FileDatabase(tiny.path).config().horizon_days == 300
    assert tiny.query("SELECT count(*) FROM config_versions") == [(1,)]


def test_settings_are_set_and_put_back(place: tuple[object, ...]) -> None:
    before = shown(place)
    values = ("timing.birthday_days_before=21", "state_rules.CA.before=45", "sms.aep=aep_sms")
    times = ("send_time=10:30", "load_balancing.closed.weekdays=[sat, sun]")
    assert config("set", place, *values, *times).code == 0
    now = shown(place)
    assert now.send_time == "10:30"
    assert now.timing.birthday_days_before == 21
    assert (now.rules["CA"][0].before, now.rules["CA"][0].after) == (45, 60)
    assert now.load_balancing.closed.weekdays == ["sat", "sun"]
    assert now.timezone == before.timezone
    back = ("timing=", "send_time=", "state_rules.CA=", "sms.aep=", "load_balancing.closed=")
    assert config("set", place, *back).code == 0
    assert shown(place) == before
    assert "no setting changes" in config("set", place, "horizon_days=365").out


@pytest.mark.parametrize(
    ("value", "problem"),
    sampled(
        [
            ("horizon=1", "horizon: unknown key; did you mean horizon_days?"),
            ("timezone.x=1", "timezone.x: timezone is"),
            ("horizon_days=many", 'horizon_days: "many" is not a whole number'),
            ("send_time=10:75", 'send_time: "10:75" is not a time of day as HH:MM'),
            ("sms={", "sms: line 1"),
            ("horizon_days", "'horizon_days' is not FIELD=VALUE"),
            ("load_balancing.daily_send_percentage_cap=7", "7 is not between 0 and 1"),
        ],
        2,
    ),
)
def test_a_mistake_has_its_line_and_nothing_is_written(
    place: tuple[object, ...], value: str, problem: str
) -> None:
    before = shown(place)
    answer = config("set", place, "timing.birthday_days_before=21", value)
    assert (answer.code, answer.out) == (2, "")
    assert problem in answer.err
    assert answer.err.count("\n") == 1
    assert shown(place) == before
    assert json.loads(config("history", place, "--json").out)["versions"][1:] == []


def test_json_names_what_differs(place: tuple[object, ...]) -> None:
    changed = json.loads(config("set", place, "horizon_days=300", "--json").out)["changed"]
    assert changed == [{"key": "horizon_days", "old": 365, "new": 300}]
    found = json.loads(config("show", place, "--json").out)
    assert found["settings"]["horizon_days"] == 300
    assert changed[0] in found["differing"]


# --- history --------------------------------------------------------------------------------------


def test_each_change_is_in_the_history_and_can_be_restored(place: tuple[object, ...]) -> None:
    for days in (300, 310, 320):
        assert config("set", place, f"horizon_days={days}").code == 0
    versions = json.loads(config("history", place, "--json").out)["versions"]
    assert [v["changes"][-1] for v in versions[-3:]] == [
        f"horizon_days: {days}" for days in (300, 310, 320)
    ]
    assert [v["until"] == "" for v in versions] == [False] * (len(versions) - 1) + [True]
    answer = config("restore", place, versions[-2]["number"])
    assert re.search(r"horizon_days +320 +310", answer.out)
    assert shown(place).horizon_days == 310
    assert len(json.loads(config("history", place, "--json").out)["versions"]) == len(versions) + 1
    assert "holds" in config("history", place).out
    answer = config("restore", place, 99)
    assert (answer.code, "no configuration 99" in answer.err) == (2, True)


def test_the_text_of_people_is_kept_when_a_command_replaces_it(store: Path) -> None:
    of_store = ("--org", "206", "--store", store)
    assert config("set", of_store, "horizon_days=300").code == 0
    text = (store / "orgs/206/config.yaml").read_text()
    assert "timezone: America/Denver  # default: America/Chicago\n" in text
    assert "frequency" not in text
    assert config("restore", of_store, 1).code == 0
    assert (store / "orgs/206/config.yaml").read_text() == "# ours\ntimezone: America/Denver\n"


def test_an_organization_that_is_not_there_is_an_error(store: Path) -> None:
    answer = config("show", ("--org", "207", "--store", store))
    assert answer.code == 2
    assert answer.err.startswith("Error: organization 207: is not in this store;")


# --- edit -----------------------------------------------------------------------------------------


def test_what_is_saved_in_the_editor_is_recorded(
    place: tuple[object, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor(tmp_path, "path.write_text('horizon_days: 300\\n')", monkeypatch)
    answer = config("edit", place)
    assert (answer.code, answer.err) == (0, "")
    assert shown(place) == Config(horizon_days=300)


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("path.write_text('horizon: 1')", "horizon: unknown key"),
        ("sys.exit(3)", "ended with 3; nothing was written"),
    ],
)
def test_nothing_is_written_unless_what_is_saved_is_valid(
    place: tuple[object, ...],
    code: str,
    problem: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = shown(place)
    editor(tmp_path, code, monkeypatch)
    answer = config("edit", place)
    assert answer.code == 2
    assert problem in answer.err
    assert "nothing was written" in answer.err
    assert shown(place) == before


def test_what_another_program_records_meanwhile_is_not_undone(
    place: tuple[object, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "almanac.commands.config.edited",
        lambda text, name: config("set", place, "horizon_days=310").out and "horizon_days: 300",
    )
    answer = config("edit", place)
    assert (answer.code, "was changed meanwhile; nothing was written" in answer.err) == (1, True)
    assert shown(place).horizon_days == 310


def test_without_an_editor_the_error_says_what_is_missing(
    tiny: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("VISUAL", "EDITOR"):
        monkeypatch.delenv(name, raising=False)
    assert "EDITOR: is not set" in config("edit", (tiny.path,)).err


# --- check and diff -------------------------------------------------------------------------------


def test_a_file_is_checked(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("horizon_days: 300")
    answer = almanac("config", "check", path)
    assert (answer.code, re.search(r"horizon_days +365 +300", answer.out) is not None) == (0, True)
    path.write_text("horizon_days: 0\nsend_time: 25:00\n")
    answer = almanac("config", "check", path)
    assert (answer.code, len(answer.err.splitlines())) == (2, 2)


def test_a_file_is_compared_with_what_is_recorded_and_with_the_defaults(
    tiny: Agency, store: Path, tmp_path: Path
) -> None:
    path = tmp_path / "other.yaml"
    path.write_text("horizon_days: 300")
    assert config("set", (tiny.path,), "horizon_days=310").code == 0

    def values(*arguments: object) -> list[tuple[object, object]]:
        found = json.loads(almanac("config", "diff", *arguments, "--json").out)
        return [(x["old"], x["new"]) for x in found["settings"] if x["key"] == "horizon_days"]

    assert values(tiny.path, path) == [(310, 300)]
    assert values(path) == values(path, "--org", "206", "--store", store) == [(300, 365)]
    assert values("defaults", path) == [(365, 300)]
    assert "does not differ" in " ".join(almanac("config", "diff", path, path).out.split())
