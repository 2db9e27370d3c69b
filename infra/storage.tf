# The databases, and the archives that the functions are built from.

resource "google_storage_bucket" "data" {
  project                     = var.project_id
  name                        = coalesce(var.data_bucket, "${var.project_id}-${var.name}-data")
  location                    = coalesce(var.data_location, var.region)
  storage_class               = "STANDARD"
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = !var.deletion_protection
  deletion_policy             = local.deletion_policy
  labels                      = local.labels

  versioning {
    enabled = true
  }

  soft_delete_policy {
    retention_duration_seconds = var.soft_delete_days * 24 * 3600
  }

  # The merge deletes what is old, by what versions name (docs/architecture.md). Cloud Storage only
  # ever removes what has been deleted or overwritten: a rule by age would take live databases.
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      with_state                 = "ARCHIVED"
      days_since_noncurrent_time = var.archived_days
    }
  }

  dynamic "encryption" {
    for_each = var.kms_key[*]
    content {
      default_kms_key_name = encryption.value
    }
  }

  depends_on = [terraform_data.apis]
}

# Managed folders are what rights by prefix are granted on.
resource "google_storage_managed_folder" "organizations" {
  bucket        = google_storage_bucket.data.name
  name          = "orgs/"
  force_destroy = !var.deletion_protection
}

resource "google_storage_managed_folder" "rejected" {
  bucket        = google_storage_bucket.data.name
  name          = "rejected/"
  force_destroy = !var.deletion_protection
}

resource "google_storage_bucket" "sources" {
  project                     = var.project_id
  name                        = coalesce(var.source_bucket, "${var.project_id}-${var.name}-sources")
  location                    = var.region
  storage_class               = "STANDARD"
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = !var.deletion_protection
  deletion_policy             = local.deletion_policy
  labels                      = local.labels

  versioning {
    enabled = true
  }

  soft_delete_policy {
    retention_duration_seconds = var.soft_delete_days * 24 * 3600
  }

  # Archives of earlier deployments are replaced, and stay for a while.
  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      with_state                 = "ARCHIVED"
      days_since_noncurrent_time = 90
    }
  }

  dynamic "encryption" {
    for_each = var.kms_key[*]
    content {
      default_kms_key_name = encryption.value
    }
  }

  depends_on = [terraform_data.apis]
}

locals {
  archives = jsondecode(file("${path.module}/${var.archive_folder}/archives.json"))
}

# Named by its content: other content is another object, and the function is deployed again.
resource "google_storage_bucket_object" "archive" {
  for_each = local.functions

  bucket = google_storage_bucket.sources.name
  name   = "functions/${local.archives[each.key].file}"
  source = "${path.module}/${var.archive_folder}/${local.archives[each.key].file}"
}
