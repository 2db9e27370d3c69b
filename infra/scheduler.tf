# Every morning the runs of all organizations are requested; every hour who has had none is named.

resource "google_cloud_scheduler_job" "daily" {
  project     = var.project_id
  region      = var.region
  name        = "${var.name}-daily"
  description = "Asks for the day's run of every organization"
  schedule    = "${tonumber(substr(var.daily_time, 3, 2))} ${tonumber(substr(var.daily_time, 0, 2))} * * *"
  time_zone   = var.time_zone

  # It fires at least once; the run's id is made of the date, so that twice is the same run.
  pubsub_target {
    topic_name = google_pubsub_topic.this["run-requests"].id
    data       = base64encode("{}") # a push without data is no event to functions-framework
  }

  retry_config {
    retry_count          = 5
    min_backoff_duration = "10s"
    max_backoff_duration = "300s"
  }

  depends_on = [terraform_data.apis]
}

resource "google_cloud_scheduler_job" "check" {
  project     = var.project_id
  region      = var.region
  name        = "${var.name}-check"
  description = "Has the orchestrator name each organization without a run for 26 hours"
  schedule    = "30 * * * *"
  time_zone   = "Etc/UTC"

  pubsub_target {
    topic_name = google_pubsub_topic.this["run-requests"].id
    data       = base64encode(jsonencode({ reason = "check" }))
  }

  depends_on = [terraform_data.apis]
}
