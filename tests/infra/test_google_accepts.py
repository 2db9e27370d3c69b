"""What Google's APIs refuse, or accept later than Terraform asks: none of it is in infra/.

- Alerts look back 25 hours at most, and a condition is about one type of resource. PromQL has to
  name that type where a metric is written by several
  (docs.cloud.google.com/monitoring/promql/promql-mapping).
- `evaluation_missing_data` needs a duration (hashicorp/terraform-provider-google, issue 16892).
- A new log-based metric can be used in an alert after up to ten minutes (issue 11102 there).
- An image for automatic updates is built on scratch, and is run by functions alone
  (docs.cloud.google.com/run/docs/configuring/services/automatic-base-image-updates).
- A disk as a volume is a preview: launch_stage BETA
  (docs.cloud.google.com/run/docs/configuring/jobs/ephemeral-disk).
"""

from __future__ import annotations

import re

from tests.support.operations_page import blocks as commands
from tests.support.terraform import INFRA, README, TEXT, blocks

ALERTS = {
    name: body for name, body in blocks("resource").items() if "monitoring_alert_policy" in name
}
FUNCTIONS = (INFRA / "functions.tf").read_text("utf-8")
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
LONGEST = 25 * 3600  # seconds
LOG_METRIC = r"logging\.googleapis\.com/user/|google_logging_metric\.|local\.no_run|\.metrics\."


def test_no_alert_looks_back_longer_than_google_lets_it() -> None:
    windows = re.findall(r"_over_time\([^\]]*\[(\d+)([smhdw])\]|\[(\d+)([smhdw])\]\)", TEXT)
    seconds = [int(a or c) * UNITS[b or d] for a, b, c, d in windows]
    seconds += [int(each) for each in re.findall(r'alignment_period\s+= "(\d+)s"', TEXT)]
    seconds += [int(each) for each in re.findall(r'"(\d+)s" = [\d.]+', TEXT)]  # of burn rates
    assert len(seconds) > 10
    assert max(seconds) <= LONGEST


def test_promql_names_the_type_of_resource_of_a_log_based_metric() -> None:
    selectors = re.findall(r"\$\{local\.(?:committed|polled)\}(\S*)", TEXT)
    assert len(selectors) == 2
    assert all(each.startswith("{monitored_resource=") for each in selectors)


def test_a_condition_is_about_one_type_of_resource() -> None:
    for name, body in ALERTS.items():
        local = blocks_of_locals(body)
        filters = re.findall(r"^ +(?:denominator_)?filter += (.*)$", body, re.MULTILINE)
        filters = [each for each in filters if "select_slo_burn_rate" not in each]
        for each in filters:
            for reference, text in local.items():
                each = each.replace(reference, text)
            assert each.count("resource.type=") == 1, f"{name}: {each}"


def blocks_of_locals(body: str) -> dict[str, str]:
    """The texts of local.service and local.requests, as the filters of a module use them."""
    service = 'resource.type=\\"cloud_run_revision\\"'
    return {"local.service": service, "local.requests": service} if "local." in body else {}


def test_missing_data_is_judged_only_with_a_duration() -> None:
    for body in ALERTS.values():
        for condition in body.split("conditions {")[1:]:
            if "evaluation_missing_data" in condition:
                assert not re.search(r'duration += "0s"', condition)


def test_an_alert_on_a_new_metric_waits_until_google_knows_it() -> None:
    waits = blocks("resource")["terraform_data.metrics"]
    assert 'command = "sleep 600"' in waits
    for name, body in ALERTS.items():
        if re.search(LOG_METRIC, body):
            waited = re.search(r"depends_on = \[(terraform_data\.metrics|module\.function)\]", body)
            assert waited, f"{name} is refused: its metric is too young"


def test_a_service_level_counts_what_google_lets_it() -> None:
    """Counters of kind DELTA, few series, a period of 30 days at most."""
    level = blocks("resource")["google_monitoring_slo.this"]
    filters = re.findall(r"(\w+)_service_filter += (.*)", level)
    assert [kind for kind, _ in filters] == ["good", "total"]
    for _, each in filters:
        assert each.count("resource.type=") == each.count("google_logging_metric.levels") == 1
    counter = blocks("resource")["google_logging_metric.levels"]
    assert re.search(r'metric_kind = "DELTA"\s+value_type  = "INT64"', counter)
    assert "labels" not in counter
    assert int(re.findall(r"rolling_period_days += (\d+)", level)[0]) <= 30
    assert "terraform_data.metrics" in level


def test_each_burn_rate_can_be_reached_at_the_lowest_goal() -> None:
    (lowest, highest) = re.findall(r"goal >= ([\d.]+) && goal <= ([\d.]+)", TEXT)[0]
    rates = [float(each) for each in re.findall(r'"\d+s" = ([\d.]+)', TEXT)]
    assert sorted(rates) == [3, 6, 14.4]
    assert max(rates) * (1 - float(lowest)) < 1
    assert float(highest) <= 0.999  # the provider's limit


def test_every_metric_is_waited_for() -> None:
    metrics = {name for name in blocks("resource") if name.startswith("google_logging_metric.")}
    named = re.findall(r"triggers_replace = \[(google_logging_metric.*)\]", TEXT)
    found = {each for text in named for each in re.findall(r"google_logging_metric\.\w+", text)}
    assert found == metrics


def test_nothing_is_made_before_its_api_is_known() -> None:
    uses = [
        name
        for name, body in blocks("resource").items()
        if "google_project_service.needed" in body and name != "terraform_data.apis"
    ]
    assert uses == []
    assert 'command = "sleep 120"' in blocks("resource")["terraform_data.apis"]


def test_a_right_of_pubsubs_account_waits_until_there_is_the_account() -> None:
    ours = [body for body in blocks("resource").values() if "local.agents.pubsub" in body]
    ours += [body for body in blocks("module").values() if "local.agents.pubsub" in body]
    assert len(ours) == 2
    for body in ours:
        waited = re.search(r"depends_on = \[(.*?)\]", body, re.DOTALL)
        assert waited
        assert "google_pubsub_subscription.dead_letters" in waited[1]
    lines = [line for block in commands() for line in block.splitlines()]
    made = next(i for i, each in enumerate(lines) if "identity create" in each)
    assert "--service=pubsub.googleapis.com" in lines[made]
    assert made < next(i for i, each in enumerate(lines) if each.startswith("make infra-plan"))


def test_the_job_runs_an_image_that_starts_by_itself() -> None:
    assert re.search(r'whole_image = each\.key == "merge"', FUNCTIONS)


def test_the_jobs_database_is_on_its_disk() -> None:
    job = blocks("resource")["google_cloud_run_v2_job.merge"]
    assert 'medium     = "DISK"' in job
    assert 'launch_stage        = "BETA"' in job
    assert "TMPDIR = local.job_folder" in job
    assert "mount_path = local.job_folder" in job


def test_the_readme_says_how_many_applies_it_takes() -> None:
    assert "## How many applies" in README
