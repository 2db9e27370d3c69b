"""The rule set `statutory`: the states' rules as dated, sourced data (statutory.yaml)."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

import yaml

# libyaml reads the file in a tenth of the time; PyYAML is built without it on some systems
_Safe: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Safe):  # type: ignore[misc]
    """A loader that leaves dates as texts, as they are in a configuration."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [each for each in few if each[0] != "tag:yaml.org,2002:timestamp"]
        for first, few in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


@cache
def statutory_rules() -> dict[str, list[dict[str, Any]]]:
    """Return the rules of each state, with the keys of a rule, and id, note and confidence.

    The result must not be changed.
    """
    text = resources.files("almanac.rules").joinpath("statutory.yaml").read_bytes()
    by_state: dict[str, list[dict[str, Any]]] = {}
    for keys in yaml.load(text, _Loader)["rules"]:
        rule = dict(keys)
        by_state.setdefault(rule.pop("state"), []).append(rule)
    return by_state
