# What has to hold of the whole installation, with the defaults.

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
}

variables {
  project_id     = "almanac-test"
  archive_folder = "tests/archives"
  operators      = ["group:operators@example.com"]
  alert_emails   = ["somebody@example.com"]
}

run "data_is_kept" {
  command = plan

  assert {
    condition = alltrue([for bucket in [google_storage_bucket.data, google_storage_bucket.sources] :
    bucket.public_access_prevention == "enforced" && bucket.uniform_bucket_level_access])
    error_message = "A bucket can be made public."
  }
  assert {
    condition     = alltrue([for bucket in [google_storage_bucket.data, google_storage_bucket.sources] : bucket.versioning[0].enabled && !bucket.force_destroy])
    error_message = "A bucket keeps no versions, or goes with its objects."
  }
  assert {
    condition     = alltrue([for bucket in [google_storage_bucket.data, google_storage_bucket.sources] : bucket.soft_delete_policy[0].retention_duration_seconds >= 7 * 24 * 3600])
    error_message = "A bucket has no soft delete of a week."
  }
  assert {
    condition = alltrue(flatten([for bucket in [google_storage_bucket.data, google_storage_bucket.sources] : [
      for rule in bucket.lifecycle_rule : [
        for condition in rule.condition :
        condition.with_state == "ARCHIVED" && coalesce(condition.age, 0) == 0 && condition.created_before == null
        && condition.custom_time_before == null && coalesce(condition.days_since_custom_time, 0) == 0
        && coalesce(condition.send_age_if_zero, false) == false
      ]
    ]]))
    error_message = "A lifecycle rule touches live objects."
  }
  assert {
    condition     = length(google_storage_bucket.data.lifecycle_rule) == 1 && one(one(google_storage_bucket.data.lifecycle_rule).condition).days_since_noncurrent_time == 7
    error_message = "The data bucket has other rules than the one for what is archived for 7 days."
  }
  assert {
    condition     = google_storage_bucket.data.name == "almanac-test-almanac-data" && google_storage_bucket.data.location == "us-central1"
    error_message = "The data bucket is not where it is said to be."
  }
}

run "databases_may_be_in_two_regions" {
  command = plan
  variables {
    data_location = "NAM4"
  }
  assert {
    condition     = google_storage_bucket.data.location == "NAM4" && google_storage_bucket.sources.location == "us-central1"
    error_message = "The databases are lost with their region."
  }
}

run "a_place_that_is_none_is_refused" {
  command = plan
  variables {
    data_location = "us-central1-a"
  }
  expect_failures = [var.data_location]
}

run "messages_are_kept" {
  command = plan

  assert {
    condition = toset([for topic in google_pubsub_topic.this : topic.name]) == toset([
      "almanac-run-requests", "almanac-shard-tasks", "almanac-shard-results", "almanac-campaign-changes", "almanac-intake"
    ]) && google_pubsub_topic.dead_letters.name == "almanac-dead-letters"
    error_message = "The topics are not those of almanac.messaging.topics."
  }
  assert {
    condition = (
      google_pubsub_subscription.dead_letters.name == "almanac-dead-letters"
      && length(google_pubsub_subscription.dead_letters.push_config) == 0
      && google_pubsub_subscription.dead_letters.message_retention_duration == "604800s"
      && google_pubsub_subscription.dead_letters.expiration_policy[0].ttl == ""
    )
    error_message = "Nothing keeps the dead letters."
  }
  assert {
    condition = (
      google_pubsub_topic_iam_member.dead_letters.topic == "almanac-dead-letters"
      && google_pubsub_topic_iam_member.dead_letters.role == "roles/pubsub.publisher"
      && google_pubsub_topic_iam_member.dead_letters.member == "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"
    )
    error_message = "Pub/Sub cannot publish dead letters."
  }
  assert {
    condition     = keys(module.function) == ["campaign_change", "intake_events", "merge", "orchestrator", "shard"]
    error_message = "There are not the five functions that take messages."
  }
}

run "the_day_begins_at_four_in_chicago" {
  command = plan

  assert {
    condition     = google_cloud_scheduler_job.daily.schedule == "0 4 * * *" && google_cloud_scheduler_job.daily.time_zone == "America/Chicago"
    error_message = "The daily run is not at 04:00 America/Chicago."
  }
  assert {
    condition     = base64decode(google_cloud_scheduler_job.daily.pubsub_target[0].data) == "{}"
    error_message = "The daily message is not {}; without data functions-framework answers 400."
  }
  assert {
    condition     = google_cloud_scheduler_job.daily.attempt_deadline == null
    error_message = "attempt_deadline on a Pub/Sub target is a difference for ever."
  }
}

run "hours_that_clocks_drop_or_repeat_are_refused" {
  command = plan
  variables {
    daily_time = "02:30"
  }
  expect_failures = [var.daily_time]
}

