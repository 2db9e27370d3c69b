# The merge as a job: the way out where a function has not the time.

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
    target = module.function["merge"].google_service_account.runtime
    values = { email = "merge@example.com", member = "serviceAccount:merge" }
  }
  mock_resource "google_cloudfunctions2_function" {
    defaults = { service_config = { uri = "https://function-abc.a.run.app" } }
  }
}

variables {
  project_id     = "almanac-test"
  archive_folder = "tests/archives"
  merge_job = {
    image           = "us-central1-docker.pkg.dev/almanac-test/almanac/merge@sha256:0123"
    timeout_seconds = 7200
  }
}

run "the_job_merges_with_the_functions_image_and_rights" {
  command = plan

  assert {
    condition = (
      google_cloud_run_v2_job.merge["merge"].name == "almanac-merge"
      && google_cloud_run_v2_job.merge["merge"].template[0].template[0].containers[0].image == var.merge_job.image
      && google_cloud_run_v2_job.merge["merge"].template[0].template[0].containers[0].command == tolist(["/cnb/lifecycle/launcher", "python", "-m", "almanac.runs.merge_job"])
      && google_cloud_run_v2_job.merge["merge"].template[0].template[0].service_account == "merge@example.com"
    )
    error_message = "The job does not run the merge step."
  }
  assert {
    condition = (
      google_cloud_run_v2_job.merge["merge"].template[0].template[0].timeout == "7200s"
      && google_cloud_run_v2_job.merge["merge"].template[0].template[0].max_retries == 3
      && google_cloud_run_v2_job.merge["merge"].template[0].task_count == 1
      && google_cloud_run_v2_job.merge["merge"].template[0].template[0].containers[0].resources[0].limits == tomap({ cpu = "2", memory = "8Gi" })
    )
    error_message = "The job has not the time or the memory."
  }
  assert {
    condition = { for env in google_cloud_run_v2_job.merge["merge"].template[0].template[0].containers[0].env : env.name => env.value } == {
      ALMANAC_STORE          = "gs://almanac-test-almanac-data"
      ALMANAC_PROJECT        = "almanac-test"
      ALMANAC_TOPIC_PREFIX   = "almanac-"
      ALMANAC_SHARD_CONTACTS = "50000"
      ALMANAC_LEASE_SECONDS  = "3600"
      ALMANAC_LOG_LEVEL      = "INFO"
      TMPDIR                 = "/mnt/job"
    }
    error_message = "The job's settings are not the functions', or it would start itself."
  }
  assert {
    condition = (
      google_cloud_run_v2_job.merge["merge"].launch_stage == "BETA"
      && one(google_cloud_run_v2_job.merge["merge"].template[0].template[0].volumes).empty_dir[0].medium == "DISK"
      && one(google_cloud_run_v2_job.merge["merge"].template[0].template[0].volumes).empty_dir[0].size_limit == "10Gi"
      && one(google_cloud_run_v2_job.merge["merge"].template[0].template[0].containers[0].volume_mounts).name == one(google_cloud_run_v2_job.merge["merge"].template[0].template[0].volumes).name
      && one(google_cloud_run_v2_job.merge["merge"].template[0].template[0].containers[0].volume_mounts).mount_path == "/mnt/job"
    )
    error_message = "The job has the database in its memory."
  }
  assert {
    condition = (
      strcontains(google_monitoring_alert_policy.merge_job["merge"].conditions[0].condition_threshold[0].filter, "metric.label.result=\"failed\"")
      && google_monitoring_alert_policy.merge_job["merge"].conditions[1].condition_threshold[0].threshold_value == 5040
      && strcontains(google_monitoring_alert_policy.merge_job["merge"].conditions[2].condition_threshold[0].filter, "memory/utilizations")
    )
    error_message = "No alert opens when the job fails, or nearly does."
  }
  assert {
    condition     = google_monitoring_alert_policy.stale.conditions[0].condition_prometheus_query_language[0].query == "absent_over_time(logging_googleapis_com:user_almanac_run_committed{monitored_resource=\"cloud_run_revision\"}[24h]) and on () absent_over_time(logging_googleapis_com:user_almanac_run_committed{monitored_resource=\"cloud_run_job\"}[24h])"
    error_message = "A run that the job committed is none."
  }
  assert {
    condition     = length(google_monitoring_alert_policy.failed.conditions) == 2
    error_message = "No alert opens for a run that failed in the job."
  }
  assert {
    condition     = [for grant in google_cloud_run_v2_job_iam_member.merge : "${grant.member} ${grant.role} ${grant.name}"] == ["serviceAccount:merge roles/run.jobsExecutorWithOverrides almanac-merge"]
    error_message = "The merge function cannot start the job."
  }
  assert {
    condition     = module.function["merge"].environment["ALMANAC_MERGE_JOB"] == "projects/almanac-test/locations/us-central1/jobs/almanac-merge"
    error_message = "The merge function does not know the job."
  }
  assert {
    condition     = alltrue([for name in ["orchestrator", "shard", "campaign_change"] : !contains(keys(module.function[name].environment), "ALMANAC_MERGE_JOB")])
    error_message = "Another function than the merge starts the job."
  }
}

run "an_image_from_elsewhere_is_refused" {
  command = plan
  variables {
    merge_job = { image = "docker.io/somebody/merge" }
  }
  expect_failures = [var.merge_job]
}

run "more_time_than_the_message_has_is_refused" {
  command = plan
  variables {
    merge_job = { image = "us-central1-docker.pkg.dev/almanac-test/almanac/merge", timeout_seconds = 86400 }
  }
  expect_failures = [var.merge_job]
}

run "a_disk_in_megabytes_is_refused" {
  command = plan
  variables {
    merge_job = { image = "us-central1-docker.pkg.dev/almanac-test/almanac/merge", disk = "512Mi" }
  }
  expect_failures = [var.merge_job]
}

run "everything_goes_out_through_the_subnetwork" {
  command = plan
  variables {
    network = { subnetwork = "almanac", all_traffic = true }
  }
  assert {
    condition = (
      google_cloudfunctions2_function.status.service_config[0].direct_vpc_egress == "VPC_EGRESS_ALL_TRAFFIC"
      && google_cloudfunctions2_function.status.service_config[0].direct_vpc_network_interface[0].subnetwork == "almanac"
      && google_cloud_run_v2_job.merge["merge"].template[0].template[0].vpc_access[0].egress == "ALL_TRAFFIC"
      && google_cloud_run_v2_job.merge["merge"].template[0].template[0].vpc_access[0].network_interfaces[0].subnetwork == "almanac"
    )
    error_message = "The status function or the job goes out elsewhere."
  }
}
