# The second bucket in another region, if there is to be one, and the job that keeps it a copy of the
# first: for each organization what is new, then the pointer, then the deletions of the source
# (shared/almanac/organizations/copy_job.py). Cloud Storage copies; no byte passes through the job.

locals {
  copy = var.copy == null ? {} : { copy = var.copy }
}

resource "google_storage_bucket" "copy" {
  for_each = local.copy

  project                     = var.project_id
  name                        = coalesce(each.value.bucket, "${var.project_id}-${var.name}-copy")
  location                    = each.value.location
  storage_class               = "STANDARD"
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = !var.deletion_protection
  deletion_policy             = local.deletion_policy
  labels                      = local.labels

  versioning {
    enabled = true
  }

  soft_delete_policy {
    retention_duration_seconds = var.soft_delete_days * 24 * 3600
  }

  # as in the first bucket: only what the copy has deleted or overwritten
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      with_state                 = "ARCHIVED"
      days_since_noncurrent_time = var.archived_days
    }
  }

  dynamic "encryption" {
    for_each = each.value.kms_key[*]
    content {
      default_kms_key_name = encryption.value
    }
  }

  depends_on = [terraform_data.apis]
}

# --- who copies -----------------------------------------------------------------------------------

# It reads the first bucket, and writes and deletes in the second only.
resource "google_service_account" "copy" {
  for_each = local.copy

  project      = var.project_id
  account_id   = "${var.name}-copy"
  display_name = "Almanac: copies the databases into another region"
}

resource "google_storage_bucket_iam_member" "copy_names" {
  for_each = google_service_account.copy

  bucket = google_storage_bucket.data.name
  role   = "roles/storage.legacyBucketReader"
  member = each.value.member
}

resource "google_storage_managed_folder_iam_member" "copy_reads" {
  for_each = google_service_account.copy

  bucket         = google_storage_bucket.data.name
  managed_folder = google_storage_managed_folder.organizations.name
  role           = "roles/storage.objectViewer"
  member         = each.value.member
}

resource "google_storage_bucket_iam_member" "copy_writes" {
  for_each = google_service_account.copy

  bucket = google_storage_bucket.copy[each.key].name
  role   = "roles/storage.objectUser"
  member = each.value.member
}

# Operators read the copy, to restore from it, and change nothing there.
resource "google_storage_bucket_iam_member" "copy_operators" {
  for_each = var.copy == null ? toset([]) : var.operators

  bucket = google_storage_bucket.copy["copy"].name
  role   = "roles/storage.objectViewer"
  member = each.value
}

# The schedule starts the job in its own name.
resource "google_cloud_run_v2_job_iam_member" "copy" {
  for_each = google_cloud_run_v2_job.copy

  project  = var.project_id
  location = var.region
  name     = each.value.name
  role     = "roles/run.invoker"
  member   = google_service_account.copy[each.key].member
}

# --- the job and its schedule ---------------------------------------------------------------------

resource "google_cloud_run_v2_job" "copy" {
  for_each = local.copy

  project             = var.project_id
  location            = var.region
  name                = "${var.name}-copy"
  deletion_protection = false # it holds nothing
  labels              = local.labels

  template {
    task_count  = each.value.tasks
    parallelism = each.value.tasks
    template {
      service_account = google_service_account.copy[each.key].email
      timeout         = "${each.value.timeout_seconds}s"
      max_retries     = 3 # what is copied stays, and is not copied again
      encryption_key  = var.kms_key
      containers {
        image   = each.value.image
        command = ["/cnb/lifecycle/launcher", "python", "-m", "almanac.organizations.copy_job"]
        args    = ["gs://${google_storage_bucket.copy[each.key].name}", tostring(each.value.late_hours)]
        resources {
          limits = {
            cpu    = "1"
            memory = "512Mi"
          }
        }
        dynamic "env" {
          for_each = local.environment
          content {
            name  = env.key
            value = env.value
          }
        }
      }
      dynamic "vpc_access" {
        for_each = var.network[*]
        content {
          egress = vpc_access.value.all_traffic ? "ALL_TRAFFIC" : "PRIVATE_RANGES_ONLY"
          network_interfaces {
            network    = vpc_access.value.network
            subnetwork = vpc_access.value.subnetwork
          }
        }
      }
    }
  }

  depends_on = [google_storage_bucket_iam_member.copy_writes, google_storage_managed_folder_iam_member.copy_reads]
}

