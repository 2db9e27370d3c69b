# What concerns the installation as a whole; what concerns one function is in its module.

locals {
  channels = concat([for each in google_monitoring_notification_channel.email : each.name], tolist(var.alert_channels))
  # lines of the functions and of the merge job
  lines     = "(resource.type=\"cloud_run_revision\" OR resource.type=\"cloud_run_job\")"
  merged_by = var.merge_job == null ? ["cloud_run_revision"] : ["cloud_run_revision", "cloud_run_job"]
  # metric names as PromQL has them; a metric that several types of resources write is asked for each
  committed = "logging_googleapis_com:user_${replace(google_logging_metric.committed.name, "-", "_")}"
  no_run    = join(" and on () ", [for each in local.merged_by : "absent_over_time(${local.committed}{monitored_resource=\"${each}\"}[24h])"])
}

resource "google_monitoring_notification_channel" "email" {
  for_each = var.alert_emails

  project      = var.project_id
  display_name = "${var.name}: ${each.value}"
  type         = "email"
  labels       = { email_address = each.value }
  user_labels  = local.labels

  depends_on = [terraform_data.apis]
}

# Runs over all contacts; those of campaign changes say nothing of the day's.
locals {
  run_line = "jsonPayload.message=\"run committed\" jsonPayload.run_id=~\"^[0-9]{4}-[0-9]{2}-[0-9]{2}-(daily|manual-)\""
}

resource "google_logging_metric" "committed" {
  project     = var.project_id
  name        = "${var.name}-run-committed"
  description = "Runs over all contacts that were committed"
  filter      = <<-EOT
    ${local.lines}
    ${local.run_line}
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
  }
  label_extractors = { org_id = "EXTRACT(jsonPayload.org_id)" }

  depends_on = [terraform_data.apis]
}

resource "google_logging_metric" "failed" {
  project     = var.project_id
  name        = "${var.name}-run-failed"
  description = "Runs that failed, and messages that were rejected"
  filter      = <<-EOT
    ${local.lines}
    (jsonPayload.message="run failed" OR jsonPayload.message="message rejected")
  EOT

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"
    labels {
      key         = "what"
      value_type  = "STRING"
      description = "run failed, or message rejected"
    }
  }
  label_extractors = { what = "EXTRACT(jsonPayload.message)" }

  depends_on = [terraform_data.apis]
}

locals {
  late = {
    overdue = { message = "organization overdue", what = "no run for 26 hours" }
    unsent  = { message = "messages not sent", what = "messages that were due before yesterday are not sent" }
  }
}

resource "google_logging_metric" "late" {
  for_each = local.late

  project     = var.project_id
  name        = "${var.name}-${each.key}"
  description = "Organizations at each check: ${each.value.what}"
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
  }
  label_extractors = { org_id = "EXTRACT(jsonPayload.org_id)" }

  depends_on = [terraform_data.apis]
}

# Google: a new metric takes up to ten minutes to become available, and an alert on it is refused
# until then (404).
resource "terraform_data" "metrics" {
  triggers_replace = [google_logging_metric.committed.name, google_logging_metric.failed.name, [for each in google_logging_metric.late : each.name], [for each in google_logging_metric.levels : each.name], [for each in google_logging_metric.numbers : each.name], [for each in google_logging_metric.copy : each.name], [for each in google_logging_metric.findings : each.name], google_logging_metric.polled.name]

  provisioner "local-exec" {
    command = "sleep 600"
  }
}

