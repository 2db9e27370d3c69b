# What has to hold of each function that takes messages.

mock_provider "google" {
  override_during = plan

  mock_resource "google_service_account" {
    defaults = {
      email  = "someone@almanac-test.iam.gserviceaccount.com"
      name   = "projects/almanac-test/serviceAccounts/someone@almanac-test.iam.gserviceaccount.com"
      member = "serviceAccount:someone@almanac-test.iam.gserviceaccount.com"
    }
  }
  mock_resource "google_cloudfunctions2_function" {
    defaults = { service_config = { uri = "https://function-abc.a.run.app" } }
  }
}

variables {
  project_id   = "almanac-test"
  region       = "us-central1"
  prefix       = "almanac-"
  function     = "campaign_change"
  description  = "Changes a campaign"
  runtime      = "python313"
  archive      = { bucket = "sources", object = "functions/campaign_change-01.zip" }
  build        = { repository = "projects/almanac-test/locations/us-central1/repositories/almanac", service_account = "images" }
  environment  = { ALMANAC_STORE = "gs://data" }
  size         = { cpu = 1, memory = "512Mi", concurrency = 1, max_instances = 5, timeout_seconds = 590 }
  topic        = { id = "projects/almanac-test/topics/almanac-campaign-changes", name = "almanac-campaign-changes" }
  terms        = { max_delivery_attempts = 100, ack_deadline_seconds = 600, min_backoff_seconds = 10, max_backoff_seconds = 600 }
  dead_letters = { id = "projects/almanac-test/topics/almanac-dead-letters", name = "almanac-dead-letters" }
  pubsub_agent = "serviceAccount:service-1@gcp-sa-pubsub.iam.gserviceaccount.com"
  channels     = ["projects/almanac-test/notificationChannels/1"]
}

run "a_function_takes_the_messages_of_its_topic" {
  command = plan
  module {
    source = "./modules/pubsub_function"
  }

  assert {
    condition     = google_cloudfunctions2_function.this.name == "almanac-campaign-change" && google_cloudfunctions2_function.this.build_config[0].entry_point == "campaign_change"
    error_message = "The function is not named after its entry point."
  }
  assert {
    condition     = length(google_cloudfunctions2_function.this.event_trigger) == 0
    error_message = "An event trigger stops at 540 seconds and has no dead letters."
  }
  assert {
    condition     = google_pubsub_subscription.this.name == "almanac-campaign-change" && google_pubsub_subscription.this.topic == var.topic.id
    error_message = "The subscription is not that of almanac.messaging.subscriptions."
  }
  assert {
    condition = (
      google_pubsub_subscription.this.push_config[0].push_endpoint == "https://function-abc.a.run.app/projects/almanac-test/topics/almanac-campaign-changes"
      && google_pubsub_subscription.this.push_config[0].oidc_token[0].audience == "https://function-abc.a.run.app"
      && google_pubsub_subscription.this.push_config[0].oidc_token[0].service_account_email == google_service_account.push.email
    )
    error_message = "Pushes do not name the topic, or their token is not for the service."
  }
}

run "messages_come_on_the_terms" {
  command = plan
  module {
    source = "./modules/pubsub_function"
  }

  assert {
    condition     = google_pubsub_subscription.this.ack_deadline_seconds == 600
    error_message = "The acknowledgement deadline is not 600 seconds."
  }
  assert {
    condition     = google_cloudfunctions2_function.this.service_config[0].timeout_seconds <= google_pubsub_subscription.this.ack_deadline_seconds - 10
    error_message = "The function may work on while its message comes again."
  }
  assert {
    condition     = google_pubsub_subscription.this.retry_policy[0].minimum_backoff == "10s" && google_pubsub_subscription.this.retry_policy[0].maximum_backoff == "600s"
    error_message = "The waits between deliveries are not 10 to 600 seconds."
  }
  assert {
    condition     = google_pubsub_subscription.this.dead_letter_policy[0].dead_letter_topic == var.dead_letters.id && google_pubsub_subscription.this.dead_letter_policy[0].max_delivery_attempts == 100
    error_message = "What fails does not go to the dead letters."
  }
  assert {
    condition     = google_pubsub_subscription.this.expiration_policy[0].ttl == "" && google_pubsub_subscription.this.message_retention_duration == "604800s"
    error_message = "The subscription or its messages expire."
  }
  assert {
    condition     = google_pubsub_subscription.this.enable_message_ordering == false && google_pubsub_subscription.this.filter == null
    error_message = "Messages are ordered or filtered."
  }
  assert {
    condition     = google_pubsub_subscription_iam_member.dead_letters.role == "roles/pubsub.subscriber" && google_pubsub_subscription_iam_member.dead_letters.member == var.pubsub_agent && google_pubsub_subscription_iam_member.dead_letters.subscription == "almanac-campaign-change"
    error_message = "Pub/Sub cannot take messages out for the dead letters."
  }
}

