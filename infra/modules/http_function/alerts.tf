# Alerts on what Cloud Run itself counts: answers by class, seconds, memory.

locals {
  service  = "resource.type=\"cloud_run_revision\" AND resource.label.service_name=\"${local.name}\""
  requests = "metric.type=\"run.googleapis.com/request_count\" AND ${local.service}"
}

resource "google_monitoring_alert_policy" "errors" {
  project               = var.project_id
  display_name          = "${local.name}: requests fail"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = var.channels
  user_labels           = var.labels

  conditions {
    display_name = "more than ${var.error_rate * 100}% of requests failed within 15 minutes"
    condition_threshold {
      filter             = "${local.requests} AND metric.label.response_code_class=\"5xx\""
      denominator_filter = local.requests
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
    content   = "The lines of the log of ${local.name} with severity WARNING or more have the reason. Who called was told to call again. See docs/operations.md."
  }
}

resource "google_monitoring_alert_policy" "limits" {
  project               = var.project_id
  display_name          = "${local.name}: near its timeout or its memory"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = var.channels
  user_labels           = var.labels

  conditions {
    display_name = "a request took more than 70% of ${var.size.timeout_seconds} seconds"
    condition_threshold {
      filter          = "metric.type=\"run.googleapis.com/request_latencies\" AND ${local.service}"
      comparison      = "COMPARISON_GT"
      threshold_value = var.size.timeout_seconds * 700 # milliseconds
      duration        = "0s"
      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_PERCENTILE_99"
        cross_series_reducer = "REDUCE_MAX"
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
    content   = "Give the function more memory or time (`sizes.${var.function}`). See infra/README.md."
  }
}