resource "google_monitoring_alert_policy" "dead_letters" {
  project               = var.project_id
  display_name          = "${var.name}: dead letters wait"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = local.channels
  user_labels           = local.labels

  conditions {
    display_name = "a message was given up"
    condition_threshold {
      filter          = "metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\" AND resource.type=\"pubsub_subscription\" AND resource.label.subscription_id=\"${google_pubsub_subscription.dead_letters.name}\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"
      aggregations {
        alignment_period   = "60s"
        per_series_aligner = "ALIGN_MAX"
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "They are kept for 7 days. docs/operations.md says how to look at them and how to publish them again."
  }
}

# An alert looks back 25 hours at most: 24, held for 2.
resource "google_monitoring_alert_policy" "stale" {
  project               = var.project_id
  display_name          = "${var.name}: no run for 26 hours"
  combiner              = "OR"
  severity              = "CRITICAL"
  notification_channels = local.channels
  user_labels           = local.labels

  conditions {
    display_name = "no organization has had a run for 26 hours"
    condition_prometheus_query_language {
      query                     = local.no_run
      duration                  = "7200s"
      evaluation_interval       = "600s"
      disable_metric_validation = true # the first run has yet to come
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "Messages may not be sent today. `almanac store status` and docs/operations.md say what to look at first."
  }

  depends_on = [terraform_data.metrics]
}

# The orchestrator looks at every organization each hour; one that was removed has no line any more.
resource "google_monitoring_alert_policy" "overdue" {
  project               = var.project_id
  display_name          = "${var.name}: an organization is late"
  combiner              = "OR"
  severity              = "CRITICAL"
  notification_channels = local.channels
  user_labels           = local.labels

  dynamic "conditions" {
    for_each = local.late
    content {
      display_name = "the hourly check named an organization: ${conditions.value.what}"
      condition_threshold {
        filter                  = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.late[conditions.key].name}\" AND resource.type=\"cloud_run_revision\""
        comparison              = "COMPARISON_GT"
        threshold_value         = 0
        duration                = "60s" # evaluation_missing_data asks for one
        evaluation_missing_data = "EVALUATION_MISSING_DATA_INACTIVE"
        aggregations {
          alignment_period     = "7200s" # two checks
          per_series_aligner   = "ALIGN_DELTA"
          cross_series_reducer = "REDUCE_SUM"
          group_by_fields      = ["metric.label.org_id"]
        }
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "Its runs are older than 26 hours, or messages that were due before yesterday are not sent: the log's lines \"organization overdue\" have the reason, \"messages not sent\" the number. `almanac store status` and docs/operations.md say what to look at first."
  }

  depends_on = [terraform_data.metrics]
}

resource "google_monitoring_alert_policy" "failed" {
  project               = var.project_id
  display_name          = "${var.name}: a run failed"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = local.channels
  user_labels           = local.labels

  # a condition is about one type of resource
  dynamic "conditions" {
    for_each = local.merged_by
    content {
      display_name = "a run failed, or a message was rejected (${conditions.value})"
      condition_threshold {
        filter          = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.failed.name}\" AND resource.type=\"${conditions.value}\""
        comparison      = "COMPARISON_GT"
        threshold_value = 0
        duration        = "0s"
        aggregations {
          alignment_period     = "300s"
          per_series_aligner   = "ALIGN_DELTA"
          cross_series_reducer = "REDUCE_SUM"
          group_by_fields      = ["metric.label.what"]
        }
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "The reason is in the log, in the run's result.json, or below rejected/ in the store. See docs/operations.md."
  }

  depends_on = [terraform_data.metrics]
}

# The job is started for a run; its lines are those of a delivery, and the metrics the module's.
resource "google_monitoring_alert_policy" "merge_job" {
  for_each = google_cloud_run_v2_job.merge

  project               = var.project_id
  display_name          = "${each.value.name}: the job fails, or is near its time or its memory"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = local.channels
  user_labels           = local.labels

  conditions {
    display_name = "an execution failed"
    condition_threshold {
      filter          = "metric.type=\"run.googleapis.com/job/completed_execution_count\" AND resource.type=\"cloud_run_job\" AND resource.label.job_name=\"${each.value.name}\" AND metric.label.result=\"failed\""
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

  conditions {
    display_name = "a merge took more than 70% of ${var.merge_job.timeout_seconds} seconds"
    condition_threshold {
      filter          = "metric.type=\"logging.googleapis.com/user/${module.function["merge"].metrics.seconds}\" AND resource.type=\"cloud_run_job\""
      comparison      = "COMPARISON_GT"
      threshold_value = var.merge_job.timeout_seconds * 0.7
      duration        = "0s"
      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_PERCENTILE_99"
        cross_series_reducer = "REDUCE_MAX"
      }
    }
  }

  conditions {
    display_name = "it used more than 85% of ${var.merge_job.memory}"
    condition_threshold {
      filter          = "metric.type=\"run.googleapis.com/container/memory/utilizations\" AND resource.type=\"cloud_run_job\" AND resource.label.job_name=\"${each.value.name}\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0.85
      duration        = "0s"
      aggregations {
        alignment_period     = "60s"
        per_series_aligner   = "ALIGN_PERCENTILE_99"
        cross_series_reducer = "REDUCE_MAX"
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "The message that started it comes again, and starts another one. More memory, disk or time is `merge_job`; see infra/README.md."
  }

  depends_on = [module.function]
}

locals {
  charts = concat(
    [
      {
        title  = "Runs committed, by organization"
        filter = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.committed.name}\""
        align  = "ALIGN_DELTA", reduce = "REDUCE_SUM", by = ["metric.label.org_id"]
      },
      {
        title  = "Runs failed, messages rejected"
        filter = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.failed.name}\""
        align  = "ALIGN_DELTA", reduce = "REDUCE_SUM", by = ["metric.label.what"]
      },
      {
        title  = "Messages that wait, by subscription"
        filter = "metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\" AND resource.type=\"pubsub_subscription\" AND resource.label.subscription_id=starts_with(\"${var.name}-\")"
        align  = "ALIGN_MAX", reduce = "REDUCE_MAX", by = ["resource.label.subscription_id"]
      },
      {
        title  = "Memory in use, by service"
        filter = "metric.type=\"run.googleapis.com/container/memory/utilizations\" AND resource.type=\"cloud_run_revision\" AND resource.label.service_name=starts_with(\"${var.name}-\")"
        align  = "ALIGN_PERCENTILE_99", reduce = "REDUCE_MAX", by = ["resource.label.service_name"]
      },
    ],
    [for key, number in local.numbers : {
      title  = number.title
      filter = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.numbers[key].name}\""
      align  = "ALIGN_DELTA", reduce = "REDUCE_MEAN", by = [for label in number.by : "metric.label.${label}"]
    }],
    flatten([for name, function in module.function : [
      {
        title  = "${name}: deliveries, by outcome"
        filter = "metric.type=\"logging.googleapis.com/user/${function.metrics.deliveries}\""
        align  = "ALIGN_DELTA", reduce = "REDUCE_SUM", by = ["metric.label.outcome"]
      },
      {
        title  = "${name}: seconds, 99 in 100 below"
        filter = "metric.type=\"logging.googleapis.com/user/${function.metrics.seconds}\""
        align  = "ALIGN_PERCENTILE_99", reduce = "REDUCE_MAX", by = []
      },
    ]]),
    flatten([for name, function in module.http : [
      {
        title  = "${name}: answers, by class"
        filter = "metric.type=\"run.googleapis.com/request_count\" AND resource.type=\"cloud_run_revision\" AND resource.label.service_name=\"${function.name}\""
        align  = "ALIGN_DELTA", reduce = "REDUCE_SUM", by = ["metric.label.response_code_class"]
      },
      {
        title  = "${name}: milliseconds, 99 in 100 below"
        filter = "metric.type=\"run.googleapis.com/request_latencies\" AND resource.type=\"cloud_run_revision\" AND resource.label.service_name=\"${function.name}\""
        align  = "ALIGN_PERCENTILE_99", reduce = "REDUCE_MAX", by = []
      },
    ]]),
  )
}

resource "google_monitoring_dashboard" "this" {
  project = var.project_id
  dashboard_json = jsonencode({
    displayName = "Almanac: ${var.name}"
    gridLayout = {
      columns = "2"
      widgets = [for chart in local.charts : {
        title = chart.title
        xyChart = {
          dataSets = [{
            plotType = "LINE"
            timeSeriesQuery = {
              timeSeriesFilter = {
                filter = chart.filter
                aggregation = {
                  alignmentPeriod    = "300s"
                  perSeriesAligner   = chart.align
                  crossSeriesReducer = chart.reduce
                  groupByFields      = chart.by
                }
              }
            }
          }]
        }
      }]
    }
  })
}
