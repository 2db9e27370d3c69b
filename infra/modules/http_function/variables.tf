variable "project_id" {
  type = string
}

variable "region" {
  type = string
}

variable "prefix" {
  description = "What names begin with, with its hyphen."
  type        = string
}

variable "function" {
  description = "The function's name in the code, and its entry point."
  type        = string
}

variable "description" {
  type = string
}

variable "runtime" {
  type = string
}

variable "archive" {
  description = "Where its source is."
  type        = object({ bucket = string, object = string })
}

variable "build" {
  description = "Where its image goes, and the account that builds it."
  type        = object({ repository = string, service_account = string })
}

variable "email" {
  description = "The account that it runs as."
  type        = string
}

variable "environment" {
  type = map(string)
}

variable "secrets" {
  description = "Environment variables whose values are secrets of Secret Manager, by their names."
  type        = map(string)
  default     = {}
}

variable "size" {
  type = object({
    cpu             = number
    memory          = string
    concurrency     = number
    max_instances   = number
    timeout_seconds = number
  })
}

variable "ingress" {
  description = "From where it can be reached."
  type        = string
}

variable "invokers" {
  description = "Who may call it, as members."
  type        = set(string)
}

variable "kms_key" {
  type    = string
  default = null
}

variable "labels" {
  type    = map(string)
  default = {}
}

variable "channels" {
  description = "Notification channels of its alerts."
  type        = list(string)
  default     = []
}

variable "error_rate" {
  type    = number
  default = 0.1
}