run "one_o_clock_is_refused" {
  command = plan
  variables {
    daily_time = "01:00"
  }
  expect_failures = [var.daily_time]
}

run "three_o_clock_is_refused" {
  command = plan
  variables {
    daily_time = "03:00"
  }
  expect_failures = [var.daily_time]
}

run "another_hour_is_taken" {
  command = plan
  variables {
    daily_time = "00:45"
    time_zone  = "America/New_York"
  }
  assert {
    condition     = google_cloud_scheduler_job.daily.schedule == "45 0 * * *" && google_cloud_scheduler_job.daily.time_zone == "America/New_York"
    error_message = "daily_time and time_zone are not what the job runs at."
  }
}

run "a_time_zone_without_daylight_saving_is_refused" {
  command = plan
  variables {
    time_zone = "Etc/GMT+6"
  }
  expect_failures = [var.time_zone]
}

run "nothing_is_public" {
  command = plan

  assert {
    condition     = google_cloudfunctions2_function.status.service_config[0].ingress_settings == "ALLOW_INTERNAL_ONLY"
    error_message = "The status function can be reached from anywhere."
  }
  assert {
    condition = toset([for grant in google_cloud_run_service_iam_member.status : "${grant.member} ${grant.role} ${grant.service}"]) == toset([
      "group:operators@example.com roles/run.invoker almanac-status"
    ])
    error_message = "Others than the operators may call the status function."
  }
}

run "no_invoker_is_everybody" {
  command = plan
  variables {
    status_invokers = ["allUsers"]
    intake_invokers = ["allUsers"]
    operators       = ["allAuthenticatedUsers"]
  }
  expect_failures = [var.status_invokers, var.intake_invokers, var.operators]
}

run "webhooks_are_closed_until_they_are_opened" {
  command = plan

  assert {
    condition     = keys(module.http) == ["intake"] && output.webhooks_url == null
    error_message = "A function is public that no variable has opened."
  }
}

run "webhooks_are_opened_by_a_variable" {
  command = plan
  variables {
    webhooks = { twilio_secret = "twilio-auth-token" }
  }

  assert {
    condition     = keys(module.http) == ["intake", "webhooks"] && output.webhooks_url == "https://us-central1-almanac-test.cloudfunctions.net/almanac-webhooks"
    error_message = "The providers' address is not that of the function."
  }
}

run "a_secret_is_named_and_not_given" {
  command = plan
  variables {
    webhooks = { twilio_secret = "projects/almanac-test/secrets/twilio" }
  }
  expect_failures = [var.webhooks]
}

run "webhooks_are_called_by_https" {
  command = plan
  variables {
    webhooks = { url = "http://hooks.example.com" }
  }
  expect_failures = [var.webhooks]
}

run "the_sizes_hold_three_million_contacts" {
  command = plan

  assert {
    condition = var.sizes == {
      orchestrator    = { cpu = 1, memory = "2Gi", concurrency = 1, max_instances = 5, timeout_seconds = 300 }
      shard           = { cpu = 1, memory = "1Gi", concurrency = 1, max_instances = 20, timeout_seconds = 300 }
      merge           = { cpu = 2, memory = "8Gi", concurrency = 1, max_instances = 5, timeout_seconds = 590 }
      campaign_change = { cpu = 1, memory = "2Gi", concurrency = 1, max_instances = 5, timeout_seconds = 300 }
      intake_events   = { cpu = 1, memory = "512Mi", concurrency = 8, max_instances = 5, timeout_seconds = 60 }
      status          = { cpu = 1, memory = "512Mi", concurrency = 8, max_instances = 2, timeout_seconds = 300 }
      intake          = { cpu = 1, memory = "1Gi", concurrency = 80, max_instances = 5, timeout_seconds = 60 }
      webhooks        = { cpu = 1, memory = "512Mi", concurrency = 16, max_instances = 2, timeout_seconds = 60 }
    }
    error_message = "The sizes are not those that were measured (docs/performance.md)."
  }
  assert {
    condition     = length(google_cloud_run_v2_job.merge) == 0
    error_message = "There is a job that no variable asked for."
  }
  assert {
    condition     = module.function["merge"].environment["ALMANAC_MERGE_SECONDS"] == "550" && alltrue([for name in ["orchestrator", "shard", "campaign_change"] : !contains(keys(module.function[name].environment), "ALMANAC_MERGE_SECONDS")])
    error_message = "A merge goes on when its function has been cut off."
  }
  assert {
    condition = google_cloudfunctions2_function.status.service_config[0].environment_variables == tomap({
      ALMANAC_STORE          = "gs://almanac-test-almanac-data"
      ALMANAC_PROJECT        = "almanac-test"
      ALMANAC_TOPIC_PREFIX   = "almanac-"
      ALMANAC_SHARD_CONTACTS = "50000"
      ALMANAC_LEASE_SECONDS  = "3600"
      ALMANAC_LOG_LEVEL      = "INFO"
      ALMANAC_STATUS_SECONDS = "225" # of 300
    })
    error_message = "The functions' settings are not the installation's."
  }
}

