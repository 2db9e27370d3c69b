# A function that takes the messages of one topic.
#
# It is an HTTP function behind a subscription of our own. One with an event trigger would stop at
# 540 seconds and could have no dead letters (docs/decisions/0020-messaging.md).

locals {
  name = "${var.prefix}${replace(var.function, "_", "-")}"
}

# What it runs as. Its rights on the store and on topics are given where those are.
resource "google_service_account" "runtime" {
  project      = var.project_id
  account_id   = local.name
  display_name = "Almanac: ${var.function}"
}

# What Pub/Sub calls it as.
resource "google_service_account" "push" {
  project      = var.project_id
  account_id   = "${local.name}-push"
  display_name = "Almanac: pushes to ${var.function}"
}

resource "google_cloudfunctions2_function" "this" {
  project      = var.project_id
  location     = var.region
  name         = local.name
  description  = var.description
  kms_key_name = var.kms_key
  labels       = var.labels

  build_config {
    runtime           = var.runtime
    entry_point       = var.function
    docker_repository = var.build.repository
    service_account   = var.build.service_account

    # With automatic updates the image is built on nothing (scratch), and Google puts the system
    # below it; such an image starts nowhere else.
    dynamic "automatic_update_policy" {
      for_each = var.whole_image ? [] : [1]
      content {}
    }
    dynamic "on_deploy_update_policy" {
      for_each = var.whole_image ? [1] : []
      content {}
    }

    source {
      storage_source {
        bucket = var.archive.bucket
        object = var.archive.object
      }
    }
  }

  service_config {
    direct_vpc_egress                = var.network == null ? null : var.network.all_traffic ? "VPC_EGRESS_ALL_TRAFFIC" : "VPC_EGRESS_PRIVATE_RANGES_ONLY"
    service_account_email            = google_service_account.runtime.email
    available_cpu                    = tostring(var.size.cpu)
    available_memory                 = var.size.memory
    max_instance_request_concurrency = var.size.concurrency
    min_instance_count               = 0
    max_instance_count               = var.size.max_instances
    timeout_seconds                  = var.size.timeout_seconds
    all_traffic_on_latest_revision   = true
    environment_variables            = var.environment

    # Pushes of the project's own subscriptions to a service's run.app address count as internal.
    ingress_settings = "ALLOW_INTERNAL_ONLY"

    dynamic "direct_vpc_network_interface" {
      for_each = var.network[*]
      content {
        network    = direct_vpc_network_interface.value.network
        subnetwork = direct_vpc_network_interface.value.subnetwork
      }
    }
  }
}

resource "google_cloud_run_service_iam_member" "push" {
  project  = var.project_id
  location = var.region
  service  = google_cloudfunctions2_function.this.name
  role     = "roles/run.invoker"
  member   = google_service_account.push.member
}

# Pub/Sub signs the tokens of the push identity. Its agent may do that in most projects by its own
# role; where that was taken away, by this.
resource "google_service_account_iam_member" "push_token" {
  service_account_id = google_service_account.push.name
  role               = "roles/iam.serviceAccountOpenIdTokenCreator"
  member             = var.pubsub_agent
}

resource "google_pubsub_subscription" "this" {
  project                    = var.project_id
  name                       = local.name
  topic                      = var.topic.id
  ack_deadline_seconds       = var.terms.ack_deadline_seconds
  message_retention_duration = "604800s" # 7 days
  enable_message_ordering    = false
  labels                     = var.labels

  expiration_policy {
    ttl = "" # never, however long nothing comes
  }

  retry_policy {
    minimum_backoff = "${var.terms.min_backoff_seconds}s"
    maximum_backoff = "${var.terms.max_backoff_seconds}s"
  }

  dead_letter_policy {
    dead_letter_topic     = var.dead_letters.id
    max_delivery_attempts = var.terms.max_delivery_attempts
  }

  push_config {
    # functions-framework takes the event's source from the path; the token is for the address alone
    push_endpoint = "${google_cloudfunctions2_function.this.service_config[0].uri}/projects/${var.project_id}/topics/${var.topic.name}"
    oidc_token {
      service_account_email = google_service_account.push.email
      audience              = google_cloudfunctions2_function.this.service_config[0].uri
    }
  }

  depends_on = [google_cloud_run_service_iam_member.push, google_service_account_iam_member.push_token]
}

# Pub/Sub takes a message from the subscription before it puts it among the dead letters.
resource "google_pubsub_subscription_iam_member" "dead_letters" {
  project      = var.project_id
  subscription = google_pubsub_subscription.this.name
  role         = "roles/pubsub.subscriber"
  member       = var.pubsub_agent
}
