# The topics, the five functions that take messages, the job that can merge, and the functions that
# people and programs call: status, intake, webhooks.

locals {
  # tests/infra compares it with shared/almanac/messaging/subscriptions.py.
  subscriptions = jsondecode(file("${path.module}/subscriptions.json"))
  topics        = toset([for each in values(local.subscriptions) : each.topic])

  purposes = {
    orchestrator    = "Starts runs: plans the cutting into shards"
    shard           = "Plans a range of contacts"
    merge           = "Commits a run: the next version of the database"
    campaign_change = "Changes a campaign and plans whom it concerns"
    intake_events   = "Takes events of the topic intake into the inbox"
  }

  job        = "projects/${var.project_id}/locations/${var.region}/jobs/${var.name}-merge"
  job_folder = "/mnt/job"
}

resource "google_pubsub_topic" "this" {
  for_each = local.topics

  project      = var.project_id
  name         = "${var.name}-${each.key}"
  kms_key_name = var.kms_key
  labels       = local.labels

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }

  depends_on = [terraform_data.apis]
}

resource "google_pubsub_topic" "dead_letters" {
  project      = var.project_id
  name         = "${var.name}-dead-letters"
  kms_key_name = var.kms_key
  labels       = local.labels

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }

  depends_on = [terraform_data.apis]
}

# Without it dead letters would be lost. It is a pull subscription: a person inspects it.
resource "google_pubsub_subscription" "dead_letters" {
  project                    = var.project_id
  name                       = google_pubsub_topic.dead_letters.name
  topic                      = google_pubsub_topic.dead_letters.id
  ack_deadline_seconds       = 60
  message_retention_duration = "604800s" # 7 days
  labels                     = local.labels

  expiration_policy {
    ttl = ""
  }
}

module "function" {
  source   = "./modules/pubsub_function"
  for_each = local.subscriptions

  project_id  = var.project_id
  region      = var.region
  prefix      = "${var.name}-"
  function    = each.key
  description = local.purposes[each.key]
  runtime     = var.runtime
  archive = {
    bucket = google_storage_bucket.sources.name
    object = google_storage_bucket_object.archive[each.key].name
  }
  build = {
    repository      = google_artifact_registry_repository.images.id
    service_account = google_service_account.images.name
  }
  environment = merge(
    local.environment,
    each.key == "merge" && var.merge_job != null ? { ALMANAC_MERGE_JOB = local.job } : {},
    # it gives up before it is cut off: what is cut off goes on, without the processor, and would have
    # a database in memory beside that of the next delivery
    each.key == "merge" ? { ALMANAC_MERGE_SECONDS = tostring(max(var.sizes.merge.timeout_seconds - 40, 20)) } : {},
  )
  size = var.sizes[each.key]
  # the merge job runs the same image, which has to hold its system
  whole_image = each.key == "merge"

  topic = {
    id   = google_pubsub_topic.this[each.value.topic].id
    name = google_pubsub_topic.this[each.value.topic].name
  }
  terms = each.value
  dead_letters = {
    id   = google_pubsub_topic.dead_letters.id
    name = google_pubsub_topic.dead_letters.name
  }
  pubsub_agent = local.agents.pubsub

  network    = var.network
  kms_key    = var.kms_key
  labels     = local.labels
  channels   = local.channels
  error_rate = var.error_rate

  # the image is built by an account that has to be allowed to; Pub/Sub's own account is there once
  # Pub/Sub was used
  depends_on = [
    google_pubsub_subscription.dead_letters,
    google_artifact_registry_repository_iam_member.images,
    google_project_iam_member.images,
    google_storage_bucket_iam_member.images,
  ]
}