run "only_its_own_identity_calls_it" {
  command = plan
  module {
    source = "./modules/pubsub_function"
  }

  assert {
    condition     = google_cloudfunctions2_function.this.service_config[0].ingress_settings == "ALLOW_INTERNAL_ONLY"
    error_message = "The function can be reached from anywhere."
  }
  assert {
    condition     = google_service_account.runtime.account_id == "almanac-campaign-change" && google_service_account.push.account_id == "almanac-campaign-change-push"
    error_message = "The function has not an account of its own, or its pushes have not."
  }
  assert {
    condition = (
      google_cloud_run_service_iam_member.push.role == "roles/run.invoker"
      && google_cloud_run_service_iam_member.push.service == "almanac-campaign-change"
      && google_cloud_run_service_iam_member.push.member == google_service_account.push.member
    )
    error_message = "Another identity may call the function, or this identity something else."
  }
  assert {
    condition = (
      google_service_account_iam_member.push_token.role == "roles/iam.serviceAccountOpenIdTokenCreator"
      && google_service_account_iam_member.push_token.member == var.pubsub_agent
      && google_service_account_iam_member.push_token.service_account_id == google_service_account.push.name
    )
    error_message = "Pub/Sub may sign for another identity than that of the pushes."
  }
}

run "somebody_is_told" {
  command = plan
  module {
    source = "./modules/pubsub_function"
  }

  assert {
    condition     = google_logging_metric.deliveries.name == "almanac-campaign-change-deliveries" && google_logging_metric.seconds.value_extractor == "EXTRACT(jsonPayload.seconds)" && strcontains(google_logging_metric.seconds.filter, "jsonPayload.step=\"campaign_change\"")
    error_message = "The step has not its metrics."
  }
  assert {
    condition = (
      google_monitoring_alert_policy.errors.conditions[0].condition_threshold[0].threshold_value == 0.1
      && endswith(google_monitoring_alert_policy.errors.conditions[0].condition_threshold[0].filter, "metric.label.outcome=\"failed\"")
      && google_monitoring_alert_policy.errors.conditions[0].condition_threshold[0].denominator_filter != null
    )
    error_message = "No alert opens when deliveries fail."
  }
  assert {
    condition     = google_monitoring_alert_policy.limits.conditions[0].condition_threshold[0].threshold_value == 413 && length(google_monitoring_alert_policy.limits.conditions) == 3
    error_message = "No alert opens when a delivery comes near its timeout (70% of 590 s), is cut off, or fills its memory."
  }
  assert {
    condition     = alltrue([for policy in [google_monitoring_alert_policy.errors, google_monitoring_alert_policy.limits] : policy.notification_channels == tolist(var.channels)])
    error_message = "An alert has no channel."
  }
}

run "a_timeout_out_of_step_is_refused" {
  command = plan
  module {
    source = "./modules/pubsub_function"
  }
  variables {
    terms = { max_delivery_attempts = 100, ack_deadline_seconds = 300, min_backoff_seconds = 10, max_backoff_seconds = 600 }
  }
  expect_failures = [var.terms]
}

run "google_patches_the_image" {
  command = plan
  module {
    source = "./modules/pubsub_function"
  }
  assert {
    condition     = length(google_cloudfunctions2_function.this.build_config[0].automatic_update_policy) == 1 && length(google_cloudfunctions2_function.this.build_config[0].on_deploy_update_policy) == 0
    error_message = "The image's system gets no patches."
  }
}

run "an_image_that_a_job_runs_holds_its_system" {
  command = plan
  module {
    source = "./modules/pubsub_function"
  }
  variables {
    whole_image = true
  }
  assert {
    condition     = length(google_cloudfunctions2_function.this.build_config[0].automatic_update_policy) == 0 && length(google_cloudfunctions2_function.this.build_config[0].on_deploy_update_policy) == 1
    error_message = "The image is built on nothing, and the job cannot start."
  }
}

run "it_goes_out_through_the_subnetwork" {
  command = plan
  module {
    source = "./modules/pubsub_function"
  }
  variables {
    network = { network = "agency", subnetwork = "almanac" }
  }
  assert {
    condition     = google_cloudfunctions2_function.this.service_config[0].direct_vpc_egress == "VPC_EGRESS_PRIVATE_RANGES_ONLY" && google_cloudfunctions2_function.this.service_config[0].direct_vpc_network_interface[0].subnetwork == "almanac"
    error_message = "The function goes out elsewhere."
  }
}
