# Everything that can be said, for 10 million contacts in another region.

terraform {
  required_version = ">= 1.11"
}

variable "project_id" {
  type = string
}

variable "merge_image" {
  description = "The image that the merge function runs."
  type        = string
}

module "almanac" {
  source = "../.."

  project_id = var.project_id
  region     = "us-east4"
  name       = "almanac"
  labels     = { team = "mailing", stage = "production" }

  data_bucket      = "agency-almanac-databases"
  source_bucket    = "agency-almanac-sources"
  archived_days    = 14
  soft_delete_days = 30
  kms_key          = "projects/agency-keys/locations/us-east4/keyRings/almanac/cryptoKeys/almanac"

  copy = {
    location   = "us-west1"
    image      = var.merge_image
    bucket     = "agency-almanac-copy"
    kms_key    = "projects/agency-keys/locations/us-west1/keyRings/almanac/cryptoKeys/almanac"
    late_hours = 3
    tasks      = 4
  }

  operators       = ["group:mailing-operators@example.com"]
  status_invokers = ["serviceAccount:checks@agency-monitoring.iam.gserviceaccount.com"]
  status_ingress  = "ALLOW_INTERNAL_AND_GCLB"
  state_bucket    = "agency-terraform-state"

  intake_invokers = ["serviceAccount:crm@agency-crm.iam.gserviceaccount.com"]
  intake_ingress  = "ALLOW_ALL"
  webhooks        = { url = "https://hooks.agency.example.com", twilio_secret = "twilio-auth-token" }

  network          = { network = "agency", subnetwork = "almanac", all_traffic = true }
  data_access_logs = true

  daily_time = "04:00"
  time_zone  = "America/Chicago"

  archive_folder = "../dist/functions"
  runtime        = "python313"
  shard_contacts = 50000
  lease_seconds  = 10800
  log_level      = "INFO"
  traces         = { sampling = 0.5 }
  sizes = {
    shard = { memory = "2Gi", concurrency = 2, max_instances = 100 }
    merge = { memory = "512Mi", cpu = 1 }
    # 10 MiB each
    intake = { memory = "2Gi", max_instances = 10 }
  }
  # the database is on the disk, 14 GB; the process has 3 GB
  merge_job = {
    image           = var.merge_image
    cpu             = 2
    memory          = "8Gi"
    disk            = "20Gi"
    timeout_seconds = 7200
  }

  alert_emails   = ["mailing@example.com"]
  alert_channels = ["projects/agency-monitoring/notificationChannels/1234567890"]
  error_rate     = 0.05
  service_levels = { planned_by = "06:30", planned_goal = 0.999, change_minutes = 15, change_goal = 0.95 }
  budget         = { billing_account = "012345-6789AB-CDEF01", amount = 500, thresholds = [0.5, 0.8, 1] }

  deletion_protection = true
}

output "environment" {
  value = module.almanac.environment
}

output "status_url" {
  value = module.almanac.status_url
}
