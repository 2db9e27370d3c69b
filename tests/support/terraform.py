"""The Terraform files of the installation, their blocks, and what iam.tf grants."""

from __future__ import annotations

import fnmatch
import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
MODULES = INFRA / "modules"
FILES = sorted([*INFRA.glob("*.tf"), *MODULES.glob("*/*.tf")])
TEXT = "\n".join(path.read_text("utf-8") for path in FILES)
README = (INFRA / "README.md").read_text("utf-8")
IAM = (INFRA / "iam.tf").read_text("utf-8")
OBJECTS = "projects/_/buckets/data/objects"
# what Google's roles hold, and what each type of resource asks for to be read and to be changed
GOOGLE = json.loads((ROOT / "tests" / "infra" / "google_roles.json").read_text("utf-8"))
ROLES: dict[str, list[str]] = GOOGLE["roles"]


def blocks(kind: str, text: str = TEXT) -> dict[str, str]:
    """The blocks of a kind at the outermost level, by type and name."""
    found = re.findall(rf'^{kind} ("[^{{]*") \{{\n(.*?)^\}}', text, re.MULTILINE | re.DOTALL)
    return {name.replace('"', "").replace(" ", "."): body for name, body in found}


def default(variable: str) -> str:
    body = blocks("variable")[variable]
    found = re.search(r"^  default += (.*)$", body, re.MULTILINE)
    assert found, f"variable {variable} has no default"
    return found[1].strip('"')


RESOURCES = {name: body for name, body in blocks("resource").items() if name.startswith("google_")}


def holds(roles: set[str], permission: str) -> bool:
    """Whether one of the roles holds the permission; the roles of iam.tf itself too."""
    held = [pattern for role in roles for pattern in ROLES.get(role) or custom(role)]
    return any(fnmatch.fnmatchcase(permission, pattern) for pattern in held)


def custom(role: str) -> list[str]:
    body = RESOURCES[role.removesuffix(".name")]
    (listed,) = re.findall(r"permissions = \[(.*?)\]", body, re.DOTALL)
    return re.findall(r'"([\w.]+)"', listed)


def allows(expression: str, name: str, *, whole: bool = False) -> bool:
    """What a condition says of an object: the few words of CEL that ours are made of.

    whole: the name is that of Google's API, with its bucket.
    """
    resource = name if whole else f"{OBJECTS}/{name}"

    def extracted(match: re.Match[str]) -> str:
        before, after = match[1].split("{org}")
        return str(re.search(f"{re.escape(before)}.+?{re.escape(after)}", resource) is not None)

    python = expression.replace('\\"', '"').replace("${local.objects}", OBJECTS)
    python = re.sub(r'resource\.name\.extract\("(.*?)"\) != ""', extracted, python)
    python = re.sub(
        r'resource\.name\.startsWith\("(.*?)"\)',
        lambda match: str(resource.startswith(match[1])),
        python,
    )
    python = re.sub(
        r'resource\.name\.endsWith\("(.*?)"\)',
        lambda match: str(resource.endswith(match[1])),
        python,
    )
    python = python.replace("||", "or").replace("&&", "and")
    assert re.fullmatch(r"(True|False|and|or|[() ])*", python), python
    return bool(eval(python))
