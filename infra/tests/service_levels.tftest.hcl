# Service levels, the budget, and protection against deletion.

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

run "what_is_promised_is_measured" {
  command = plan

  assert {
    condition     = google_cloud_scheduler_job.deadline.schedule == "0 6 * * *" && google_cloud_scheduler_job.deadline.time_zone == "America/Chicago" && jsondecode(base64decode(google_cloud_scheduler_job.deadline.pubsub_target[0].data)).reason == "deadline"
    error_message = "Nothing looks at 06:00 whether all is planned."
  }
  assert {
    condition     = keys(google_monitoring_slo.this) == ["change", "day"] && alltrue([for level in google_monitoring_slo.this : level.goal == 0.99 && level.rolling_period_days == 30])
    error_message = "There are not the two service levels."
  }
  assert {
    condition     = strcontains(google_logging_metric.levels["change-good"].filter, "jsonPayload.waited_seconds<=600") && !strcontains(google_logging_metric.levels["change-all"].filter, "waited_seconds")
    error_message = "A change is not late after 10 minutes."
  }
  assert {
    condition     = strcontains(google_logging_metric.levels["day-good"].filter, "jsonPayload.planned=true") && !strcontains(google_logging_metric.levels["day-all"].filter, "planned=")
    error_message = "An organization that is not planned counts as one that is."
  }
  assert {
    condition     = keys(google_monitoring_alert_policy.burn) == ["change-fast", "change-slow", "day-fast", "day-slow"]
    error_message = "A service level has not two alerts."
  }
  assert {
    condition = toset(flatten([for alert in google_monitoring_alert_policy.burn : [for each in alert.conditions : "${each.condition_threshold[0].filter} ${each.condition_threshold[0].threshold_value}"]])) == toset([
      "select_slo_burn_rate(\"projects/1/services/almanac/serviceLevelObjectives/one\", \"3600s\") 14.4",
      "select_slo_burn_rate(\"projects/1/services/almanac/serviceLevelObjectives/one\", \"21600s\") 6",
      "select_slo_burn_rate(\"projects/1/services/almanac/serviceLevelObjectives/one\", \"86400s\") 3",
    ])
    error_message = "The windows are not those of the workbook."
  }
  assert {
    condition     = length(setintersection(["Messages planned, mean of a run", "Messages skipped, mean of a run", "Hit rate of the states' rules, %", "Objects that wait in the inboxes"], [for widget in jsondecode(google_monitoring_dashboard.this.dashboard_json).gridLayout.widgets : widget.title])) == 4
    error_message = "The dashboard has no numbers of the runs."
  }
}

run "the_day_may_end_later" {
  command = plan
  variables {
    daily_time     = "22:15"
    service_levels = { planned_by = "23:30", planned_goal = 0.95, change_minutes = 30 }
  }
  assert {
    condition     = google_cloud_scheduler_job.deadline.schedule == "30 23 * * *" && google_monitoring_slo.this["day"].goal == 0.95 && strcontains(google_logging_metric.levels["change-good"].filter, "<=1800")
    error_message = "The service levels are not those of the variable."
  }
}

run "a_deadline_before_the_run_is_refused" {
  command = plan
  variables {
    daily_time = "07:00"
  }
  expect_failures = [var.service_levels]
}

run "a_goal_whose_alert_could_never_come_is_refused" {
  command = plan
  variables {
    service_levels = { change_goal = 0.9 }
  }
  expect_failures = [var.service_levels]
}

run "changes_are_counted_where_they_are_merged" {
  command = plan
  variables {
    merge_job = { image = "us-central1-docker.pkg.dev/almanac-test/almanac/merge" }
  }
  assert {
    condition     = strcontains(google_monitoring_slo.this["change"].request_based_sli[0].good_total_ratio[0].total_service_filter, "resource.type=\"cloud_run_job\"") && strcontains(google_monitoring_slo.this["day"].request_based_sli[0].good_total_ratio[0].total_service_filter, "resource.type=\"cloud_run_revision\"")
    error_message = "The lines of the job are not counted."
  }
}

run "there_is_no_budget_unless_it_is_asked_for" {
  command = plan
  assert {
    condition     = length(google_billing_budget.this) == 0 && !contains([for each in google_project_service.needed : each.service], "billingbudgets.googleapis.com")
    error_message = "There is a budget that was not asked for."
  }
}

run "a_budget_is_of_this_project" {
  command = plan
  variables {
    budget = { billing_account = "012345-6789AB-CDEF01", amount = 100, currency = "EUR" }
  }
  assert {
    condition = (
      google_billing_budget.this["this"].budget_filter[0].projects == toset(["projects/123456789012"])
      && google_billing_budget.this["this"].amount[0].specified_amount[0].units == "100"
      && google_billing_budget.this["this"].amount[0].specified_amount[0].currency_code == "EUR"
      && [for rule in google_billing_budget.this["this"].threshold_rules : rule.threshold_percent] == [0.5, 0.9, 1, 1]
      && length(google_billing_budget.this["this"].all_updates_rule[0].monitoring_notification_channels) == 1
    )
    error_message = "The budget is not that of the variable."
  }
}

run "a_budget_without_an_account_is_refused" {
  command = plan
  variables {
    budget = { billing_account = "billingAccounts/1", amount = 100 }
  }
  expect_failures = [var.budget]
}

run "nothing_that_is_kept_can_be_deleted" {
  command = plan
  assert {
    condition = alltrue([for each in [google_storage_bucket.data, google_storage_bucket.sources] : each.deletion_policy == "PREVENT" && !each.force_destroy]) && (
      google_artifact_registry_repository.images.deletion_policy == "PREVENT"
      && !google_storage_managed_folder.organizations.force_destroy
    )
    error_message = "Terraform may delete databases."
  }
}

run "an_installation_can_be_destroyed_once_that_was_applied" {
  command = plan
  variables {
    deletion_protection = false
  }
  assert {
    condition = alltrue([for each in [google_storage_bucket.data, google_storage_bucket.sources] : each.deletion_policy == "DELETE" && each.force_destroy]) && (
      google_artifact_registry_repository.images.deletion_policy == "DELETE"
      && google_storage_managed_folder.organizations.force_destroy && google_storage_managed_folder.rejected.force_destroy
    )
    error_message = "An installation for a try cannot be destroyed."
  }
}
