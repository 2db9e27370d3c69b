# --- where ----------------------------------------------------------------------------------------

variable "project_id" {
  description = "The Google Cloud project; it exists already, with billing."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id: not a project's id (6 to 30 lower-case letters, digits and hyphens)."
  }
}

variable "region" {
  description = "Where everything is: functions, buckets, topics' messages, images."
  type        = string
  default     = "us-central1"
  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "region: not a region such as us-central1 (a zone or a multi-region will not do)."
  }
}

variable "name" {
  description = "What the names of all resources begin with; another one for another installation."
  type        = string
  default     = "almanac"
  validation {
    # <name>-campaign-change-push is a service account's id: 30 characters at most
    condition     = can(regex("^[a-z][a-z0-9]{1,8}$", var.name))
    error_message = "name: a lower-case letter, then 1 to 8 lower-case letters or digits."
  }
}

variable "labels" {
  description = "Labels on everything that takes them, besides app = <name>."
  type        = map(string)
  default     = {}
}

# --- storage --------------------------------------------------------------------------------------

variable "data_bucket" {
  description = "Name of the bucket of the databases; by default <project>-<name>-data."
  type        = string
  default     = null
}

variable "data_location" {
  description = "Where the bucket of the databases is; null: in region. A dual-region such as NAM4 (Iowa and South Carolina) survives the loss of a region. It cannot be changed later."
  type        = string
  default     = null
  validation {
    condition     = var.data_location == null || can(regex("^([A-Z]+[0-9]*|[a-z]+-[a-z]+[0-9]+)$", var.data_location))
    error_message = "data_location: a region (us-central1), a dual-region (NAM4) or a multi-region (US)."
  }
}

variable "copy" {
  description = "A second bucket in another region, and a job that keeps it a copy of the first. image: the one that the merge function runs (docs/operations.md has the command); kms_key: a key where the bucket is; schedule: in UTC, how often; late_hours: after which an alert opens; tasks: how many share the organizations. null: none."
  type = object({
    location        = string
    image           = string
    bucket          = optional(string)
    kms_key         = optional(string)
    schedule        = optional(string, "15 * * * *")
    late_hours      = optional(number, 3)
    tasks           = optional(number, 1)
    timeout_seconds = optional(number, 3600)
  })
  default = null
  validation {
    condition     = var.copy == null || can(regex("^([A-Z]+[0-9]*|[a-z]+-[a-z]+[0-9]+)$", var.copy.location))
    error_message = "copy: location is a region (us-west1), a dual-region (NAM4) or a multi-region (US)."
  }
  validation {
    condition     = var.copy == null || !contains([var.region, coalesce(var.data_location, var.region)], try(var.copy.location, ""))
    error_message = "copy: location is another one than region and data_location, or the copy is lost with the databases."
  }
  validation {
    condition     = var.copy == null || can(regex("^[a-z0-9.-]+-docker\\.pkg\\.dev/", var.copy.image))
    error_message = "copy: image is one of Artifact Registry, <region>-docker.pkg.dev/..."
  }
  validation {
    # a key encrypts only where it is
    condition     = var.copy == null || (var.kms_key == null) == (try(var.copy.kms_key, null) == null)
    error_message = "copy: kms_key is given where kms_key is, and only there: a key of the copy's location."
  }
  validation {
    condition     = var.copy == null || try(var.copy.late_hours >= 1 && var.copy.late_hours <= 24 && var.copy.tasks >= 1 && var.copy.tasks <= 100 && var.copy.timeout_seconds >= 60 && var.copy.timeout_seconds <= 86400, false)
    error_message = "copy: late_hours is 1 to 24, tasks 1 to 100, timeout_seconds 60 to 86400."
  }
}

variable "source_bucket" {
  description = "Name of the bucket of source archives; by default <project>-<name>-sources."
  type        = string
  default     = null
}

variable "archived_days" {
  description = "How long a deleted or overwritten object stays as an archived version, in days."
  type        = number
  default     = 7
  validation {
    condition     = var.archived_days >= 1 && var.archived_days <= 365
    error_message = "archived_days: 1 to 365."
  }
}

variable "soft_delete_days" {
  description = "How long an archived version can be restored after it was removed, in days."
  type        = number
  default     = 7
  validation {
    condition     = var.soft_delete_days >= 7 && var.soft_delete_days <= 90
    error_message = "soft_delete_days: 7 to 90, as Cloud Storage allows; it must not be switched off."
  }
}

