# Every hour the status function looks at all organizations and logs what is wrong: nothing else
# pages for what is no failure of a function.

resource "google_service_account" "poll" {
  project      = var.project_id
  account_id   = "${var.name}-poll"
  display_name = "Almanac: polls the status"
}

resource "google_cloud_run_service_iam_member" "poll" {
  project  = var.project_id
  location = var.region
  service  = google_cloudfunctions2_function.status.name
  role     = "roles/run.invoker"
  member   = google_service_account.poll.member
}

resource "google_cloud_scheduler_job" "poll" {
  project     = var.project_id
  region      = var.region
  name        = "${var.name}-poll"
  description = "Has the status function log what is wrong in any organization"
  schedule    = "45 * * * *"
  time_zone   = "Etc/UTC"
  # its default is 180 s, its most 30 minutes
  attempt_deadline = "${min(var.sizes.status.timeout_seconds + 15, 1800)}s"

  # Scheduler's calls of a run.app address count as internal. The answer is 200 also if there are
  # problems: only a poll that failed is made again.
  http_target {
    http_method = "GET"
    uri         = "${google_cloudfunctions2_function.status.service_config[0].uri}/poll"
    oidc_token {
      service_account_email = google_service_account.poll.email
      audience              = google_cloudfunctions2_function.status.service_config[0].uri
    }
  }

  retry_config {
    retry_count          = 2
    min_backoff_duration = "60s"
    max_backoff_duration = "300s"
  }

  # who applies has to be allowed to act as the account
  depends_on = [terraform_data.apis, google_cloud_run_service_iam_member.poll, google_service_account_iam_member.deploy]
}

locals {
  polled = "logging_googleapis_com:user_${replace(google_logging_metric.polled.name, "-", "_")}"
  # what each alert says; messages that are overdue have one of their own, at the hourly check
  findings = {
    problem = { message = "organization problem", severity = "ERROR", but = "" }
    warning = { message = "organization warning", severity = "WARNING", but = " AND metric.label.kind!=\"overdue\"" }
  }
}

resource "google_logging_metric" "findings" {
  for_each = local.findings

  project     = var.project_id
  name        = "${var.name}-organization-${each.key}"
  description = "What a poll of the status found: a line for each ${each.key} of an organization"
  filter      = <<-EOT
    resource.type="cloud_run_revision"
    jsonPayload.message="${each.value.message}"
  EOT

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"
    labels {
      key         = "org_id"
      value_type  = "STRING"
      description = "The organization"
    }
    labels {
      key         = "kind"
      value_type  = "STRING"
      description = "Of problem or warning: docs/store.md"
    }
  }
  label_extractors = {
    org_id = "EXTRACT(jsonPayload.org_id)"
    kind   = "EXTRACT(jsonPayload.kind)"
  }

  depends_on = [terraform_data.apis]
}

resource "google_logging_metric" "polled" {
  project     = var.project_id
  name        = "${var.name}-polled"
  description = "Polls of the status that looked at all organizations"
  filter      = <<-EOT
    resource.type="cloud_run_revision"
    jsonPayload.message="organizations polled"
  EOT

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"
  }

  depends_on = [terraform_data.apis]
}

resource "google_monitoring_alert_policy" "findings" {
  for_each = local.findings

  project               = var.project_id
  display_name          = "${var.name}: an organization has a ${each.key}"
  combiner              = "OR"
  severity              = each.value.severity
  notification_channels = local.channels
  user_labels           = local.labels

  conditions {
    display_name = "the hourly poll of the status found a ${each.key}"
    condition_threshold {
      filter                  = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.findings[each.key].name}\" AND resource.type=\"cloud_run_revision\"${each.value.but}"
      comparison              = "COMPARISON_GT"
      threshold_value         = 0
      duration                = "60s" # evaluation_missing_data asks for one
      evaluation_missing_data = "EVALUATION_MISSING_DATA_INACTIVE"
      aggregations {
        alignment_period     = "7200s" # two polls
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["metric.label.org_id", "metric.label.kind"]
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "The log's lines \"${each.value.message}\" have the reason, and `almanac store status ORG` has all of it. docs/operations.md says what to look at first."
  }

  depends_on = [terraform_data.metrics]
}

# The poll's own failure: the function, the right to call it, the schedule, or too many organizations.
resource "google_monitoring_alert_policy" "polled" {
  project               = var.project_id
  display_name          = "${var.name}: the status is not polled"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = local.channels
  user_labels           = local.labels

  conditions {
    display_name = "no poll of the status has looked at all organizations for two hours"
    condition_prometheus_query_language {
      query                     = "absent_over_time(${local.polled}{monitored_resource=\"cloud_run_revision\"}[2h])"
      duration                  = "5400s" # longer than the first poll takes to come
      evaluation_interval       = "600s"
      disable_metric_validation = true # the first poll has yet to come
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "Until it is polled again no problem of an organization is reported. The status function's log has why, or the scheduler's: the job ${google_cloud_scheduler_job.poll.name}. \"organizations not polled in time\" asks for a longer `sizes.status.timeout_seconds`."
  }

  depends_on = [terraform_data.metrics]
}
