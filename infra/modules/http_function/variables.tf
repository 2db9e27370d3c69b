variable "project_id" {
  description = "The Google Cloud project."
  type        = string
}

variable "region" {
  description = "Where it is."
  type        = string
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
  description = "What it does, in a few words."
  type        = string
}

variable "runtime" {
  description = "The Python that it runs on."
  type        = string
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
  description = "Its settings, as environment variables."
  type        = map(string)
}

variable "secrets" {
  description = "Environment variables whose values are secrets of Secret Manager, by their names."
  type        = map(string)
  default     = {}
}

variable "size" {
  description = "vCPUs, memory, messages or requests at a time, instances at most, seconds."
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

variable "network" {
  description = "The subnetwork through which it goes out; null: none."
  type        = object({ network = optional(string), subnetwork = string, all_traffic = optional(bool, false) })
  default     = null
}

variable "kms_key" {
  description = "A key of Cloud KMS for the function and its image; null: Google's own."
  type        = string
  default     = null
}

variable "labels" {
  description = "Labels on everything that takes them."
  type        = map(string)
  default     = {}
}

variable "channels" {
  description = "Notification channels of its alerts."
  type        = list(string)
  default     = []
}

variable "error_rate" {
  description = "The share of failures above which an alert is sent."
  type        = number
  default     = 0.1
}
