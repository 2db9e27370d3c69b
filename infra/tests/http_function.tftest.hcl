# What has to hold of each function that programs call.

mock_provider "google" {
  override_during = plan

  mock_resource "google_cloudfunctions2_function" {
    defaults = { service_config = { uri = "https://function-abc.a.run.app" } }
  }
}

variables {
  project_id  = "almanac-test"
  region      = "us-central1"
  prefix      = "almanac-"
  function    = "intake"
  description = "Takes what comes in"
  runtime     = "python313"
  archive     = { bucket = "sources", object = "functions/intake-01.zip" }
  build       = { repository = "projects/almanac-test/locations/us-central1/repositories/almanac", service_account = "images" }
  email       = "intake@almanac-test.iam.gserviceaccount.com"
  environment = { ALMANAC_STORE = "gs://data" }
  secrets     = { ALMANAC_TWILIO_AUTH_TOKEN = "twilio" }
  size        = { cpu = 1, memory = "1Gi", concurrency = 80, max_instances = 5, timeout_seconds = 60 }
  ingress     = "ALLOW_INTERNAL_ONLY"
  invokers    = ["serviceAccount:crm@example.iam.gserviceaccount.com"]
  channels    = ["projects/almanac-test/notificationChannels/1"]
}

run "those_who_are_named_call_it" {
  command = plan
  module {
    source = "./modules/http_function"
  }

  assert {
    condition = [for grant in google_cloud_run_service_iam_member.invoker : "${grant.member} ${grant.role} ${grant.service}"] == [
      "serviceAccount:crm@example.iam.gserviceaccount.com roles/run.invoker almanac-intake"
    ]
    error_message = "Others than those who are named may call the function."
  }
  assert {
    condition = (
      google_cloudfunctions2_function.this.service_config[0].ingress_settings == "ALLOW_INTERNAL_ONLY"
      && google_cloudfunctions2_function.this.service_config[0].service_account_email == var.email
      && google_cloudfunctions2_function.this.build_config[0].entry_point == "intake"
    )
    error_message = "The function can be reached from elsewhere, or is another one."
  }
  assert {
    condition = google_cloudfunctions2_function.this.service_config[0].environment_variables == tomap({
      ALMANAC_STORE = "gs://data"
      THREADS       = "80"
    })
    error_message = "The function has another number of threads than of requests at a time."
  }
  assert {
    condition = [for secret in google_cloudfunctions2_function.this.service_config[0].secret_environment_variables : "${secret.key} ${secret.secret} ${secret.version}"] == [
      "ALMANAC_TWILIO_AUTH_TOKEN twilio latest"
    ]
    error_message = "A secret is not that of Secret Manager."
  }
}

run "somebody_is_told" {
  command = plan
  module {
    source = "./modules/http_function"
  }

  assert {
    condition     = strcontains(google_monitoring_alert_policy.errors.conditions[0].condition_threshold[0].filter, "response_code_class=\"5xx\"") && google_monitoring_alert_policy.errors.conditions[0].condition_threshold[0].threshold_value == 0.1
    error_message = "No alert opens when requests fail."
  }
  assert {
    condition     = google_monitoring_alert_policy.limits.conditions[0].condition_threshold[0].threshold_value == 42000
    error_message = "The alert does not come at 70% of the timeout."
  }
  assert {
    condition     = alltrue([for policy in [google_monitoring_alert_policy.errors, google_monitoring_alert_policy.limits] : policy.notification_channels == tolist(var.channels)])
    error_message = "An alert has no channel."
  }
}
