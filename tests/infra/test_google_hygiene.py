"""What takes a label, a key or protection has it, and each finding that is left has its reason."""

from __future__ import annotations

import re

import pytest

from tests.support.terraform import INFRA, README, RESOURCES

# Types that have the argument, by the schema of hashicorp/google 8.7.0; alerts and service levels
# have labels of the user.
LABELLED = {
    "google_artifact_registry_repository": "labels",
    "google_cloud_run_v2_job": "labels",
    "google_cloudfunctions2_function": "labels",
    "google_monitoring_alert_policy": "user_labels",
    "google_monitoring_custom_service": "user_labels",
    "google_monitoring_notification_channel": "user_labels",
    "google_monitoring_slo": "user_labels",
    "google_pubsub_subscription": "labels",
    "google_pubsub_topic": "labels",
    "google_storage_bucket": "labels",
}
# What can be encrypted with a key. An object has the key of its bucket.
ENCRYPTED = {
    "google_artifact_registry_repository": r"kms_key_name += var\.kms_key",
    "google_cloud_run_v2_job": r"encryption_key += \S*kms_key",
    "google_cloudfunctions2_function": r"kms_key_name += var\.kms_key",
    "google_pubsub_topic": r"kms_key_name += var\.kms_key",
    "google_storage_bucket": r"for_each = \S*kms_key\[\*\]",
}
KEPT = ("google_artifact_registry_repository.images", "google_storage_bucket.")
CHECKOV = (INFRA / ".checkov.yaml").read_text("utf-8")


def of_kinds(kinds: dict[str, str]) -> list[tuple[str, str]]:
    """Each resource of such a type, with what its type asks for."""
    return [(name, kinds[kind]) for name in RESOURCES if (kind := name.split(".")[0]) in kinds]


@pytest.mark.parametrize(("name", "argument"), of_kinds(LABELLED))
def test_what_takes_labels_has_them(name: str, argument: str) -> None:
    assert re.search(rf"^  {argument} += (local|var)\.labels$", RESOURCES[name], re.MULTILINE)


@pytest.mark.parametrize(("name", "pattern"), of_kinds(ENCRYPTED))
def test_what_can_be_encrypted_with_a_key_is(name: str, pattern: str) -> None:
    assert re.search(pattern, RESOURCES[name])


def test_what_is_kept_cannot_be_deleted_by_terraform() -> None:
    kept = [body for name, body in RESOURCES.items() if name.startswith(KEPT)]
    assert len(kept) >= 3
    assert all("local.deletion_policy" in body for body in kept)


def test_each_finding_that_is_left_has_its_reason() -> None:
    skipped = re.findall(r"^  - (CKV\w+)$", CHECKOV, re.MULTILINE)
    reasons = re.findall(r"((?:^  # .*\n)+)  - CKV\w+$", CHECKOV, re.MULTILINE)
    assert len(skipped) == len(reasons) == 2
    assert min(map(len, reasons)) > 80
    assert re.findall(r"^\| `(CKV\w+)` \| [^|]+ \| [^|]{40,} \|$", README, re.MULTILINE) == skipped