# One that has not ended when the next one begins does no harm.
resource "google_cloud_scheduler_job" "copy" {
  for_each = google_cloud_run_v2_job.copy

  project     = var.project_id
  region      = var.region
  name        = "${var.name}-copy"
  description = "Copies the databases into another region"
  schedule    = var.copy.schedule
  time_zone   = "Etc/UTC"

  http_target {
    http_method = "POST"
    uri         = "https://run.googleapis.com/v2/projects/${var.project_id}/locations/${var.region}/jobs/${each.value.name}:run"
    oauth_token {
      service_account_email = google_service_account.copy[each.key].email
    }
  }

  retry_config {
    retry_count          = 3
    min_backoff_duration = "10s"
    max_backoff_duration = "300s"
  }

  depends_on = [google_cloud_run_v2_job_iam_member.copy]
}

# --- alerts ---------------------------------------------------------------------------------------

locals {
  copy_lines = var.copy == null ? {} : {
    copied       = { message = "organizations copied", what = "Copies of all organizations of a task", labels = [] }
    copy-overdue = { message = "copy overdue", what = "Organizations whose copy is too old, or which have none", labels = ["org_id"] }
  }
}

resource "google_logging_metric" "copy" {
  for_each = local.copy_lines

  project     = var.project_id
  name        = "${var.name}-${each.key}"
  description = each.value.what
  filter      = <<-EOT
    resource.type="cloud_run_job"
    jsonPayload.message="${each.value.message}"
  EOT

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"
    dynamic "labels" {
      for_each = each.value.labels
      content {
        key         = labels.value
        value_type  = "STRING"
        description = "The organization"
      }
    }
  }
  label_extractors = { for label in each.value.labels : label => "EXTRACT(jsonPayload.${label})" }

  depends_on = [terraform_data.apis]
}

resource "google_monitoring_alert_policy" "copy_stale" {
  for_each = local.copy

  project               = var.project_id
  display_name          = "${var.name}: no copy for ${each.value.late_hours} hours"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = local.channels
  user_labels           = local.labels

  conditions {
    display_name = "no task of the copy has come to its end for ${each.value.late_hours} hours"
    condition_prometheus_query_language {
      query                     = "absent_over_time(logging_googleapis_com:user_${replace(google_logging_metric.copy["copied"].name, "-", "_")}{monitored_resource=\"cloud_run_job\"}[${each.value.late_hours}h])"
      duration                  = "600s"
      evaluation_interval       = "600s"
      disable_metric_validation = true # the first copy has yet to come
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "What is accepted meanwhile would be lost with the region. The job's log says what it waits for; docs/operations.md, Disaster recovery."
  }

  depends_on = [terraform_data.metrics]
}

resource "google_monitoring_alert_policy" "copy_overdue" {
  for_each = local.copy

  project               = var.project_id
  display_name          = "${var.name}: the copy fails, or an organization's is old"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = local.channels
  user_labels           = local.labels

  conditions {
    display_name = "an organization's copy is older than ${each.value.late_hours} hours, or it has none"
    condition_threshold {
      filter                  = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.copy["copy-overdue"].name}\" AND resource.type=\"cloud_run_job\""
      comparison              = "COMPARISON_GT"
      threshold_value         = 0
      duration                = "60s" # evaluation_missing_data asks for one
      evaluation_missing_data = "EVALUATION_MISSING_DATA_INACTIVE"
      aggregations {
        alignment_period     = "7200s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["metric.label.org_id"]
      }
    }
  }

  # one that was cut off logs no organization
  conditions {
    display_name = "an execution failed"
    condition_threshold {
      filter          = "metric.type=\"run.googleapis.com/job/completed_execution_count\" AND resource.type=\"cloud_run_job\" AND resource.label.job_name=\"${google_cloud_run_v2_job.copy[each.key].name}\" AND metric.label.result=\"failed\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"
      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "The log's lines \"copy failed\" have the reason. Work that was done in the copy is not overwritten; docs/operations.md, Disaster recovery, says what then."
  }

  depends_on = [terraform_data.metrics]
}
