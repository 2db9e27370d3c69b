"""docs/rules.md shows what `almanac rules check` prints on the agency of `make demo`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.support.cli_calls import almanac

ROOT = Path(__file__).parents[2]
SHOWN = (ROOT / "docs" / "rules.md").read_text("utf-8").split("```text\n")[1].split("```")[0]
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")


def setting(name: str) -> str:
    """A variable of the Makefile."""
    found = re.search(rf"^{name} \?= (.+)$", MAKEFILE, re.MULTILINE)
    assert found
    return found[1]


DATE = "2026-11-21"  # which the page names


def test_the_text_names_what_the_defaults_lack_and_which_rules_change() -> None:
    found = json.loads(almanac("rules", "check", "--as-of", DATE, "--json").out)
    rows = [line.split()[:2] for line in SHOWN.splitlines() if re.match(r"  [A-Z]{2} ", line)]
    assert rows == [[each["state"], str(each["days"])] for each in found["lacks"]]
    for each in found["changes"]:
        assert f"  {each['day']}  {each['state']}  " in SHOWN


@pytest.mark.slow
def test_the_text_is_that_of_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").mkdir()
    path, contacts = "demo/agency.sqlite3", setting("DEMO_CONTACTS")
    made = almanac("generate", path, "--contacts", contacts, "--seed", 1, "--as-of", DATE)
    assert made.code == 0
    assert almanac("run", path, "--as-of", DATE).code == 0
    assert almanac("rules", "check", path).out == SHOWN
