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
  description = "The function's name in the code, and its entry point; names in the cloud have hyphens for underscores."
  type        = string
  validation {
    condition     = can(regex("^[a-z]+(_[a-z]+)*$", var.function))
    error_message = "function: lower-case words with underscores between them."
  }
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

variable "whole_image" {
  description = "Whether the image holds its system, so that a job can run it; it is then patched when it is deployed, and not by Google in between."
  type        = bool
  default     = false
}

variable "environment" {
  description = "Its settings, as environment variables."
  type        = map(string)
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

variable "topic" {
  description = "The topic whose messages it takes."
  type        = object({ id = string, name = string })
}

variable "terms" {
  description = "How messages are delivered to it; in seconds but for the attempts."
  type = object({
    max_delivery_attempts = number
    ack_deadline_seconds  = number
    min_backoff_seconds   = number
    max_backoff_seconds   = number
  })
  validation {
    condition     = var.terms.ack_deadline_seconds >= 10 && var.terms.ack_deadline_seconds <= 600
    error_message = "terms: ack_deadline_seconds is 10 to 600."
  }
  validation {
    condition     = var.terms.max_delivery_attempts >= 5 && var.terms.max_delivery_attempts <= 100
    error_message = "terms: max_delivery_attempts is 5 to 100."
  }
  validation {
    condition     = var.terms.min_backoff_seconds >= 0 && var.terms.min_backoff_seconds <= var.terms.max_backoff_seconds && var.terms.max_backoff_seconds <= 600
    error_message = "terms: 0 <= min_backoff_seconds <= max_backoff_seconds <= 600."
  }
  validation {
    condition     = var.size.timeout_seconds + 10 <= var.terms.ack_deadline_seconds
    error_message = "terms: the function's timeout has to be 10 seconds shorter than ack_deadline_seconds, or its message comes again while it works."
  }
}

variable "dead_letters" {
  description = "The topic for messages that have failed too often."
  type        = object({ id = string, name = string })
}

variable "pubsub_agent" {
  description = "Pub/Sub's own account in the project, as a member."
  type        = string
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
