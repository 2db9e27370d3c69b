# A second bucket in another region, and what keeps it a copy of the first.

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
  override_resource {
    target = google_service_account.copy["copy"]
    values = { email = "copy@example.com", member = "serviceAccount:copy", name = "accounts/copy" }
  }
  mock_resource "google_cloudfunctions2_function" {
    defaults = { service_config = { uri = "https://function-abc.a.run.app" } }
  }
}

variables {
  project_id     = "almanac-test"
  archive_folder = "tests/archives"
  operators      = ["group:operators@example.com"]
  copy = {
    location = "us-west1"
    image    = "us-central1-docker.pkg.dev/almanac-test/almanac/merge@sha256:0123"
    tasks    = 4
  }
}

run "the_copy_is_kept_as_the_databases_are" {
  command = plan

  assert {
    condition     = google_storage_bucket.copy["copy"].location == "us-west1" && google_storage_bucket.copy["copy"].name == "almanac-test-almanac-copy"
    error_message = "The copy is not where it was to be."
  }
  assert {
    condition = alltrue([for bucket in [google_storage_bucket.copy["copy"]] : (
      bucket.public_access_prevention == "enforced" && bucket.uniform_bucket_level_access && bucket.versioning[0].enabled && !bucket.force_destroy
      && bucket.deletion_policy == google_storage_bucket.data.deletion_policy
      && bucket.soft_delete_policy[0].retention_duration_seconds == google_storage_bucket.data.soft_delete_policy[0].retention_duration_seconds
    )])
    error_message = "The copy is kept by other rules than the databases."
  }
  assert {
    condition     = one(one(google_storage_bucket.copy["copy"].lifecycle_rule).condition).with_state == "ARCHIVED"
    error_message = "A rule by age would take live databases from the copy."
  }
}

run "one_account_reads_the_first_bucket_and_writes_the_second" {
  command = plan

  assert {
    condition = (
      [for grant in google_storage_managed_folder_iam_member.copy_reads : "${grant.member} ${grant.role} ${grant.bucket} ${grant.managed_folder}"] == ["serviceAccount:copy roles/storage.objectViewer almanac-test-almanac-data orgs/"]
      && [for grant in google_storage_bucket_iam_member.copy_names : "${grant.member} ${grant.role} ${grant.bucket}"] == ["serviceAccount:copy roles/storage.legacyBucketReader almanac-test-almanac-data"]
      && [for grant in google_storage_bucket_iam_member.copy_writes : "${grant.member} ${grant.role} ${grant.bucket}"] == ["serviceAccount:copy roles/storage.objectUser almanac-test-almanac-copy"]
      && [for grant in google_cloud_run_v2_job_iam_member.copy : "${grant.member} ${grant.role} ${grant.name}"] == ["serviceAccount:copy roles/run.invoker almanac-copy"]
    )
    error_message = "The account that copies has other rights."
  }
  assert {
    condition     = [for grant in google_storage_bucket_iam_member.copy_operators : "${grant.member} ${grant.role} ${grant.bucket}"] == ["group:operators@example.com roles/storage.objectViewer almanac-test-almanac-copy"]
    error_message = "Operators do more in the copy than to read it."
  }
  assert {
    condition = (
      contains([for grant in google_storage_bucket_iam_member.deploy : "${grant.role} ${grant.bucket}"], "roles/storage.admin almanac-test-almanac-copy")
      && contains([for grant in google_storage_bucket_iam_member.plan : grant.bucket], "almanac-test-almanac-copy")
      && contains([for grant in google_service_account_iam_member.deploy : grant.service_account_id], "accounts/copy")
    )
    error_message = "The builders cannot set up the copy."
  }
}

run "the_job_copies_each_hour" {
  command = plan

  assert {
    condition = (
      google_cloud_run_v2_job.copy["copy"].template[0].template[0].containers[0].image == var.copy.image
      && google_cloud_run_v2_job.copy["copy"].template[0].template[0].containers[0].command == tolist(["/cnb/lifecycle/launcher", "python", "-m", "almanac.organizations.copy_job"])
      && google_cloud_run_v2_job.copy["copy"].template[0].template[0].containers[0].args == tolist(["gs://almanac-test-almanac-copy", "3"])
      && google_cloud_run_v2_job.copy["copy"].template[0].template[0].service_account == "copy@example.com"
      && google_cloud_run_v2_job.copy["copy"].template[0].task_count == 4
    )
    error_message = "The job does not copy the one bucket into the other."
  }
  assert {
    condition = (
      google_cloud_scheduler_job.copy["copy"].schedule == "15 * * * *"
      && google_cloud_scheduler_job.copy["copy"].http_target[0].uri == "https://run.googleapis.com/v2/projects/almanac-test/locations/us-central1/jobs/almanac-copy:run"
      && google_cloud_scheduler_job.copy["copy"].http_target[0].oauth_token[0].service_account_email == "copy@example.com"
    )
    error_message = "Nothing starts the job."
  }
  assert {
    condition     = google_monitoring_alert_policy.copy_stale["copy"].conditions[0].condition_prometheus_query_language[0].query == "absent_over_time(logging_googleapis_com:user_almanac_copied{monitored_resource=\"cloud_run_job\"}[3h])"
    error_message = "No alert opens where nothing is copied."
  }
  assert {
    condition = (
      google_monitoring_alert_policy.copy_overdue["copy"].conditions[0].condition_threshold[0].aggregations[0].group_by_fields == tolist(["metric.label.org_id"])
      && strcontains(google_monitoring_alert_policy.copy_overdue["copy"].conditions[1].condition_threshold[0].filter, "metric.label.result=\"failed\"")
    )
    error_message = "No alert opens where one organization is not copied."
  }
}

run "without_the_variable_there_is_nothing_of_it" {
  command = plan
  variables {
    copy = null
  }
  assert {
    condition     = length(google_storage_bucket.copy) + length(google_cloud_run_v2_job.copy) + length(google_cloud_scheduler_job.copy) + length(google_service_account.copy) + length(google_monitoring_alert_policy.copy_stale) + length(google_logging_metric.copy) == 0
    error_message = "Something of a copy is made that nobody asked for."
  }
}

run "a_copy_in_the_same_region_is_refused" {
  command = plan
  variables {
    copy = { location = "us-central1", image = "us-central1-docker.pkg.dev/almanac-test/almanac/merge" }
  }
  expect_failures = [var.copy]
}

run "a_copy_without_a_key_of_its_own_is_refused_where_there_is_a_key" {
  command = plan
  variables {
    kms_key = "projects/keys/locations/us-central1/keyRings/almanac/cryptoKeys/almanac"
  }
  expect_failures = [var.copy]
}
