terraform {
  required_version = ">= 1.11"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 8.7"
    }
  }

  # Where the state is kept is said at init: -backend-config=bucket=... -backend-config=prefix=...
  backend "gcs" {}
}