variable "deletion_protection" {
  description = "Keep Terraform from deleting the buckets and the repository of images, and a bucket with the objects in it; false before an installation is destroyed."
  type        = bool
  default     = true
  nullable    = false
}

variable "kms_key" {
  description = "A key of Cloud KMS (projects/.../cryptoKeys/...) to encrypt everything with; null: Google's own. See README.md for who has to be allowed to use it."
  type        = string
  default     = null
  validation {
    condition     = var.kms_key == null || can(regex("^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$", var.kms_key))
    error_message = "kms_key: projects/<project>/locations/<region>/keyRings/<ring>/cryptoKeys/<key>."
  }
}

# --- who ------------------------------------------------------------------------------------------

variable "operators" {
  description = "Who may work with the store, ask for runs, and look at dead letters (user:..., group:..., serviceAccount:...)."
  type        = set(string)
  default     = []
  validation {
    condition     = alltrue([for member in var.operators : can(regex("^(user|group|serviceAccount|principal|principalSet):", member))])
    error_message = "operators: user:, group:, serviceAccount: or principal: only; never allUsers, allAuthenticatedUsers or a whole domain."
  }
}

variable "status_invokers" {
  description = "Who may call the status function, besides the operators."
  type        = set(string)
  default     = []
  validation {
    condition     = alltrue([for member in var.status_invokers : can(regex("^(user|group|serviceAccount|principal|principalSet):", member))])
    error_message = "status_invokers: user:, group:, serviceAccount: or principal: only; never allUsers, allAuthenticatedUsers or a whole domain."
  }
}

variable "status_ingress" {
  description = "From where the status function can be reached; every caller needs the right to do so in any case."
  type        = string
  default     = "ALLOW_INTERNAL_ONLY"
  validation {
    condition     = contains(["ALLOW_INTERNAL_ONLY", "ALLOW_INTERNAL_AND_GCLB", "ALLOW_ALL"], var.status_ingress)
    error_message = "status_ingress: ALLOW_INTERNAL_ONLY, ALLOW_INTERNAL_AND_GCLB or ALLOW_ALL."
  }
}

variable "intake_invokers" {
  description = "Who may post to the function intake, besides the operators: the accounts of CRMs and senders."
  type        = set(string)
  default     = []
  validation {
    condition     = alltrue([for member in var.intake_invokers : can(regex("^(user|group|serviceAccount|principal|principalSet):", member))])
    error_message = "intake_invokers: user:, group:, serviceAccount: or principal: only; never allUsers, allAuthenticatedUsers or a whole domain."
  }
}

variable "intake_ingress" {
  description = "From where the function intake can be reached; every caller needs the right to do so in any case. ALLOW_ALL where a CRM is outside the project."
  type        = string
  default     = "ALLOW_INTERNAL_ONLY"
  validation {
    condition     = contains(["ALLOW_INTERNAL_ONLY", "ALLOW_INTERNAL_AND_GCLB", "ALLOW_ALL"], var.intake_ingress)
    error_message = "intake_ingress: ALLOW_INTERNAL_ONLY, ALLOW_INTERNAL_AND_GCLB or ALLOW_ALL."
  }
}

variable "webhooks" {
  description = "Open the function webhooks to SendGrid and Twilio; null: there is none. url: where they call it, if not at its own address. twilio_secret: the secret of Secret Manager that holds Twilio's auth token; null: nothing of Twilio is taken."
  type        = object({ url = optional(string), twilio_secret = optional(string) })
  default     = null
  validation {
    condition     = var.webhooks == null || can(regex("^https://[^/?#]+(/[^?#]*)?$", coalesce(try(var.webhooks.url, null), "https://default")))
    error_message = "webhooks: url begins with https:// and has no query."
  }
  validation {
    condition     = var.webhooks == null || can(regex("^[A-Za-z0-9_-]{1,255}$", coalesce(try(var.webhooks.twilio_secret, null), "default")))
    error_message = "webhooks: twilio_secret is the name of a secret of the project, not its value."
  }
}

variable "state_bucket" {
  description = "The bucket of Terraform's state, for the deploy account to use; null: that is granted by hand."
  type        = string
  default     = null
}

variable "network" {
  description = "A subnetwork of a VPC network through which functions and the job go out (direct VPC egress); all_traffic: also to the internet and to Google's APIs, for which the subnetwork needs Private Google Access. null: none."
  type = object({
    network     = optional(string)
    subnetwork  = string
    all_traffic = optional(bool, false)
  })
  default = null
}