run "a_timeout_beyond_the_deadline_is_refused" {
  command = plan
  variables {
    sizes = { merge = { timeout_seconds = 600 } }
  }
  expect_failures = [var.sizes]
}

run "memory_beyond_the_vcpus_is_refused" {
  command = plan
  variables {
    sizes = { merge = { memory = "16Gi" } }
  }
  expect_failures = [var.sizes]
}

run "two_merges_in_an_instance_are_refused" {
  command = plan
  variables {
    sizes = { merge = { concurrency = 2 } }
  }
  expect_failures = [var.sizes]
}

run "shards_without_the_memory_for_it_are_refused" {
  command = plan
  variables {
    sizes = { shard = { concurrency = 4 } }
  }
  expect_failures = [var.sizes]
}

run "archives_are_named_by_their_content" {
  command = plan

  assert {
    condition = toset([for archive in google_storage_bucket_object.archive : archive.name]) == toset([
      "functions/orchestrator-0000000000000001.zip", "functions/shard-0000000000000002.zip",
      "functions/merge-0000000000000003.zip", "functions/campaign_change-0000000000000004.zip",
      "functions/status-0000000000000005.zip", "functions/intake_events-0000000000000006.zip",
      "functions/intake-0000000000000007.zip", "functions/webhooks-0000000000000008.zip",
    ])
    error_message = "The archives are not those of archives.json."
  }
}

run "somebody_is_told" {
  command = plan

  assert {
    condition     = strcontains(google_monitoring_alert_policy.dead_letters.conditions[0].condition_threshold[0].filter, "resource.label.subscription_id=\"almanac-dead-letters\"") && google_monitoring_alert_policy.dead_letters.conditions[0].condition_threshold[0].threshold_value == 0
    error_message = "No alert opens for dead letters."
  }
  assert {
    condition = (
      google_monitoring_alert_policy.stale.conditions[0].condition_prometheus_query_language[0].query
      == "absent_over_time(logging_googleapis_com:user_almanac_run_committed{monitored_resource=\"cloud_run_revision\"}[24h])"
      && google_monitoring_alert_policy.stale.conditions[0].condition_prometheus_query_language[0].duration == "7200s"
    )
    error_message = "No alert opens when there has been no run for 26 hours."
  }
  assert {
    condition = (
      [for each in google_monitoring_alert_policy.overdue.conditions : strcontains(each.condition_threshold[0].filter, "logging.googleapis.com/user/almanac-")] == [true, true]
      && [for each in google_logging_metric.late : each.name] == ["almanac-overdue", "almanac-unsent"]
      && google_monitoring_alert_policy.overdue.conditions[0].condition_threshold[0].aggregations[0].group_by_fields == tolist(["metric.label.org_id"])
      && google_cloud_scheduler_job.check.schedule == "30 * * * *"
      && base64decode(google_cloud_scheduler_job.check.pubsub_target[0].data) == "{\"reason\":\"check\"}"
    )
    error_message = "No alert opens for the one organization that is late."
  }
  assert {
    condition     = strcontains(google_monitoring_alert_policy.failed.conditions[0].condition_threshold[0].filter, "logging.googleapis.com/user/almanac-run-failed")
    error_message = "No alert opens for a failed run."
  }
  assert {
    condition     = alltrue([for policy in [google_monitoring_alert_policy.dead_letters, google_monitoring_alert_policy.stale, google_monitoring_alert_policy.overdue, google_monitoring_alert_policy.failed] : length(policy.notification_channels) == 1])
    error_message = "An alert has no channel."
  }
  assert {
    condition     = length(jsondecode(google_monitoring_dashboard.this.dashboard_json).gridLayout.widgets) == 20
    error_message = "The dashboard does not show every step."
  }
}

run "a_key_encrypts_everything" {
  command = plan
  variables {
    kms_key = "projects/keys/locations/us-central1/keyRings/almanac/cryptoKeys/almanac"
  }

  assert {
    condition     = alltrue([for bucket in [google_storage_bucket.data, google_storage_bucket.sources] : bucket.encryption[0].default_kms_key_name == var.kms_key])
    error_message = "A bucket is not encrypted with the key."
  }
  assert {
    condition     = alltrue([for topic in concat(values(google_pubsub_topic.this), [google_pubsub_topic.dead_letters]) : topic.kms_key_name == var.kms_key])
    error_message = "A topic is not encrypted with the key."
  }
  assert {
    condition     = google_cloudfunctions2_function.status.kms_key_name == var.kms_key && google_artifact_registry_repository.images.kms_key_name == var.kms_key
    error_message = "A function or its image is not encrypted with the key."
  }
}
