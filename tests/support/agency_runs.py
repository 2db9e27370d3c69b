"""On which day and with which configuration an odd agency is planned."""

import random
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from tests.support.agency_tables import AS_OF_DATES, RULE_STATES

# What an operator could have chosen, by section and key.
CHOICES: dict[str, dict[str, Sequence[Any]]] = {
    "timing": {
        "birthday_days_before": [0, 1, 7, 14, 45],
        "effective_date_days_before": [0, 1, 15, 30, 60],
        "pre_window_days": [0, 1, 30, 60],
        "post_window_valid_days": [0, 5, 30],
        "followup_delay_days": [0, 2, 5],
        "followup_lookback_days": [5, 14, 35],
        "campaign_valid_days": [0, 3, 30],
    },
    "aep": {
        "enabled": [True, True, False],
        "date": ["09-15", "02-29", "01-01", "12-31"],
        "years": [None, [2026], [2027, 2029], []],
        "valid_days": [0, 10, 30],
    },
    "frequency": {"max_emails": [1, 1, 2, 3, 4], "period_days": [1, 7, 14, 30, 45]},
    "load_balancing": {
        "daily_send_percentage_cap": [0.01, 0.03, 0.05, 0.07, 0.1, 0.29, 0.5],
        "ed_daily_soft_limit": [1, 2, 5, 15],
        "ed_smoothing_window_days": [1, 3, 5, 7, 9],
        "catch_up_spread_days": [1, 3, 7, 14],
        "overage_threshold": [1.0, 1.1, 1.2, 1.5],
    },
    "organization": {
        "enable_post_window_emails": [True, True, True, False],
        "effective_date_first_email_months": [0, 6, 11, 12, 23],
        "exclude_failed_underwriting_global": [True, False],
        "send_without_zipcode_for_universal": [True, False],
        "send_without_window_date": [True, False],
    },
    "contacts": {
        "active_statuses": [["active"], ["Active ", "new"], ["new"]],
        "opt_out_columns": [["do_not_contact"], [], ["DO_NOT_CONTACT", "do_not_communicate"]],
        "sms_consent_columns": [[], ["sms_opt_in"], ["sms_consent", "do_not_contact"]],
    },
    "sms": {
        "birthday": ["our_birthday_sms"],
        "aep": ["our_aep_sms"],
        "post_window": ["our_window_sms"],
        "followup_1_cold": [None],
    },
}


def seeded(purpose: str, seed: int) -> random.Random:
    """Randomness that is the same for the same purpose and seed."""
    return random.Random(f"{purpose}:{seed}")


def as_of_for(seed: int) -> date:
    """A day to plan on: often one on which the calendar is awkward."""
    rng = seeded("as_of", seed)
    if rng.random() < 0.6:
        return rng.choice(AS_OF_DATES)
    return date(2026, 1, 1) + timedelta(days=rng.randrange(1200))


def config_for(seed: int) -> dict[str, Any]:
    """A partial configuration: every value is one that an operator could have chosen."""
    rng = seeded("config", seed)
    config: dict[str, Any] = {}
    for section, keys in CHOICES.items():
        chosen = {key: rng.choice(few) for key, few in keys.items() if rng.random() < 0.35}
        if chosen:
            config[section] = chosen
    if closed := _closed_days(seed):
        config.setdefault("load_balancing", {})["closed"] = closed
    if rng.random() < 0.3:
        config["horizon_days"] = rng.choice([30, 90, 365, 400, 730])
    if rng.random() < 0.2:
        config["send_time"] = rng.choice(["07:00", "14:05"])
    if rng.random() < 0.3:
        mails = rng.sample(["birthday", "effective_date", "aep", "post_window", "followup"], 2)
        config["priorities"] = {mail: rng.choice([1, 5, 10, 25]) for mail in mails}
    if rng.random() < 0.2:
        config["templates"] = {"birthday": "our_birthday", "followup_1_cold": "our_follow"}
    if rng.random() < 0.5:
        config["state_rules"] = _state_rules(rng, as_of_for(seed))
    return config


def _closed_days(seed: int) -> dict[str, list[str]]:
    """Weekends, holidays, single days or none; a few days close a whole range of some message."""
    rng = seeded("closed", seed)
    as_of = as_of_for(seed)
    soon = [str(as_of + timedelta(days=rng.randrange(60))) for _ in range(12)]
    choices = {
        "weekdays": [["sat", "sun"], ["sun"], ["mon", "tue", "wed", "thu"]],
        "dates": [soon, [str(as_of)]],
        "holidays": [["US"], ["US-CA", "GB-SCT"]],
    }
    return {key: rng.choice(few) for key, few in choices.items() if rng.random() < 0.2}


def _state_rules(rng: random.Random, as_of: date) -> dict[str, Any]:
    rules: dict[str, Any] = {}
    for state in rng.sample([*RULE_STATES, "TX", "FL"], rng.randint(1, 4)):
        kind = rng.choice(["birthday_window", "effective_date_window", "year_round"])
        rule: dict[str, Any] = {"kind": kind}
        if kind != "year_round":
            rule["before"] = rng.choice([0, 1, 30, 45])
            rule["after"] = rng.choice([0, 10, 63, 150, 250])
            if rng.random() < 0.4:
                rule["use_month_start"] = True
            if rng.random() < 0.5:
                rule["year_round_from_age"] = rng.choice([40, 65, 76])
        rules[state] = rule
        if rng.random() < 0.5:
            rules[state] = stacked_rules(rng, as_of)
    return rules


def stacked_rules(rng: random.Random, about: date) -> list[dict[str, Any]]:
    """One to three rules of a state, dated, for some ages, and of all kinds, near a day."""
    return [_dated_rule(rng, about) for _ in range(rng.randint(1, 3))]


def _dated_rule(rng: random.Random, about: date) -> dict[str, Any]:
    kinds = ["birthday_window", "effective_date_window", "calendar_window", "year_round"]
    rule: dict[str, Any] = {"kind": rng.choice(kinds[:3] * 3 + kinds)}
    days = ["01-10", "02-28", "02-29", "03-01", "07-31", "10-15", "12-07", "12-31"]
    match rule["kind"]:
        case "calendar_window":
            rule |= {"from": rng.choice(days), "to": rng.choice(days)}
        case "birthday_window" | "effective_date_window":
            rule |= {"before": rng.choice([0, 1, 30]), "after": rng.choice([0, 10, 60, 200])}
            rule["use_month_start"] = rng.random() < 0.2
    if rule["kind"] != "year_round" and rng.random() < 0.5:
        rule["pre_window_days"] = rng.choice([0, 1, 5, 60])
    if rng.random() < 0.5:
        rule["valid_from"] = str(about + timedelta(days=rng.randint(-400, 400)))
    if rng.random() < 0.4:
        first = date.fromisoformat(rule.get("valid_from") or str(about - timedelta(days=400)))
        rule["valid_to"] = str(first + timedelta(days=rng.randint(0, 700)))
    if rng.random() < 0.4:
        least = rng.choice([None, 30, 60, 65])
        rule["age"] = {"min": least, "max": rng.choice([None, (least or 20) + rng.randint(0, 20)])}
    if rng.random() < 0.2:
        rule["year_round_from_age"] = rng.choice([40, 65, 76])
    return rule
