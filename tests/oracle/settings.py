"""The configuration of an organization (semantics: Configuration)."""

import copy
from typing import Any

Config = dict[str, Any]

_MAILS = (
    "birthday",
    "effective_date",
    "aep",
    "post_window",
    "followup_1_cold",
    "followup_2_clicked_no_hq",
    "followup_3_hq_no_yes",
    "followup_4_hq_with_yes",
)


def _birthday(before: int, after: int) -> Config:
    return {"kind": "birthday_window", "before": before, "after": after}


DEFAULTS: Config = {
    "timezone": "America/Chicago",
    "send_time": "08:30",
    "horizon_days": 365,
    "timing": {
        "birthday_days_before": 14,
        "effective_date_days_before": 30,
        "pre_window_days": 60,
        "post_window_valid_days": 30,
        "followup_delay_days": 2,
        "followup_lookback_days": 35,
        "campaign_valid_days": 30,
    },
    "aep": {"enabled": True, "date": "09-15", "years": None, "valid_days": 30},
    "frequency": {"max_emails": 3, "period_days": 30},
    "load_balancing": {
        "daily_send_percentage_cap": 0.07,
        "ed_daily_soft_limit": 15,
        "ed_smoothing_window_days": 5,
        "catch_up_spread_days": 7,
        "overage_threshold": 1.2,
        "closed": {"weekdays": [], "dates": [], "holidays": []},
    },
    "contacts": {
        "active_statuses": ["active"],
        "columns": {},
        "opt_out_columns": ["do_not_communicate", "do_not_contact"],
        "sms_consent_columns": ["sms_consent", "sms_opt_in"],
    },
    "organization": {
        "enable_post_window_emails": True,
        "effective_date_first_email_months": 11,
        "exclude_failed_underwriting_global": False,
        "send_without_zipcode_for_universal": True,
        "send_without_window_date": True,
    },
    "priorities": {
        "birthday": 10,
        "effective_date": 20,
        "aep": 30,
        "post_window": 40,
        "followup": 50,
    },
    "templates": {mail: f"{mail}_template" for mail in _MAILS},
    "sms": {mail: f"{mail}_sms" if mail.startswith("followup") else None for mail in _MAILS},
    "rule_set": "standard",
    "state_rules": {
        "CA": _birthday(30, 60),
        "ID": _birthday(0, 63),
        "KY": _birthday(0, 60),
        "MD": _birthday(0, 30),
        "NV": _birthday(0, 60) | {"use_month_start": True},
        "OK": _birthday(0, 60),
        "OR": _birthday(0, 31),
        "VA": _birthday(0, 30),
        "MO": {"kind": "effective_date_window", "before": 30, "after": 33},
        "CT": {"kind": "year_round"},
        "MA": {"kind": "year_round"},
        "NY": {"kind": "year_round"},
        "WA": {"kind": "year_round"},
    },
}


def merged(config: Config | None) -> Config:
    """The defaults with a partial configuration over them, key by key.

    A state's rules are replaced as a whole: half of an old rule would make no sense in a new one.
    Those of another rule set than the standard one are all given.
    """
    whole = copy.deepcopy(DEFAULTS)
    if config and config.get("rule_set", "standard") != "standard":
        whole["state_rules"] = {}
    for key, value in (config or {}).items():
        if isinstance(value, dict) and isinstance(whole.get(key), dict):
            whole[key] |= value
        else:
            whole[key] = value
    return whole
