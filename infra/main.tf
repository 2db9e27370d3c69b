# What everything else is made of: the project, its APIs, names, and where images are kept.

data "google_project" "this" {
  project_id = var.project_id
}

locals {
  number = data.google_project.this.number
  labels = merge({ app = var.name }, var.labels)
  # `prevent_destroy` of Terraform takes no variable, and is gone with the block it stands in; this
  # is in the state. It takes effect once it is applied: to destroy, apply `false` first.
  deletion_policy = var.deletion_protection ? "PREVENT" : "DELETE"
  environment     = { for key, value in local.settings : key => tostring(value) }
  functions       = toset(["orchestrator", "shard", "merge", "campaign_change", "intake_events", "status", "intake", "webhooks"])

  # The settings of a function's process: shared/almanac/settings.py.
  settings = merge({
    ALMANAC_STORE          = "gs://${google_storage_bucket.data.name}"
    ALMANAC_PROJECT        = var.project_id
    ALMANAC_TOPIC_PREFIX   = "${var.name}-"
    ALMANAC_SHARD_CONTACTS = var.shard_contacts
    ALMANAC_LEASE_SECONDS  = var.lease_seconds
    ALMANAC_LOG_LEVEL      = var.log_level
    }, var.traces == null ? {} : {
    ALMANAC_TRACE_SAMPLING = var.traces.sampling
    ALMANAC_TRACE_ENDPOINT = var.traces.endpoint
  })

  # only where a variable asks for them
  services_asked_for = concat(
    var.budget == null ? [] : ["billingbudgets.googleapis.com"],
    var.traces == null ? [] : ["cloudtrace.googleapis.com", "telemetry.googleapis.com"],
  )

  # Google's own accounts, which act for the project.
  agents = {
    artifactregistry = "serviceAccount:service-${local.number}@gcp-sa-artifactregistry.iam.gserviceaccount.com"
    functions        = "serviceAccount:service-${local.number}@gcf-admin-robot.iam.gserviceaccount.com"
    pubsub           = "serviceAccount:service-${local.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
    run              = "serviceAccount:service-${local.number}@serverless-robot-prod.iam.gserviceaccount.com"
    storage          = "serviceAccount:service-${local.number}@gs-project-accounts.iam.gserviceaccount.com"
  }
}

resource "google_project_service" "needed" {
  for_each = setunion(local.services_asked_for, [
    "artifactregistry.googleapis.com",
    "cloudbuild.googleapis.com",
    "cloudfunctions.googleapis.com",
    "cloudresourcemanager.googleapis.com",
    "cloudscheduler.googleapis.com",
    "iam.googleapis.com",
    "iamcredentials.googleapis.com",
    "logging.googleapis.com",
    "monitoring.googleapis.com",
    "pubsub.googleapis.com",
    "run.googleapis.com",
    "serviceusage.googleapis.com",
    "storage.googleapis.com",
  ])

  project            = var.project_id
  service            = each.value
  disable_on_destroy = false
}

# Google: a newly enabled API takes a few minutes to be known everywhere. `sleep` stands for the
# provider hashicorp/time: this module needs no second provider.
resource "terraform_data" "apis" {
  triggers_replace = sort([for each in google_project_service.needed : each.service])

  provisioner "local-exec" {
    command = "sleep 120"
  }
}

# The functions' images. One that an instance runs is kept by Cloud Run besides.
resource "google_artifact_registry_repository" "images" {
  project       = var.project_id
  location      = var.region
  repository_id = var.name
  description   = "Images of Almanac's functions"
  format        = "DOCKER"
  kms_key_name  = var.kms_key
  labels        = local.labels

  deletion_policy = local.deletion_policy

  cleanup_policies {
    id     = "keep-the-last"
    action = "KEEP"
    most_recent_versions {
      keep_count = 10
    }
  }
  cleanup_policies {
    id     = "delete-the-old"
    action = "DELETE"
    condition {
      older_than = "7776000s" # 90 days
    }
  }

  depends_on = [terraform_data.apis]
}
