"""The Terraform says the same as the code: subscriptions, settings, names of objects and logs."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import re

import pytest

from almanac.messaging.subscriptions import (
    DEAD_LETTER_RETENTION_SECONDS,
    SUBSCRIPTIONS,
    dead_letter_subscription,
)
from almanac.messaging.topics import Topics
from almanac.organizations import copy_job
from almanac.organizations.organizations import is_whole_run
from almanac.runs.fan_out import AT_DEADLINE, CHECKED, OVERDUE, UNSENT
from almanac.runs.handlers import HANDLERS
from almanac.runs.push_endpoint import DELIVERY
from almanac.runs.results import CHANGE_ENDED
from almanac.settings import Settings
from almanac.status.poll import POLLED, PROBLEM, WARNING
from almanac.storage import layout
from scripts import check_infra
from tests.support.terraform import FILES, INFRA, README, ROOT, TEXT, blocks, default

# --- messages -------------------------------------------------------------------------------------


def test_subscriptions_json_is_the_table_of_subscriptions() -> None:
    table = {
        name: {
            key: value
            for key, value in dataclasses.asdict(subscription).items()
            if key != "function"
        }
        for name, subscription in SUBSCRIPTIONS.items()
    }
    assert json.loads((INFRA / "subscriptions.json").read_text("utf-8")) == table


def test_every_handler_is_a_function_and_has_a_purpose() -> None:
    purposes = re.search(r"purposes = \{(.*?)\n  \}", TEXT, re.DOTALL)
    assert purposes
    assert set(re.findall(r"^ +(\w+) += ", purposes[1], re.MULTILINE)) == HANDLERS.keys()


def test_names_in_the_cloud_are_those_that_the_code_makes() -> None:
    topics = Topics(f"{default('name')}-")
    body = blocks("resource")["google_pubsub_subscription.dead_letters"]
    assert "name                       = google_pubsub_topic.dead_letters.name" in body
    assert topics.dead_letters == dead_letter_subscription(topics) == "almanac-dead-letters"
    dead_letters = blocks("resource")["google_pubsub_topic.dead_letters"]
    assert 'name         = "${var.name}-dead-letters"' in dead_letters
    # the tests of Terraform hold these names against what it plans
    tests = "\n".join(path.read_text("utf-8") for path in (INFRA / "tests").glob("*.tftest.hcl"))
    for each in SUBSCRIPTIONS.values():
        assert f'"{each.topic_name(topics)}"' in tests
        assert each.name(topics) == f"almanac-{each.function.replace('_', '-')}"


def test_dead_letters_are_kept_as_long_as_the_code_says() -> None:
    body = blocks("resource")["google_pubsub_subscription.dead_letters"]
    assert f'message_retention_duration = "{DEAD_LETTER_RETENTION_SECONDS}s"' in body


# --- settings -------------------------------------------------------------------------------------


def test_functions_get_every_setting_and_no_other() -> None:
    settings = {f"ALMANAC_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"\bALMANAC_[A-Z_]+\b", TEXT)) == settings


def test_settings_have_the_codes_defaults() -> None:
    for variable in ("shard_contacts", "lease_seconds", "log_level"):
        assert default(variable) == str(Settings.model_fields[variable].default)


# --- objects --------------------------------------------------------------------------------------


def test_rights_are_on_the_prefixes_that_the_layout_has() -> None:
    folders = {body for name, body in blocks("resource").items() if "managed_folder." in name}
    names = {name for body in folders for name in re.findall(r'name += "(.*)"', body)}
    assert names == {layout.ORGANIZATIONS, "rejected/"}
    assert layout.rejected(dt.date(2026, 11, 21), "1").startswith("rejected/")
    org = "{org}"
    conditions = re.findall(r"/objects/(orgs/\{org\}/[a-z]+/)", TEXT)
    known = [
        f(org="206").replace("206", org)
        for f in (layout.runs, layout.changes, layout.versions, layout.inbox)
    ]
    assert set(conditions) == set(known)


# --- logs -----------------------------------------------------------------------------------------


def test_metrics_read_lines_that_the_code_writes() -> None:
    code = "\n".join(
        path.read_text("utf-8") for path in (ROOT / "shared" / "almanac").rglob("*.py")
    )
    messages = set(re.findall(r'jsonPayload\.message=\\?"([^"\\$]+)\\?"', TEXT))
    messages |= set(re.findall(r'\{ message = "([^"]+)"', TEXT))
    messages |= set(re.findall(r'^ +line += "([^"]+)"', TEXT, re.MULTILINE))
    assert messages == {
        DELIVERY,
        OVERDUE,
        UNSENT,
        copy_job.COPIED,
        copy_job.OVERDUE,
        AT_DEADLINE,
        CHANGE_ENDED,
        CHECKED,
        PROBLEM,
        WARNING,
        POLLED,
        "run committed",
        "run failed",
        "message rejected",
    }
    for message in messages - {DELIVERY}:
        assert f'"{message}"' in code
    fields = re.findall(r"EXTRACT\(jsonPayload\.(\w+)\)", TEXT)
    fields += re.findall(r'field = "(\w+)"', TEXT)
    fields += re.findall(r"jsonPayload\.(\w+)(?:=true|<=)", TEXT)
    for field in fields:
        assert re.search(rf"\b{field}\b", code)


def test_runs_over_all_contacts_are_told_from_those_of_changes() -> None:
    found = re.search(r'jsonPayload\.run_id=~\\?"(.*?)\\?"', TEXT)
    assert found
    for run_id in (
        "2026-11-21-daily",
        "2026-11-21-daily~2",
        "2026-11-21-manual-7",
        "2026-11-21-change-e7",
        "push-20261121T000000Z-abc",
    ):
        assert bool(re.match(found[1], run_id)) == is_whole_run(run_id)


def test_where_nothing_can_be_checked_only_ci_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CI", raising=False)
    assert check_infra.main([INFRA]) == 0
    monkeypatch.setenv("CI", "true")
    assert check_infra.main([INFRA]) == 1
    assert "infra/ is not checked: terraform is not installed" in capsys.readouterr().err


# --- rights ---------------------------------------------------------------------------------------

# Whatever grants anything; tests/rights.tftest.hcl says to whom and on what.
GRANTS = {
    "google_artifact_registry_repository_iam_member.images",
    "google_cloud_run_service_iam_member.invoker",
    "google_cloud_run_service_iam_member.poll",
    "google_cloud_run_service_iam_member.push",
    "google_cloud_run_service_iam_member.status",
    "google_cloud_run_service_iam_member.status_viewers",
    "google_cloud_run_v2_job_iam_member.copy",
    "google_cloud_run_v2_job_iam_member.merge",
    "google_project_iam_audit_config.storage",
    "google_project_iam_custom_role.plan",
    "google_project_iam_member.deploy",
    "google_project_iam_member.deploy_grants",
    "google_project_iam_member.images",
    "google_project_iam_member.operators",
    "google_project_iam_member.plan",
    "google_project_iam_member.traces",
    "google_pubsub_subscription_iam_member.dead_letters",
    "google_pubsub_subscription_iam_member.operators",
    "google_pubsub_topic_iam_member.dead_letters",
    "google_pubsub_topic_iam_member.operators",
    "google_pubsub_topic_iam_member.publish",
    "google_service_account_iam_member.deploy",
    "google_service_account_iam_member.push_token",
    "google_storage_bucket_iam_member.copy_names",
    "google_storage_bucket_iam_member.copy_operators",
    "google_storage_bucket_iam_member.copy_writes",
    "google_storage_bucket_iam_member.deploy",
    "google_storage_bucket_iam_member.images",
    "google_storage_bucket_iam_member.inlet_reads",
    "google_storage_bucket_iam_member.inlet_writes",
    "google_storage_bucket_iam_member.names",
    "google_storage_bucket_iam_member.operators",
    "google_storage_bucket_iam_member.plan",
    "google_storage_bucket_iam_member.plan_sources",
    "google_storage_bucket_iam_member.state",
    "google_storage_bucket_iam_member.status",
    "google_storage_bucket_iam_member.write",
    "google_storage_managed_folder_iam_member.copy_reads",
    "google_storage_managed_folder_iam_member.operators",
    "google_storage_managed_folder_iam_member.operators_rejected",
    "google_storage_managed_folder_iam_member.read",
    "google_storage_managed_folder_iam_member.reject",
}


def test_nothing_grants_but_what_the_tests_of_rights_know() -> None:
    grants = {
        name
        for name in blocks("resource")
        if re.search(r"_iam_|_acl|_access_control|_iam$", name.partition(".")[0])
    }
    assert grants == GRANTS
    tests = "\n".join(path.read_text("utf-8") for path in (INFRA / "tests").glob("*.tftest.hcl"))
    for grant in grants:
        assert grant in tests, f"{grant}: no test says what it grants"


def test_the_readme_names_every_role_that_is_granted_and_no_other() -> None:
    granted = set(re.findall(r'"roles/([\w.]+)"', TEXT))
    assert set(re.findall(r"`roles/([\w.]+)`", README)) == granted


def test_nobody_has_a_basic_role_and_nothing_is_everybodys() -> None:
    assert not re.search(r'"roles/(owner|editor|viewer)"', TEXT)
    without_messages = re.sub(r"error_message .*", "", TEXT)
    # the providers' reports, which are signed; closed unless a variable opens them
    without_webhooks = re.sub(r'toset\(\["allUsers"\]\) # SendGrid', "", without_messages)
    assert without_webhooks != without_messages
    assert not re.search(r"\ballUsers\b|\ballAuthenticatedUsers\b", without_webhooks)


def test_the_only_provider_is_googles() -> None:
    for path in FILES:
        providers = re.findall(r'source += "([a-z-]+/[a-z-]+)"', path.read_text("utf-8"))
        assert set(providers) <= {"hashicorp/google"}
    assert TEXT.count('version = "~> 8.7"') == 3


def test_the_readme_says_every_variable_and_output() -> None:
    for kind in ("variable", "output"):
        names = blocks(kind, "\n".join(path.read_text("utf-8") for path in INFRA.glob("*.tf")))
        for name in names:
            assert f"`{name}`" in README, f"{kind} {name} is not in infra/README.md"


def test_the_data_bucket_cannot_be_destroyed_by_mistake() -> None:
    body = blocks("resource")["google_storage_bucket.data"]
    assert "deletion_policy             = local.deletion_policy" in body
    assert "force_destroy               = !var.deletion_protection" in body
    assert default("deletion_protection") == "true"