# Merges when the function would take too long; the function starts it for a run, and waits by
# having its message delivered again (shared/almanac/runs/merge_job.py). The database is on a disk:
# /tmp is memory. Google has that volume as a preview, hence BETA.
resource "google_cloud_run_v2_job" "merge" {
  for_each = var.merge_job == null ? {} : { merge = var.merge_job }

  project             = var.project_id
  location            = var.region
  name                = "${var.name}-merge"
  deletion_protection = false # it holds nothing
  launch_stage        = "BETA"
  labels              = local.labels

  template {
    task_count  = 1
    parallelism = 1
    template {
      service_account = module.function["merge"].email
      timeout         = "${each.value.timeout_seconds}s"
      max_retries     = 3 # Google's default: a task may be ended for maintenance
      encryption_key  = var.kms_key
      containers {
        image   = each.value.image
        command = ["/cnb/lifecycle/launcher", "python", "-m", "almanac.runs.merge_job"]
        resources {
          limits = {
            cpu    = tostring(each.value.cpu)
            memory = each.value.memory
          }
        }
        volume_mounts {
          name       = "work"
          mount_path = local.job_folder
        }
        dynamic "env" {
          for_each = merge(local.environment, { TMPDIR = local.job_folder })
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
      volumes {
        name = "work"
        empty_dir {
          medium     = "DISK"
          size_limit = each.value.disk
        }
      }
    }
  }
}

resource "google_service_account" "status" {
  project      = var.project_id
  account_id   = "${var.name}-status"
  display_name = "Almanac: status"
}

resource "google_cloudfunctions2_function" "status" {
  project      = var.project_id
  location     = var.region
  name         = "${var.name}-status"
  description  = "Tells how the organizations are"
  kms_key_name = var.kms_key
  labels       = local.labels

  build_config {
    runtime           = var.runtime
    entry_point       = "status"
    docker_repository = google_artifact_registry_repository.images.id
    service_account   = google_service_account.images.name

    source {
      storage_source {
        bucket = google_storage_bucket.sources.name
        object = google_storage_bucket_object.archive["status"].name
      }
    }
  }

  service_config {
    service_account_email            = google_service_account.status.email
    available_cpu                    = tostring(var.sizes.status.cpu)
    available_memory                 = var.sizes.status.memory
    max_instance_request_concurrency = var.sizes.status.concurrency
    min_instance_count               = 0
    max_instance_count               = var.sizes.status.max_instances
    timeout_seconds                  = var.sizes.status.timeout_seconds
    all_traffic_on_latest_revision   = true
    environment_variables            = merge(local.environment, { ALMANAC_STATUS_SECONDS = tostring(floor(var.sizes.status.timeout_seconds * 0.75)) })
    ingress_settings                 = var.status_ingress
    direct_vpc_egress                = var.network == null ? null : var.network.all_traffic ? "VPC_EGRESS_ALL_TRAFFIC" : "VPC_EGRESS_PRIVATE_RANGES_ONLY"

    dynamic "direct_vpc_network_interface" {
      for_each = var.network[*]
      content {
        network    = direct_vpc_network_interface.value.network
        subnetwork = direct_vpc_network_interface.value.subnetwork
      }
    }
  }

  depends_on = [
    google_artifact_registry_repository_iam_member.images,
    google_project_iam_member.images,
    google_storage_bucket_iam_member.images,
  ]
}

# --- what comes in over HTTP ----------------------------------------------------------------------

locals {
  # off by default: anybody can reach it, and only the signatures of the providers keep others out
  open = var.webhooks == null ? toset(["intake"]) : toset(["intake", "webhooks"])
  called = {
    intake = {
      description = "Takes what CRMs and senders post into the inbox"
      ingress     = var.intake_ingress
      invokers    = setunion(var.operators, var.intake_invokers)
      environment = {}
      secrets     = {}
    }
    webhooks = {
      description = "Takes the signed reports of providers into the inbox"
      ingress     = "ALLOW_ALL"
      invokers    = toset(["allUsers"]) # SendGrid and Twilio sign, and have no account of Google's
      environment = { ALMANAC_WEBHOOK_URL = coalesce(try(var.webhooks.url, null), "https://${var.region}-${var.project_id}.cloudfunctions.net/${var.name}-webhooks") }
      secrets     = { for secret in try(var.webhooks.twilio_secret, null)[*] : "ALMANAC_TWILIO_AUTH_TOKEN" => secret }
    }
  }
}

resource "google_service_account" "called" {
  for_each = local.called

  project      = var.project_id
  account_id   = "${var.name}-${each.key}"
  display_name = "Almanac: ${each.key}"
}

module "http" {
  source   = "./modules/http_function"
  for_each = local.open

  project_id  = var.project_id
  region      = var.region
  prefix      = "${var.name}-"
  function    = each.key
  description = local.called[each.key].description
  runtime     = var.runtime
  archive = {
    bucket = google_storage_bucket.sources.name
    object = google_storage_bucket_object.archive[each.key].name
  }
  build = {
    repository      = google_artifact_registry_repository.images.id
    service_account = google_service_account.images.name
  }
  email       = google_service_account.called[each.key].email
  environment = merge(local.environment, local.called[each.key].environment)
  secrets     = local.called[each.key].secrets
  size        = var.sizes[each.key]
  ingress     = local.called[each.key].ingress
  invokers    = local.called[each.key].invokers

  network    = var.network
  kms_key    = var.kms_key
  labels     = local.labels
  channels   = local.channels
  error_rate = var.error_rate

  depends_on = [
    google_artifact_registry_repository_iam_member.images,
    google_project_iam_member.images,
    google_storage_bucket_iam_member.images,
  ]
}
