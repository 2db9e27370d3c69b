"""The poll of infra/status_poll.tf reaches the status function, and alerts read what it logs."""

from __future__ import annotations

import datetime as dt
import re
from typing import get_args

from structlog.testing import capture_logs

from almanac.status.endpoint import status_response
from almanac.status.model import Kind
from almanac.status.poll import POLLED
from almanac.storage.memory import MemoryStore
from tests.support.terraform import INFRA, RESOURCES

NOW = dt.datetime(2026, 11, 21, 14, 0, tzinfo=dt.UTC)
TEXT = (INFRA / "status_poll.tf").read_text("utf-8")
JOB = RESOURCES["google_cloud_scheduler_job.poll"]
FUNCTION = "google_cloudfunctions2_function.status"
URI = f"{FUNCTION}.service_config[0].uri"


def test_the_path_of_the_poll_is_one_that_polls() -> None:
    (path,) = re.findall(rf'uri +?= "\$\{{{re.escape(URI)}\}}(/\S*)"', JOB)
    with capture_logs() as lines:
        assert status_response(MemoryStore(), path, NOW).code == 200
    assert [each["event"] for each in lines] == [POLLED]


def test_the_token_is_of_the_account_that_may_call_and_for_the_function_that_is_called() -> None:
    (audience,) = re.findall(r"audience +?= (\S+)", JOB)
    assert audience == URI  # Cloud Run takes the address of the service itself, without a path
    (email,) = re.findall(r"service_account_email = (\S+)", JOB)
    account = email.removesuffix(".email")
    grants = [
        name
        for name, body in RESOURCES.items()
        if f"{account}.member" in body and "_iam_member" in name
    ]
    assert grants == ["google_cloud_run_service_iam_member.poll"]
    assert f"service  = {FUNCTION}.name" in RESOURCES[grants[0]]
    assert 'role     = "roles/run.invoker"' in RESOURCES[grants[0]]


def test_the_poll_is_not_given_up_before_the_function_ends() -> None:
    assert "var.sizes.status.timeout_seconds + 15" in JOB  # Scheduler's default is 180 s
    assert "var.sizes.status.timeout_seconds * 0.75" in RESOURCES[FUNCTION]


def test_what_an_alert_leaves_out_is_a_kind_of_warning() -> None:
    left_out = re.findall(r'kind!=\\"(\w+)\\"', TEXT)
    assert left_out == ["overdue"]
    assert set(left_out) <= set(get_args(Kind))
