"""The accounts that plan and apply have the rights to: each resource compared with their roles.

google_roles.json has what Google's roles hold, and what each type of resource asks for to be read
and to be changed.
"""

from __future__ import annotations

import re

import pytest

from tests.support.terraform import GOOGLE, IAM, README, RESOURCES, holds

BUCKETS = ("data", "sources", "state", "copy")
# Changed by a person only, as infra/README.md says: the builders' own rights.
BY_A_PERSON = {
    "google_project_iam_custom_role.plan",
    "google_project_iam_member.deploy",
    "google_project_iam_member.deploy_grants",
    "google_project_iam_member.plan",
}

# On the billing account, granted by hand: infra/README.md.
BY_HAND = {"google_billing_budget.this"}


def project_roles(builder: str) -> set[str]:
    (listed,) = re.findall(rf"{builder}_roles = toset\(\[(.*?)\]\)", IAM, re.DOTALL)
    found = set(re.findall(r'"(roles/[\w.]+)"', listed))
    return found | ({"roles/resourcemanager.projectIamAdmin"} if builder == "deploy" else set())


def bucket_roles(builder: str, bucket: str) -> set[str]:
    """The roles that a builder has on one of the buckets, by iam.tf."""
    if bucket == "state":
        body = RESOURCES["google_storage_bucket_iam_member.state"]
        return set(re.findall(rf'role = "(roles/[\w.]+)", member = \S+\.{builder}\.member', body))
    granted = [
        body
        for name, body in RESOURCES.items()
        if name.startswith("google_storage_bucket_iam")
        and re.search(rf"member += google_service_account\.{builder}\.member", body)
        and bucket in places(body)
    ]
    return set(re.findall(r'role += "?([\w./]+)"?', "\n".join(granted)))


def places(body: str) -> list[str]:
    """The buckets that a block is about; empty for something of the project."""
    if "var.state_bucket" in body:
        return ["state"]
    named = re.findall(r"\bgoogle_storage_bucket\.(\w+)(?:\.name|\[| :)", body)
    return [bucket for bucket in BUCKETS if bucket in named]


def missing(builder: str, name: str, kinds: tuple[str, ...]) -> set[str]:
    """What the builder lacks to read (and change) the resource."""
    assert name.partition(".")[0] in GOOGLE["resources"], f"google_roles.json: what {name} needs"
    needs = GOOGLE["resources"][name.partition(".")[0]]
    own = [name.partition(".")[2]] if name.startswith("google_storage_bucket.") else []
    on = places(RESOURCES[name]) or own
    scopes = [bucket_roles(builder, bucket) for bucket in on] or [set()]
    return {
        permission
        for kind in kinds
        for permission in needs[kind]
        for roles in scopes
        if not holds(project_roles(builder) | roles, permission)
    }


def test_the_account_that_plans_reads_every_resource() -> None:
    lacks = {name: missing("plan", name, ("read",)) for name in RESOURCES.keys() - BY_HAND}
    assert {name: found for name, found in lacks.items() if found} == {}


def test_the_account_that_applies_reads_and_changes_every_resource() -> None:
    lacks = {
        name: missing("deploy", name, ("read",) if name in BY_A_PERSON else ("read", "change"))
        for name in RESOURCES.keys() - BY_HAND
    }
    assert {name: found for name, found in lacks.items() if found} == {}


@pytest.mark.parametrize(
    ("builder", "permissions"),
    [
        ("plan", ["storage.objects.get", "storage.objects.list"]),
        ("deploy", ["storage.objects.get", "storage.objects.create", "storage.objects.delete"]),
    ],
)
def test_a_builder_uses_the_state(builder: str, permissions: list[str]) -> None:
    assert all(holds(bucket_roles(builder, "state"), each) for each in permissions)


def test_the_account_that_plans_reads_no_database_and_changes_nothing() -> None:
    roles = project_roles("plan") | bucket_roles("plan", "data")
    assert not holds(roles, "storage.objects.get")
    changing = {each for need in GOOGLE["resources"].values() for each in need["change"]}
    changing -= {"artifactregistry.repositories.downloadArtifacts"}
    everywhere = roles | bucket_roles("plan", "sources") | bucket_roles("plan", "state")
    assert {each for each in changing if holds(everywhere, each)} == set()


def test_the_readme_says_what_a_person_applies() -> None:
    assert "the rights of the two builders in the project" in " ".join(README.split())
