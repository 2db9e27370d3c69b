# All that has to be said: the project. From the root of the repository, `make archives` first.

terraform {
  required_version = ">= 1.11"
}

variable "project_id" {
  type = string
}

module "almanac" {
  source = "../.."

  project_id = var.project_id
}

output "environment" {
  value = module.almanac.environment
}