variable "data_access_logs" {
  description = "Log who reads and writes objects in the project's buckets (Data Access audit logs of Cloud Storage), except the installation's own functions. It replaces what the project has set for Cloud Storage."
  type        = bool
  default     = false
}

# --- the day --------------------------------------------------------------------------------------

variable "daily_time" {
  description = "When the daily run starts, HH:MM in time_zone."
  type        = string
  default     = "04:00"
  validation {
    condition     = can(regex("^([01][0-9]|2[0-3]):[0-5][0-9]$", var.daily_time))
    error_message = "daily_time: HH:MM."
  }
  validation {
    # the change of clocks drops 02:00-03:00 on one day and repeats 01:00-02:00 on another
    condition     = !can(regex("^(0[12]:|03:00)", var.daily_time))
    error_message = "daily_time: not between 01:00 and 03:00, which the change of clocks drops or repeats."
  }
}

variable "time_zone" {
  description = "The zone of daily_time."
  type        = string
  default     = "America/Chicago"
  validation {
    condition     = can(regex("^(America|US|Pacific)/[A-Za-z_/]+$", var.time_zone))
    error_message = "time_zone: a zone of the United States by its name, such as America/Chicago; an offset knows no daylight-saving time."
  }
}

# --- the work -------------------------------------------------------------------------------------

variable "archive_folder" {
  description = "The folder of the functions' source archives and their archives.json, as `make archives` writes them; relative to this folder."
  type        = string
  default     = "../dist/functions"
}

variable "runtime" {
  description = "The Python that the functions run on."
  type        = string
  default     = "python313"
  validation {
    condition     = contains(["python311", "python312", "python313", "python314"], var.runtime)
    error_message = "runtime: python311 to python314."
  }
}

variable "shard_contacts" {
  description = "How many contacts a shard plans (ALMANAC_SHARD_CONTACTS)."
  type        = number
  default     = 50000
  validation {
    condition     = var.shard_contacts >= 1000 && var.shard_contacts <= 200000
    error_message = "shard_contacts: 1,000 to 200,000; a shard's memory grows with it."
  }
}

variable "lease_seconds" {
  description = "How long a run that has died keeps others waiting (ALMANAC_LEASE_SECONDS)."
  type        = number
  default     = 3600
  validation {
    condition     = var.lease_seconds >= 1200 && var.lease_seconds <= 86400
    error_message = "lease_seconds: 1,200 to 86,400; twice the longest delivery, or a run that lives would be taken for dead."
  }
}

variable "traces" {
  description = "Send spans of this share of runs and requests to Cloud Trace ({} for all of them), or over OTLP to another endpoint (ALMANAC_TRACE_SAMPLING, ALMANAC_TRACE_ENDPOINT); null for none. docs/operations.md has what it costs."
  type = object({
    sampling = optional(number, 1)
    endpoint = optional(string, "https://telemetry.googleapis.com/v1/traces")
  })
  default = null
  validation {
    condition     = var.traces == null ? true : var.traces.sampling > 0 && var.traces.sampling <= 1
    error_message = "traces: sampling is above 0 and at most 1; null for no traces."
  }
  validation {
    condition     = var.traces == null ? true : can(regex("^https?://[^\\s]+$", var.traces.endpoint))
    error_message = "traces: endpoint is a URL of OTLP over HTTP, with its path."
  }
}

variable "log_level" {
  description = "ALMANAC_LOG_LEVEL; alerts and metrics read lines of level INFO."
  type        = string
  default     = "INFO"
  validation {
    condition     = contains(["DEBUG", "INFO"], var.log_level)
    error_message = "log_level: DEBUG or INFO; with less, the metrics have nothing to read."
  }
}

