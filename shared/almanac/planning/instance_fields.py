"""The fields of a campaign instance: those of its type, and what its metadata overrides."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

TYPE_DEFAULTS: dict[str, Any] = {
    "respect_exclusion_windows": True,
    "enable_followups": True,
    "days_before_event": 0,
    "target_all_contacts": False,
    "priority": 10,
    "active": True,
    "spread_evenly": False,
    "skip_failed_underwriting": False,
}
OVERRIDES = (
    "priority",
    "days_before_event",
    "respect_exclusion_windows",
    "enable_followups",
    "skip_failed_underwriting",
    "spread_evenly",
)
TRUE_WORDS = ("1", "1.0", "true", "yes", "t", "y")
FALSE_WORDS = ("0", "0.0", "false", "no", "f", "n")
_WHOLE = re.compile(r"([+-]?[0-9]{1,18})(\.0*)?", re.ASCII)
TEMPLATE_OVERRIDES = ("followup_email_template", "followup_sms_template")


class Split(BaseModel):
    """A share of the contacts, in percent: of a group's instances each has its own."""

    model_config = ConfigDict(frozen=True)

    group: str
    first: int
    end: int  # exclusive


def type_fields(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a row of campaign_types, by the names of TYPE_DEFAULTS.

    Raises ValueError, which says which number or flag cannot be read.
    """
    return {
        name: type_flag(row, name) if isinstance(default, bool) else type_number(row, name)
        for name, default in TYPE_DEFAULTS.items()
    }


def overrides_of(metadata: object) -> dict[str, Any]:
    """Return the known fields of an instance's metadata; ValueError says what is wrong."""
    text = text_of(metadata)
    if text is None or not text.strip():
        return {}
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("it is not JSON") from None
    if not isinstance(data, dict):
        raise ValueError(f"expected a JSON object, found {text[:40]!r}")
    result: dict[str, Any] = {}
    for name in OVERRIDES:
        if name not in data:
            continue
        value = data[name]
        if isinstance(TYPE_DEFAULTS[name], bool):
            if not (isinstance(value, bool) or (type(value) is int and value in (0, 1))):
                raise ValueError(f"{name}: expected true or false, found {value!r}")
            result[name] = bool(value)
        elif type(value) is not int or abs(value) > 1_000_000:
            raise ValueError(f"{name}: expected a whole number, found {value!r}")
        else:
            result[name] = value
    for name in TEMPLATE_OVERRIDES:
        value = data.get(name)
        if value is not None and not isinstance(value, str):
            raise ValueError(f"{name}: expected a text, found {value!r}")
        result[name] = value or None
    if "trigger" in data:
        if data["trigger"] != "contact_created":
            raise ValueError(f'trigger: expected "contact_created", found {data["trigger"]!r}')
        result["when_created"] = True
    if "split" in data:
        result["split"] = _split(data["split"])
    return result


def _split(value: object) -> Split:
    expected = 'expected {"group": TEXT, "from": 0 to 99, "to": 1 to 100}, "from" below "to"'
    if isinstance(value, dict) and set(value) == {"group", "from", "to"}:
        group, first, end = value["group"], value["from"], value["to"]
        whole = type(first) is int and type(end) is int
        if isinstance(group, str) and whole and 0 <= first < end <= 100:
            return Split(group=group, first=first, end=end)
    raise ValueError(f"split: {expected}, found {value!r}")


def type_flag(row: Mapping[str, Any], name: str) -> bool:
    """Return a flag of a type, by default where it is NULL or blank; ValueError for other words."""
    value = row.get(name)
    word = (text_of(value) or "").strip().lower()
    if word == "":
        return bool(TYPE_DEFAULTS[name])
    if isinstance(value, int | float):
        return value != 0  # SQLite has no booleans
    if word in TRUE_WORDS or word in FALSE_WORDS:
        return word in TRUE_WORDS
    raise ValueError(f"{name}: expected 1 or 0, found {value!r}")


def type_number(row: Mapping[str, Any], name: str) -> int:
    """Return a whole number of a type, by default where it is NULL or blank; else ValueError."""
    value = row.get(name)
    text = (text_of(value) or "").strip()
    if text == "":
        return int(TYPE_DEFAULTS[name])
    found = _WHOLE.fullmatch(text)
    if found is None:
        raise ValueError(f"{name}: expected a whole number, found {value!r}")
    number = int(found[1])
    if abs(number) > 1_000_000:
        raise ValueError(f"{name}: {number} is out of range")
    return number


def text_of(value: object) -> str | None:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return None if value is None else str(value)
