"""Nothing is missing: every type, state and reason has all that belongs to it, and its sources."""

from __future__ import annotations

import ast
import datetime as dt
import inspect
import re
from pathlib import Path

import pytest

from almanac.config import BUILT_IN_TYPES, FOLLOWUP_TYPES, TEMPLATE_KEYS, Config
from almanac.planning.brief import make_run_context
from almanac.planning.kinds import KindTable
from almanac.rules import states
from almanac.rules.states import STATE_RULES, USPS_STATES
from almanac.schedule_status import FIXED_SKIPS, SkipCode, suppression_reason
from tests import oracle
from tests.oracle import candidates, placing, sifting
from tests.oracle.contacts import USPS

SEMANTICS = Path(__file__).parent.parent.parent / "docs" / "semantics.md"
CONFIG = Config()

# How a source of law is cited: a section, a code, an act, a regulation.
SOURCE = re.compile(r"§|\b(Code|CMR|Stat|Law|IDAPA|KRS|NRS|ORS|OAR|OAC|RCW|CSR|NYCRR|Bulletin)\b")


def documented(heading: str) -> set[str]:
    """What stands in backquotes in the first column of the tables below a heading."""
    text = SEMANTICS.read_text("utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return {
        name
        for line in text.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`([^`]+)`", line.split("|")[1])
    }


def vocabulary() -> KindTable:
    """The kinds of a run with one campaign."""
    context = make_run_context(
        as_of=dt.date(2027, 3, 1),
        t0=dt.date(2027, 3, 1),
        config=CONFIG,
        campaign_types=[{"name": "promo", "priority": 4}],
        campaign_instances=[
            {"id": 3, "campaign_type": "promo", "instance_name": "one", "email_template": "hello"}
        ],
        suppression_reasons=["asked", ""],
        legacy_instance=None,
    )
    return KindTable(context)


# Email types


@pytest.mark.parametrize("email_type", TEMPLATE_KEYS)
def test_every_type_has_templates_a_priority_and_a_place_in_the_docs(email_type: str) -> None:
    assert CONFIG.templates[email_type] == f"{email_type}_template"
    followup = email_type in FOLLOWUP_TYPES
    assert CONFIG.sms[email_type] == (f"{email_type}_sms" if followup else None)
    kind_table = vocabulary()
    kind = kind_table.kinds[kind_table.kind(email_type)]
    priority = "followup" if email_type in FOLLOWUP_TYPES else email_type
    assert kind.priority == getattr(CONFIG.priorities, priority)
    assert (kind.email_template, kind.sms_template) == (
        CONFIG.templates[email_type],
        CONFIG.sms[email_type],
    )
    assert kind.respects_windows
    assert email_type in documented("Email types")


def test_there_are_no_other_types_than_the_documented() -> None:
    assert documented("Email types") == {*TEMPLATE_KEYS, "campaign_<type>"}
    kinds = {kind.email_type for kind in vocabulary().kinds}
    assert kinds == {*TEMPLATE_KEYS, "campaign_promo"}
    assert set(BUILT_IN_TYPES + FOLLOWUP_TYPES) == set(TEMPLATE_KEYS)


def test_every_priority_belongs_to_a_type() -> None:
    assert set(type(CONFIG.priorities).model_fields) == {*BUILT_IN_TYPES, "followup"}


def test_a_campaign_has_a_kind_and_so_has_each_of_its_follow_ups() -> None:
    kind_table = vocabulary()
    for name in ("campaign_promo", *FOLLOWUP_TYPES):
        kind = kind_table.kinds[kind_table.kind(name, 3)]
        assert kind.priority == 4
        assert kind.email_template == ("hello" if name == "campaign_promo" else f"{name}_template")


def test_every_kind_has_a_code_of_its_own() -> None:
    kind_table = vocabulary()
    codes = [kind_table.kind(kind.email_type, kind.instance) for kind in kind_table.kinds]
    assert codes == list(range(len(kind_table.kinds)))
    assert kind_table.kind("no_such_type") == -1


# State rules


def comments_above_rules() -> dict[str, str]:
    """The comment that stands right above each entry of STATE_RULES in its module."""
    source = inspect.getsource(states)
    lines = source.splitlines()
    (table,) = (
        node.value
        for node in ast.parse(source).body
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and node.target.id == "STATE_RULES"
    )
    assert isinstance(table, ast.Dict)
    found = {}
    for key in table.keys:
        assert isinstance(key, ast.Constant)
        comment: list[str] = []
        for line in reversed(lines[: key.lineno - 1]):
            if not line.strip().startswith("#"):
                break
            comment.insert(0, line.strip().lstrip("# "))
        found[str(key.value)] = " ".join(comment)
    return found


@pytest.mark.parametrize("state", STATE_RULES)
def test_every_rule_names_its_source(state: str) -> None:
    comment = comments_above_rules()[state]
    assert SOURCE.search(comment), f"{state}: no statute, regulation or bulletin in {comment!r}"
    assert re.search(r"\d", comment)
    assert ":" in comment, "the source, a colon, and what it says"


def test_every_rule_has_a_comment_of_its_own() -> None:
    comments = comments_above_rules()
    assert comments.keys() == STATE_RULES.keys()
    assert len(set(comments.values())) == len(comments)


def test_the_rules_are_those_of_the_oracle() -> None:
    assert oracle.DEFAULTS["state_rules"].keys() == STATE_RULES.keys()
    for state, rule in oracle.DEFAULTS["state_rules"].items():
        ours = CONFIG.rules[state][0].model_dump(exclude_defaults=True)
        assert {k: v for k, v in ours.items() if v} == {k: v for k, v in rule.items() if v}


def test_the_states_are_those_of_the_postal_service() -> None:
    assert len(USPS_STATES) == len(set(USPS_STATES)) == 50 + 1 + 5 + 3 + 3
    assert set(USPS_STATES) == USPS
    assert STATE_RULES.keys() <= USPS


# Skip reasons


def reasons() -> list[str]:
    """Every text that a run can give as skip_reason."""
    return [reason for reason in vocabulary().reasons if reason]


def test_all_reasons_are_documented() -> None:
    texts = {re.sub(r"<\w+>", "...", text) for text in documented("Skip reasons")}
    assert texts == {code.value.format("...") for code in SkipCode}


def test_every_reason_is_made_of_a_documented_one() -> None:
    patterns = [re.compile(re.sub(r"<\w+>", "(.+)", text)) for text in documented("Skip reasons")]
    for reason in reasons():
        assert any(pattern.fullmatch(reason) for pattern in patterns), reason


def test_every_reason_has_a_code_of_its_own() -> None:
    kind_table = vocabulary()
    assert len(set(kind_table.reasons)) == len(kind_table.reasons)
    assert [kind_table.reason_with_text(text) for text in kind_table.reasons] == list(
        range(len(kind_table.reasons))
    )
    assert kind_table.reason_with_text("no such reason") == -1
    assert {suppression_reason("asked").text, "Suppressed: unspecified"} <= set(kind_table.reasons)


def test_the_reasons_are_those_of_the_oracle() -> None:
    told = {
        candidates.GLOBAL_UNDERWRITING,
        candidates.CAMPAIGN_UNDERWRITING,
        candidates.OUTSIDE_TARGETING,
        candidates.OUTSIDE_SPLIT,
        candidates.OUTSIDE_DATES,
        sifting.CONFLICT,
        sifting.FREQUENCY,
        placing.CAP,
        placing.NO_SENDING_DAY,
    }
    assert told | {"Not sent by its deadline"} == {code.value for code in FIXED_SKIPS}