# The defaults hold 3 million contacts; docs/performance.md has what was measured. /tmp counts as
# memory: the merge has the whole database in it (4.3 GB) beside its own 0.9 GB, and the orchestrator
# twice the pages that events change (0.55 GB for 100,000 marks at once).
variable "sizes" {
  description = "For each function vCPUs, memory, messages at a time in an instance, instances at most, and seconds after which a delivery is given up."
  type = object({
    orchestrator = optional(object({
      cpu             = optional(number, 1)
      memory          = optional(string, "2Gi")
      concurrency     = optional(number, 1)
      max_instances   = optional(number, 5)
      timeout_seconds = optional(number, 300)
    }), {})
    shard = optional(object({
      cpu             = optional(number, 1)
      memory          = optional(string, "1Gi")
      concurrency     = optional(number, 1)
      max_instances   = optional(number, 20)
      timeout_seconds = optional(number, 300)
    }), {})
    merge = optional(object({
      cpu             = optional(number, 2)
      memory          = optional(string, "8Gi")
      concurrency     = optional(number, 1)
      max_instances   = optional(number, 5)
      timeout_seconds = optional(number, 590)
    }), {})
    campaign_change = optional(object({
      cpu             = optional(number, 1)
      memory          = optional(string, "2Gi")
      concurrency     = optional(number, 1)
      max_instances   = optional(number, 5)
      timeout_seconds = optional(number, 300)
    }), {})
    intake_events = optional(object({
      cpu             = optional(number, 1)
      memory          = optional(string, "512Mi")
      concurrency     = optional(number, 8)
      max_instances   = optional(number, 5)
      timeout_seconds = optional(number, 60)
    }), {})
    intake = optional(object({
      cpu             = optional(number, 1)
      memory          = optional(string, "1Gi")
      concurrency     = optional(number, 80)
      max_instances   = optional(number, 5)
      timeout_seconds = optional(number, 60)
    }), {})
    webhooks = optional(object({
      cpu             = optional(number, 1)
      memory          = optional(string, "512Mi")
      concurrency     = optional(number, 16)
      max_instances   = optional(number, 2)
      timeout_seconds = optional(number, 60)
    }), {})
    status = optional(object({
      cpu             = optional(number, 1)
      memory          = optional(string, "512Mi")
      concurrency     = optional(number, 8)
      max_instances   = optional(number, 2)
      timeout_seconds = optional(number, 300)
    }), {})
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for size in values(var.sizes) : contains([1, 2, 4, 6, 8], size.cpu)])
    error_message = "sizes: cpu is 1, 2, 4, 6 or 8."
  }
  validation {
    condition     = alltrue([for size in values(var.sizes) : can(regex("^[1-9][0-9]*(Mi|Gi)$", size.memory))])
    error_message = "sizes: memory is a number with Mi or Gi behind it."
  }
  validation {
    condition = alltrue([for size in values(var.sizes) :
      try(tonumber(trimsuffix(size.memory, "Gi")), tonumber(trimsuffix(size.memory, "Mi")) / 1024, 0) <= 4 * size.cpu
    ])
    error_message = "sizes: at most 4 GiB of memory for each vCPU."
  }
  validation {
    # 360 MB for one shard of 50,000 contacts, 690 MB for two
    condition     = var.sizes.shard.concurrency == 1 || try(tonumber(trimsuffix(var.sizes.shard.memory, "Gi")) * 1024, tonumber(trimsuffix(var.sizes.shard.memory, "Mi")), 0) >= 512 * var.sizes.shard.concurrency
    error_message = "sizes.shard: 512 MiB for each message at a time."
  }
  validation {
    condition     = var.sizes.merge.concurrency == 1
    error_message = "sizes.merge: one merge at a time in an instance, since each has a database in memory."
  }
  validation {
    condition = alltrue([for size in values(var.sizes) :
      size.concurrency >= 1 && size.concurrency <= 80 && size.max_instances >= 1 && size.max_instances <= 1000
    ])
    error_message = "sizes: concurrency 1 to 80, max_instances 1 to 1000."
  }
  validation {
    condition     = alltrue([for size in values(var.sizes) : size.timeout_seconds >= 30 && size.timeout_seconds <= 590])
    error_message = "sizes: timeout_seconds is 30 to 590: a function must have stopped before its message is delivered again."
  }
}

