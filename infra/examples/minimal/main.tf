# All that has to be said: the project. From the root of the repository, `make archives` first.
# scripts/smoke.sh applies it, and destroys it again.

terraform {
  required_version = ">= 1.11"
}

variable "project_id" {
  type = string
}

variable "trial" {
  description = "Whether it may be destroyed with its databases."
  type        = bool
  default     = false
}

variable "merge_image" {
  description = "The image that the merge function runs, for a merge job; null: the function merges."
  type        = string
  default     = null
}

module "almanac" {
  source = "../.."

  project_id          = var.project_id
  deletion_protection = !var.trial
  merge_job           = var.merge_image == null ? null : { image = var.merge_image }
}

output "environment" {
  value = module.almanac.environment
}

output "store" {
  value = module.almanac.environment.ALMANAC_STORE
}

output "topic_prefix" {
  value = module.almanac.environment.ALMANAC_TOPIC_PREFIX
}

output "merge_function" {
  value = module.almanac.functions.merge
}
