# Service levels: what is promised, how it is measured, and alerts before it is broken.
#
# Google counts good ones of all (request-based): counters of kind DELTA, a filter about one metric
# and one type of resource. Without the organization as a label: a service level reads one series.

locals {
  # The lines that are counted, and which of them are good. One organization that is not planned by
  # then, and one change that is late, are each one of all.
  levels = {
    day = {
      what     = "organizations planned by ${var.service_levels.planned_by}"
      line     = "organization at the deadline"
      good     = "jsonPayload.planned=true"
      goal     = var.service_levels.planned_goal
      resource = "cloud_run_revision" # the orchestrator
    }
    change = {
      what     = "changes planned within ${var.service_levels.change_minutes} minutes"
      line     = "change ended"
      good     = "jsonPayload.state=\"committed\" jsonPayload.waited_seconds<=${var.service_levels.change_minutes * 60}"
      goal     = var.service_levels.change_goal
      resource = local.merged_by[length(local.merged_by) - 1] # what merges
    }
  }
  counted = merge([for key, level in local.levels : {
    "${key}-all"  = { level = level, filter = "", what = "all" }
    "${key}-good" = { level = level, filter = level.good, what = "in time" }
  }]...)

  # Google's SRE workbook, "Alerting on SLOs", for a period of 30 days. Its third window is 3 days
  # at 1; alerts look back 25 hours at most, and 3 for 24 hours is the same tenth of the budget. Its
  # short windows, which end an alert early, need more events than one a day.
  burns = {
    fast = { severity = "CRITICAL", windows = { "3600s" = 14.4, "21600s" = 6 } }
    slow = { severity = "WARNING", windows = { "86400s" = 3 } }
  }
  burn_alerts = merge([for key, level in local.levels : { for speed, burn in local.burns : "${key}-${speed}" => merge(burn, { level = key, speed = speed }) }]...)
}

resource "google_cloud_scheduler_job" "deadline" {
  project     = var.project_id
  region      = var.region
  name        = "${var.name}-deadline"
  description = "Has the orchestrator say of each organization whether it is planned for the day"
  schedule    = "${tonumber(substr(var.service_levels.planned_by, 3, 2))} ${tonumber(substr(var.service_levels.planned_by, 0, 2))} * * *"
  time_zone   = var.time_zone

  pubsub_target {
    topic_name = google_pubsub_topic.this["run-requests"].id
    data       = base64encode(jsonencode({ reason = "deadline" }))
  }

  depends_on = [terraform_data.apis]
}

resource "google_logging_metric" "levels" {
  for_each = local.counted

  project     = var.project_id
  name        = "${var.name}-level-${each.key}"
  description = "Of ${each.value.level.what}: ${each.value.what}"
  filter      = <<-EOT
    ${local.lines}
    jsonPayload.message="${each.value.level.line}"
    ${each.value.filter}
  EOT

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"
  }

  depends_on = [terraform_data.apis]
}

resource "google_monitoring_custom_service" "this" {
  project      = var.project_id
  service_id   = var.name
  display_name = "Almanac: ${var.name}"
  user_labels  = local.labels

  depends_on = [terraform_data.apis]
}

resource "google_monitoring_slo" "this" {
  for_each = local.levels

  project             = var.project_id
  service             = google_monitoring_custom_service.this.service_id
  slo_id              = each.key
  display_name        = "${each.value.goal * 100}% of ${each.value.what}"
  goal                = each.value.goal
  rolling_period_days = 30
  user_labels         = local.labels

  request_based_sli {
    good_total_ratio {
      good_service_filter  = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.levels["${each.key}-good"].name}\" AND resource.type=\"${each.value.resource}\""
      total_service_filter = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.levels["${each.key}-all"].name}\" AND resource.type=\"${each.value.resource}\""
    }
  }

  depends_on = [terraform_data.metrics]
}

resource "google_monitoring_alert_policy" "burn" {
  for_each = local.burn_alerts

  project               = var.project_id
  display_name          = "${var.name}: too few ${local.levels[each.value.level].what} (${each.value.speed})"
  combiner              = "OR"
  severity              = each.value.severity
  notification_channels = local.channels
  user_labels           = local.labels

  dynamic "conditions" {
    for_each = each.value.windows
    content {
      display_name = "${conditions.value} times what the goal allows, over ${conditions.key}"
      condition_threshold {
        filter          = "select_slo_burn_rate(\"${google_monitoring_slo.this[each.value.level].name}\", \"${conditions.key}\")"
        comparison      = "COMPARISON_GT"
        threshold_value = conditions.value
        duration        = "0s"
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "Which ones: the lines of the log with `jsonPayload.message=\"${local.levels[each.value.level].line}\"` that are not good (`${local.levels[each.value.level].good}`). See \"Service levels\" in docs/operations.md."
  }

  depends_on = [terraform_data.metrics]
}

# --- numbers of the runs, for the dashboard ---------------------------------------------------------

locals {
  numbers = {
    planned  = { title = "Messages planned, mean of a run", field = "planned", line = local.run_line, by = ["org_id"] }
    skipped  = { title = "Messages skipped, mean of a run", field = "skipped", line = local.run_line, by = ["org_id"] }
    hit-rate = { title = "Hit rate of the states' rules, %", field = "hit_rate", line = local.run_line, by = ["org_id"] }
    waiting  = { title = "Objects that wait in the inboxes", field = "objects_waiting", line = "jsonPayload.message=\"organizations checked\"", by = [] }
  }
}

# Distributions, since a counter counts lines and not what they say; their mean is exact.
resource "google_logging_metric" "numbers" {
  for_each = local.numbers

  project         = var.project_id
  name            = "${var.name}-${each.key}"
  description     = each.value.title
  filter          = <<-EOT
    ${local.lines}
    ${each.value.line}
  EOT
  value_extractor = "EXTRACT(jsonPayload.${each.value.field})"

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "DISTRIBUTION"
    unit        = "1"
    dynamic "labels" {
      for_each = each.value.by
      content {
        key         = labels.value
        value_type  = "STRING"
        description = "The organization"
      }
    }
  }
  label_extractors = { for label in each.value.by : label => "EXTRACT(jsonPayload.${label})" }
  bucket_options {
    exponential_buckets {
      num_finite_buckets = 32
      growth_factor      = 2
      scale              = 1
    }
  }

  depends_on = [terraform_data.apis]
}
