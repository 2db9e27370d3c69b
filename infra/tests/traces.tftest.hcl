# Traces: off unless asked for, and then every function that records spans may write them.

mock_provider "google" {
  override_during = plan

  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }
  mock_resource "google_service_account" {
    defaults = {
      email  = "someone@almanac-test.iam.gserviceaccount.com"
      name   = "projects/almanac-test/serviceAccounts/someone@almanac-test.iam.gserviceaccount.com"
      member = "serviceAccount:someone@almanac-test.iam.gserviceaccount.com"
    }
  }
  mock_resource "google_cloudfunctions2_function" {
    defaults = { service_config = { uri = "https://function-abc.a.run.app" } }
  }
  mock_resource "google_monitoring_slo" {
    defaults = { name = "projects/1/services/almanac/serviceLevelObjectives/one" }
  }
}

variables {
  project_id     = "almanac-test"
  archive_folder = "tests/archives"
  alert_emails   = ["somebody@example.com"]
}

run "off_by_default" {
  command = plan

  assert {
    condition     = length(google_project_iam_member.traces) == 0 && !contains(keys(google_project_service.needed), "telemetry.googleapis.com") && !contains(keys(local.environment), "ALMANAC_TRACE_SAMPLING")
    error_message = "Somebody pays for traces who has not asked for them."
  }
}

run "on" {
  command = plan

  variables {
    traces = { sampling = 0.25 }
  }

  assert {
    condition     = local.environment.ALMANAC_TRACE_SAMPLING == "0.25" && local.environment.ALMANAC_TRACE_ENDPOINT == "https://telemetry.googleapis.com/v1/traces"
    error_message = "The functions do not get the setting."
  }
  assert {
    condition     = keys(google_project_iam_member.traces) == ["campaign_change", "intake", "intake_events", "merge", "orchestrator", "shard", "webhooks"] && alltrue([for each in google_project_iam_member.traces : each.role == "roles/telemetry.tracesWriter"])
    error_message = "Not those write spans that record them, or by a wider role."
  }
  assert {
    condition     = alltrue([for api in ["telemetry", "cloudtrace"] : contains(keys(google_project_service.needed), "${api}.googleapis.com")])
    error_message = "An API is missing: every export would be refused."
  }
  assert {
    condition     = strcontains(google_project_iam_member.deploy_grants.condition[0].expression, "roles/telemetry.tracesWriter")
    error_message = "The account that deploys may not grant the writing of spans."
  }
}

run "nothing_is_no_share" {
  command = plan

  variables {
    traces = { sampling = 0 }
  }

  expect_failures = [var.traces]
}
