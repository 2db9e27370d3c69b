"""Whoever is on call may run each command of docs/operations.md; what an installation cannot do
without is enabled and granted there before it is used."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.support.operations_page import TEXT
from tests.support.terraform import IAM, RESOURCES, allows, holds

# Sections that a person with all rights in the project follows: who installs.
INSTALLING = {
    "First deployment",
    "Deployment by Cloud Build",
    "What comes in between runs",
    "Sizes and limits",
    "Disaster recovery",
}
# Besides, single commands of such a person.
ALSO_INSTALLING = ("storage restore gs://BUCKET#",)
NEEDS = {
    "config set": [],
    "logging read": ["logging.logEntries.list"],
    "pubsub subscriptions pull": ["pubsub.subscriptions.consume"],
    "pubsub topics publish": ["pubsub.topics.publish"],
    "run services proxy": ["run.services.get", "run.routes.invoke"],
    "scheduler jobs describe": ["cloudscheduler.jobs.get"],
    "scheduler jobs pause": ["cloudscheduler.jobs.pause"],
    "scheduler jobs run": ["cloudscheduler.jobs.run"],
    "scheduler jobs resume": ["cloudscheduler.jobs.enable"],
    "storage cat": ["storage.objects.get"],
    "storage cp": ["storage.objects.get", "storage.objects.create", "storage.objects.delete"],
    "storage ls": ["storage.objects.list", "storage.objects.get"],
    "storage restore": ["storage.objects.restore", "storage.objects.create"],
    "storage rm": ["storage.objects.list", "storage.objects.delete"],
}


def commands() -> Iterator[tuple[str, str]]:
    """Each gcloud command of the page, without the word gcloud, and its section."""
    section, in_block = "", False
    for line in TEXT.splitlines():
        in_block ^= line.strip().startswith("```")
        if not in_block and (heading := re.match(r"##+ (.*)", line)):
            section = heading[1]
        found = [line.strip()] if in_block else re.findall(r"`(gcloud [^`]+)`", line)
        for command in found:
            if command.startswith("gcloud "):
                yield section, command.removeprefix("gcloud ")


def operators_roles() -> set[str]:
    listed = re.findall(r"operator_roles = toset\(\[(.*?)\]\)", IAM, re.DOTALL)
    given = [body for body in RESOURCES.values() if "var.operators" in body]
    return set(re.findall(r'"(roles/[\w.]+)"', " ".join([*listed, *given])))


def test_an_operator_may_run_each_command_of_the_runbook() -> None:
    roles = operators_roles()
    wrong = []
    for section, command in commands():
        if section in INSTALLING or command.startswith(ALSO_INSTALLING):
            continue
        needs = next(needs for name, needs in NEEDS.items() if command.startswith(name))
        wrong += [f"{command}: {each}" for each in needs if not holds(roles, each)]
    assert wrong == []


def test_an_operator_reads_the_copy_to_start_from_it_and_changes_nothing_there() -> None:
    given = RESOURCES["google_storage_bucket_iam_member.copy_operators"]
    assert "var.operators" in given
    roles = set(re.findall(r'"(roles/[\w.]+)"', given))
    assert all(holds(roles, f"storage.objects.{each}") for each in ("get", "list"))
    assert not any(holds(roles, f"storage.objects.{each}") for each in ("create", "delete"))


def test_an_operator_sees_alerts_and_the_dashboard() -> None:
    assert "| the dashboard |" in TEXT
    assert "| the alerts |" in TEXT
    for needed in (
        "monitoring.alertPolicies.get",
        "monitoring.dashboards.get",
        "monitoring.timeSeries.list",
    ):
        assert holds(operators_roles(), needed)


def test_who_is_let_into_the_status_function_may_look_it_up() -> None:
    invokers = [body for body in RESOURCES.values() if "var.status_invokers" in body]
    roles = set(re.findall(r'"(roles/[\w.]+)"', " ".join(invokers)))
    assert holds(roles, "run.routes.invoke")
    assert holds(roles, "run.services.get")


def test_the_connection_of_cloud_build_has_its_api_and_its_role_first() -> None:
    lines = [command for section, command in commands() if section == "Deployment by Cloud Build"]
    connects = next(i for i, each in enumerate(lines) if each.startswith("builds connections"))
    before = lines[:connects]
    assert any(
        "services enable" in each and "secretmanager.googleapis.com" in each for each in before
    )
    assert any(
        "gcp-sa-cloudbuild" in each and "--role=roles/secretmanager.admin" in each
        for each in before
    )


def sources_of(key: str) -> str:
    """The condition under which images are built from Cloud Functions' copy of a source."""
    (expression,) = re.findall(r'"roles/storage.objectViewer" = "(.*)"\n', IAM)
    name = re.findall(r'function_sources = "(.*)"\n', IAM)
    text = expression.replace("${local.function_sources}", name[0] if name else "")
    text = text.replace('${var.kms_key == null ? "/" : "-"}', "-" if key else "/")
    return str(text).replace("${local.number}", "1234").replace("${var.region}", "us-east4")


def test_the_build_account_reads_its_sources_with_and_without_a_key() -> None:
    # with a key Cloud Functions makes gcf-v2-sources-NUMBER-REGION-HASH
    at = "projects/_/buckets/gcf-v2-sources-1234-us-east4"
    for key, bucket in (("", at), ("a key", f"{at}-0a1b2c")):
        condition = sources_of(key)
        assert allows(condition, f"{bucket}/objects/almanac-shard/function-source.zip", whole=True)
        assert not allows(condition, f"{at}0/objects/x.zip", whole=True)
        assert not allows(condition, "projects/_/buckets/data/objects/x", whole=True)


def test_who_reads_a_database_is_logged_where_it_is_asked_for() -> None:
    audit = RESOURCES["google_project_iam_audit_config.storage"]
    assert "storage.googleapis.com" in audit
    assert 'for_each = ["DATA_READ", "DATA_WRITE"]' in audit
