# Metrics from the log line of every delivery, and the alerts on them.
#
# Each delivery is one line: message "delivery", step, outcome (done, rejected, again, failed),
# seconds (shared/almanac/runs/push_endpoint.py). The merge job writes the same line.

locals {
  deliveries = <<-EOT
    (resource.type="cloud_run_revision" OR resource.type="cloud_run_job")
    jsonPayload.message="delivery"
    jsonPayload.step="${var.function}"
  EOT
  service    = "resource.type=\"cloud_run_revision\" AND resource.label.service_name=\"${local.name}\""
}

resource "google_logging_metric" "deliveries" {
  project     = var.project_id
  name        = "${local.name}-deliveries"
  description = "Deliveries to ${var.function} by outcome"
  filter      = local.deliveries

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"
    labels {
      key         = "outcome"
      value_type  = "STRING"
      description = "done, rejected, again or failed"
    }
  }
  label_extractors = { outcome = "EXTRACT(jsonPayload.outcome)" }
}

resource "google_logging_metric" "seconds" {
  project         = var.project_id
  name            = "${local.name}-seconds"
  description     = "How long deliveries to ${var.function} took"
  filter          = local.deliveries
  value_extractor = "EXTRACT(jsonPayload.seconds)"

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "DISTRIBUTION"
    unit        = "s"
  }
  bucket_options {
    explicit_buckets {
      bounds = [0.1, 0.3, 1, 3, 10, 20, 30, 60, 90, 120, 180, 240, 300, 360, 420, 480, 540, 600, 900, 1800, 3600]
    }
  }
}

# Google: a new metric takes up to ten minutes to become available, and an alert on it is refused
# until then (404).
resource "terraform_data" "metrics" {
  triggers_replace = [google_logging_metric.deliveries.name, google_logging_metric.seconds.name]

  provisioner "local-exec" {
    command = "sleep 600"
  }
}

resource "google_monitoring_alert_policy" "errors" {
  project               = var.project_id
  display_name          = "${local.name}: deliveries fail"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = var.channels
  user_labels           = var.labels

  conditions {
    display_name = "more than ${var.error_rate * 100}% of deliveries failed within 15 minutes"
    condition_threshold {
      filter             = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.deliveries.name}\" AND resource.type=\"cloud_run_revision\" AND metric.label.outcome=\"failed\""
      denominator_filter = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.deliveries.name}\" AND resource.type=\"cloud_run_revision\""
      comparison         = "COMPARISON_GT"
      threshold_value    = var.error_rate
      duration           = "0s"
      aggregations {
        alignment_period     = "900s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
      denominator_aggregations {
        alignment_period     = "900s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "The lines of the log with `jsonPayload.step=\"${var.function}\"` and `jsonPayload.outcome=\"failed\"` have the reason and the traceback. The messages come again, and go to the dead letters after ${var.terms.max_delivery_attempts} attempts. See docs/operations.md."
  }

  depends_on = [terraform_data.metrics]
}

resource "google_monitoring_alert_policy" "limits" {
  project               = var.project_id
  display_name          = "${local.name}: near its timeout or its memory"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = var.channels
  user_labels           = var.labels

  conditions {
    display_name = "a delivery took more than 70% of ${var.size.timeout_seconds} seconds"
    condition_threshold {
      filter          = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.seconds.name}\" AND resource.type=\"cloud_run_revision\""
      comparison      = "COMPARISON_GT"
      threshold_value = var.size.timeout_seconds * 0.7
      duration        = "0s"
      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_PERCENTILE_99"
        cross_series_reducer = "REDUCE_MAX"
      }
    }
  }

  # one that was cut off has written no line
  conditions {
    display_name = "a delivery was cut off"
    condition_threshold {
      filter          = "metric.type=\"run.googleapis.com/request_count\" AND ${local.service} AND metric.label.response_code=\"504\""
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
    display_name = "an instance used more than 85% of ${var.size.memory}"
    condition_threshold {
      filter          = "metric.type=\"run.googleapis.com/container/memory/utilizations\" AND ${local.service}"
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
    content   = "Give the function more memory or time (`sizes.${var.function}`); the merge can become a job (`merge_job`). See infra/README.md."
  }

  depends_on = [terraform_data.metrics]
}
