# A function that programs call. What it runs as is made outside: it has rights also while there is
# no function.

locals {
  name = "${var.prefix}${replace(var.function, "_", "-")}"
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

    source {
      storage_source {
        bucket = var.archive.bucket
        object = var.archive.object
      }
    }
  }

  service_config {
    direct_vpc_egress                = var.network == null ? null : var.network.all_traffic ? "VPC_EGRESS_ALL_TRAFFIC" : "VPC_EGRESS_PRIVATE_RANGES_ONLY"
    service_account_email            = var.email
    available_cpu                    = tostring(var.size.cpu)
    available_memory                 = var.size.memory
    max_instance_request_concurrency = var.size.concurrency
    min_instance_count               = 0
    max_instance_count               = var.size.max_instances
    timeout_seconds                  = var.size.timeout_seconds
    all_traffic_on_latest_revision   = true
    ingress_settings                 = var.ingress

    # functions-framework handles so many requests at the same time
    environment_variables = merge(var.environment, { THREADS = tostring(var.size.concurrency) })

    dynamic "secret_environment_variables" {
      for_each = var.secrets
      content {
        key        = secret_environment_variables.key
        project_id = var.project_id
        secret     = secret_environment_variables.value
        version    = "latest"
      }
    }

    dynamic "direct_vpc_network_interface" {
      for_each = var.network[*]
      content {
        network    = direct_vpc_network_interface.value.network
        subnetwork = direct_vpc_network_interface.value.subnetwork
      }
    }
  }
}

resource "google_cloud_run_service_iam_member" "invoker" {
  for_each = var.invokers

  project  = var.project_id
  location = var.region
  service  = google_cloudfunctions2_function.this.name
  role     = "roles/run.invoker"
  member   = each.value
}