variable "merge_job" {
  description = "Merge in a Cloud Run job, which may take hours, and not in the merge function. image: the one that the merge function runs (docs/operations.md has the command). null: the function merges."
  type = object({
    image           = string
    cpu             = optional(number, 2)
    memory          = optional(string, "8Gi")
    disk            = optional(string, "10Gi") # what an instance gets without a higher quota
    timeout_seconds = optional(number, 3600)
  })
  default = null
  validation {
    condition     = var.merge_job == null || can(regex("^[1-9][0-9]+Gi$", var.merge_job.disk))
    error_message = "merge_job: disk is a number of Gi, at least 10."
  }
  validation {
    condition     = var.merge_job == null || can(regex("^[a-z0-9.-]+-docker\\.pkg\\.dev/", var.merge_job.image))
    error_message = "merge_job: image is one of Artifact Registry, <region>-docker.pkg.dev/..."
  }
  validation {
    condition = var.merge_job == null || try(
      contains([1, 2, 4, 6, 8], var.merge_job.cpu) && tonumber(trimsuffix(var.merge_job.memory, "Gi")) <= 4 * var.merge_job.cpu
    , false)
    error_message = "merge_job: cpu is 1, 2, 4, 6 or 8, memory a number of Gi, at most 4 for each vCPU."
  }
  validation {
    # the words of the shards wait so long, with 20 attempts and waits of 10 to 600 seconds
    condition     = var.merge_job == null || try(var.merge_job.timeout_seconds >= 60 && var.merge_job.timeout_seconds <= 7200, false)
    error_message = "merge_job: timeout_seconds is 60 to 7200."
  }
}

# --- alerts ---------------------------------------------------------------------------------------

variable "alert_emails" {
  description = "Addresses that alerts go to."
  type        = set(string)
  default     = []
}

variable "alert_channels" {
  description = "Notification channels of Cloud Monitoring that exist already (projects/.../notificationChannels/...)."
  type        = set(string)
  default     = []
}

variable "service_levels" {
  description = "What is promised: the share of organizations planned for the day by planned_by (HH:MM in time_zone), and of changes planned within change_minutes. Alerts come at 14.4, 6 and 3 times the share that may be late."
  type = object({
    planned_by     = optional(string, "06:00")
    planned_goal   = optional(number, 0.99)
    change_minutes = optional(number, 10)
    change_goal    = optional(number, 0.99)
  })
  default  = {}
  nullable = false

  validation {
    condition     = can(regex("^(0[03-9]|1[0-9]|2[0-3]):[0-5][0-9]$", var.service_levels.planned_by))
    error_message = "service_levels: planned_by is HH:MM, and not between 01:00 and 03:00, which the change of clocks drops or repeats."
  }
  validation {
    # HH:MM in the order of numbers
    condition     = try(tonumber(replace(var.service_levels.planned_by, ":", "")) > tonumber(replace(var.daily_time, ":", "")), true)
    error_message = "service_levels: planned_by is later than daily_time, on the same day."
  }
  validation {
    # with less than 1 - 1/14.4 no rate of failures could raise the fast alert
    condition     = alltrue([for goal in [var.service_levels.planned_goal, var.service_levels.change_goal] : goal >= 0.94 && goal <= 0.999])
    error_message = "service_levels: planned_goal and change_goal are 0.94 to 0.999."
  }
  validation {
    condition     = var.service_levels.change_minutes >= 1 && var.service_levels.change_minutes <= 1440
    error_message = "service_levels: change_minutes is 1 to 1,440."
  }
}

variable "budget" {
  description = "A budget of the project for each month, with mails to the billing account's administrators and to the alert channels at shares of it (thresholds), and once it is forecast to be spent; amount in whole units of currency, the billing account's own. null: none. Who applies needs a right on the billing account (README.md)."
  type = object({
    billing_account = string
    amount          = number
    currency        = optional(string, "USD")
    thresholds      = optional(list(number), [0.5, 0.9, 1])
  })
  default = null

  validation {
    condition     = var.budget == null || can(regex("^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$", var.budget.billing_account))
    error_message = "budget: billing_account is an id such as 012345-6789AB-CDEF01."
  }
  validation {
    condition     = var.budget == null || try(var.budget.amount >= 1 && floor(var.budget.amount) == var.budget.amount, false)
    error_message = "budget: amount is a whole number, at least 1."
  }
  validation {
    condition     = var.budget == null || can(regex("^[A-Z]{3}$", var.budget.currency))
    error_message = "budget: currency is a code of three letters, such as USD."
  }
  validation {
    condition     = var.budget == null || try(length(var.budget.thresholds) > 0 && alltrue([for share in var.budget.thresholds : share > 0 && share <= 10]), false)
    error_message = "budget: thresholds are shares of the amount, such as [0.5, 0.9, 1]."
  }
}

variable "error_rate" {
  description = "The share of failed deliveries of a function above which an alert is sent."
  type        = number
  default     = 0.1
  validation {
    condition     = var.error_rate > 0 && var.error_rate < 1
    error_message = "error_rate: between 0 and 1."
  }
}
