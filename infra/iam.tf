# Who may do what. README.md has it as a table; tests compare the two.

locals {
  takers  = { for name, function in module.function : name => function.member } # of messages
  workers = { for name, member in local.takers : name => member if name != "intake_events" }
  # what comes in between runs is put into the inbox by these
  inlets  = merge({ for name, account in google_service_account.called : name => account.member }, { intake_events = local.takers.intake_events })
  members = merge(local.workers, local.inlets, { status = google_service_account.status.member })

  # What functions may write below orgs/ is no prefix: the organization's id comes in between.
  # Managed folders would need one for each organization; conditions need none.
  objects = "projects/_/buckets/${google_storage_bucket.data.name}/objects"
  writes = {
    # plans, fragments and results; changes that wait; the lease
    runs = {
      functions  = ["orchestrator", "shard", "merge", "campaign_change"]
      expression = "resource.name.extract(\"/objects/orgs/{org}/runs/\") != \"\" || resource.name.extract(\"/objects/orgs/{org}/changes/\") != \"\" || (resource.name.startsWith(\"${local.objects}/orgs/\") && resource.name.endsWith(\"/lease.json\"))"
    }
    # what a version has leaves the inbox
    inbox = {
      functions  = ["merge"]
      expression = "resource.name.extract(\"/objects/orgs/{org}/inbox/\") != \"\""
    }
    # databases, current.json and summary.json
    versions = {
      functions  = ["merge"]
      expression = "resource.name.extract(\"/objects/orgs/{org}/versions/\") != \"\" || (resource.name.startsWith(\"${local.objects}/orgs/\") && (resource.name.endsWith(\"/current.json\") || resource.name.endsWith(\"/summary.json\")))"
    }
  }
  writers = merge([
    for what, grant in local.writes : { for function in grant.functions : "${function} ${what}" => { function = function, what = what } }
  ]...)

  # An inlet reads whether there is an organization, and its configuration; it creates objects of
  # the inbox, and overwrites and reads none.
  inlet_reads  = "resource.name.startsWith(\"${local.objects}/orgs/\") && (resource.name.endsWith(\"/current.json\") || resource.name.endsWith(\"/config.yaml\"))"
  inlet_writes = local.writes.inbox.expression

  # Any function that finds that a run must be retried requests it again, a shard included.
  publishers = {
    orchestrator    = ["run-requests", "shard-tasks", "shard-results", "campaign-changes"]
    shard           = ["run-requests", "shard-results", "campaign-changes"]
    merge           = ["run-requests", "shard-tasks", "shard-results", "campaign-changes"]
    campaign_change = ["run-requests", "shard-tasks", "shard-results", "campaign-changes"]
    intake_events   = ["run-requests"] # where an event is to be planned at once
    intake          = ["run-requests"]
  }
  publishes = merge([
    for function, topics in local.publishers : { for topic in topics : "${function} ${topic}" => { function = function, topic = topic } }
  ]...)
}

# --- the store ------------------------------------------------------------------------------------

# Names only. Without it Cloud Storage answers 403 instead of 404 for an object that does not exist.
resource "google_storage_bucket_iam_member" "names" {
  for_each = local.members

  bucket = google_storage_bucket.data.name
  role   = "roles/storage.legacyBucketReader"
  member = each.value
}

resource "google_storage_managed_folder_iam_member" "read" {
  for_each = local.workers

  bucket         = google_storage_bucket.data.name
  managed_folder = google_storage_managed_folder.organizations.name
  role           = "roles/storage.objectViewer"
  member         = each.value
}

# Overwriting and deleting need objectUser; so does writing what may be there already.
resource "google_storage_bucket_iam_member" "write" {
  for_each = local.writers

  bucket = google_storage_bucket.data.name
  role   = "roles/storage.objectUser"
  member = local.workers[each.value.function]
  condition {
    title       = each.value.what
    description = "README.md has the names in words"
    expression  = local.writes[each.value.what].expression
  }
}

resource "google_storage_bucket_iam_member" "inlet_reads" {
  for_each = local.inlets

  bucket = google_storage_bucket.data.name
  role   = "roles/storage.objectViewer"
  member = each.value
  condition {
    title       = "organizations"
    description = "README.md has the names in words"
    expression  = local.inlet_reads
  }
}

resource "google_storage_bucket_iam_member" "inlet_writes" {
  for_each = local.inlets

  bucket = google_storage_bucket.data.name
  role   = "roles/storage.objectCreator"
  member = each.value
  condition {
    title       = "inbox"
    description = "README.md has the names in words"
    expression  = local.inlet_writes
  }
}

resource "google_storage_managed_folder_iam_member" "reject" {
  for_each = local.takers

  bucket         = google_storage_bucket.data.name
  managed_folder = google_storage_managed_folder.rejected.name
  role           = "roles/storage.objectUser"
  member         = each.value
}

# The status function reads documents, and no database and no fragment.
resource "google_storage_bucket_iam_member" "status" {
  bucket = google_storage_bucket.data.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.status.member
  condition {
    title       = "documents"
    description = "README.md has the names in words"
    expression  = "resource.name.startsWith(\"${local.objects}/orgs/\") && (resource.name.endsWith(\".json\") || resource.name.endsWith(\".html\") || resource.name.endsWith(\".csv\") || resource.name.endsWith(\"/config.yaml\"))"
  }
}

# --- traces ---------------------------------------------------------------------------------------

locals {
  trace_role = "roles/telemetry.tracesWriter"
}

# Everything that records spans; the merge job has the merge's account.
resource "google_project_iam_member" "traces" {
  for_each = var.traces == null ? {} : merge(local.workers, local.inlets)

  project = var.project_id
  role    = local.trace_role
  member  = each.value
}

# --- messages -------------------------------------------------------------------------------------

resource "google_pubsub_topic_iam_member" "publish" {
  for_each = local.publishes

  project = var.project_id
  topic   = google_pubsub_topic.this[each.value.topic].name
  role    = "roles/pubsub.publisher"
  member  = local.members[each.value.function]
}

resource "google_pubsub_topic_iam_member" "dead_letters" {
  project = var.project_id
  topic   = google_pubsub_topic.dead_letters.name
  role    = "roles/pubsub.publisher"
  member  = local.agents.pubsub

  # Google makes the account when Pub/Sub is first used
  depends_on = [google_pubsub_subscription.dead_letters]
}

# --- the job --------------------------------------------------------------------------------------

resource "google_cloud_run_v2_job_iam_member" "merge" {
  for_each = google_cloud_run_v2_job.merge

  project  = var.project_id
  location = var.region
  name     = each.value.name
  role     = "roles/run.jobsExecutorWithOverrides"
  member   = local.workers.merge
}

# --- people ---------------------------------------------------------------------------------------

resource "google_cloud_run_service_iam_member" "status" {
  for_each = setunion(var.operators, var.status_invokers)

  project  = var.project_id
  location = var.region
  service  = google_cloudfunctions2_function.status.name
  role     = "roles/run.invoker"
  member   = each.value
}

resource "google_storage_bucket_iam_member" "operators" {
  for_each = var.operators

  bucket = google_storage_bucket.data.name
  role   = "roles/storage.legacyBucketReader"
  member = each.value
}

resource "google_storage_managed_folder_iam_member" "operators" {
  for_each = var.operators

  bucket         = google_storage_bucket.data.name
  managed_folder = google_storage_managed_folder.organizations.name
  role           = "roles/storage.objectUser"
  member         = each.value
}

resource "google_storage_managed_folder_iam_member" "operators_rejected" {
  for_each = var.operators

  bucket         = google_storage_bucket.data.name
  managed_folder = google_storage_managed_folder.rejected.name
  role           = "roles/storage.objectViewer"
  member         = each.value
}

# any topic: a dead letter is published again to the one that it came from
resource "google_pubsub_topic_iam_member" "operators" {
  for_each = { for pair in setproduct(var.operators, local.topics) : "${pair[0]} ${pair[1]}" => { member = pair[0], topic = pair[1] } }

  project = var.project_id
  topic   = google_pubsub_topic.this[each.value.topic].name
  role    = "roles/pubsub.publisher"
  member  = each.value.member
}

resource "google_pubsub_subscription_iam_member" "operators" {
  for_each = var.operators

  project      = var.project_id
  subscription = google_pubsub_subscription.dead_letters.name
  role         = "roles/pubsub.subscriber"
  member       = each.value
}

# The runbook's commands: logs, metrics, and the pause of the daily message, which has no rights of
# its own below the project.
locals {
  operator_roles = toset(["roles/cloudscheduler.admin", "roles/logging.viewer", "roles/monitoring.viewer"])
}

resource "google_project_iam_member" "operators" {
  for_each = { for pair in setproduct(var.operators, local.operator_roles) : "${pair[0]} ${pair[1]}" => { member = pair[0], role = pair[1] } }

  project = var.project_id
  role    = each.value.role
  member  = each.value.member
}

# `gcloud run services proxy` looks the service up.
resource "google_cloud_run_service_iam_member" "status_viewers" {
  for_each = setunion(var.operators, var.status_invokers)

  project  = var.project_id
  location = var.region
  service  = google_cloudfunctions2_function.status.name
  role     = "roles/run.viewer"
  member   = each.value
}

# Who read a database: Cloud Audit Logs. The installation's own functions are left out; for
# storage.googleapis.com this resource replaces what the project had.
resource "google_project_iam_audit_config" "storage" {
  for_each = var.data_access_logs ? toset(["storage.googleapis.com"]) : toset([])

  project = var.project_id
  service = each.value

  dynamic "audit_log_config" {
    for_each = ["DATA_READ", "DATA_WRITE"]
    content {
      log_type         = audit_log_config.value
      exempted_members = concat(values(local.members), [for each in google_service_account.copy : each.member])
    }
  }
}

# --- building images ------------------------------------------------------------------------------

resource "google_service_account" "images" {
  project      = var.project_id
  account_id   = "${var.name}-images"
  display_name = "Almanac: builds the images of the functions"
}

resource "google_artifact_registry_repository_iam_member" "images" {
  project    = var.project_id
  location   = var.region
  repository = google_artifact_registry_repository.images.repository_id
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.images.member
}

resource "google_storage_bucket_iam_member" "images" {
  bucket = google_storage_bucket.sources.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.images.member
}

locals {
  # Cloud Functions copies the archive into a bucket of its own, and builds from there. With a key
  # the bucket's name ends in a hyphen and the key's hash.
  function_sources = "projects/_/buckets/gcf-v2-sources-${local.number}-${var.region}${var.kms_key == null ? "/" : "-"}"
  image_roles = {
    "roles/logging.logWriter"    = null
    "roles/storage.objectViewer" = "resource.name.startsWith(\"${local.function_sources}\")"
  }
}

resource "google_project_iam_member" "images" {
  for_each = local.image_roles

  project = var.project_id
  role    = each.key
  member  = google_service_account.images.member

  dynamic "condition" {
    for_each = each.value[*]
    content {
      title      = "sources"
      expression = condition.value
    }
  }
}

# --- deploying ------------------------------------------------------------------------------------

# What Cloud Build runs Terraform as, after a person has done so once. It can give itself nearly
# everything in the project: who may start its builds is the guard (docs/operations.md).
resource "google_service_account" "deploy" {
  project      = var.project_id
  account_id   = "${var.name}-deploy"
  display_name = "Almanac: deploys"
}

locals {
  deploy_roles = toset([
    "roles/artifactregistry.admin",
    "roles/cloudfunctions.admin",
    "roles/cloudscheduler.admin",
    "roles/iam.roleViewer",
    "roles/iam.serviceAccountAdmin",
    "roles/logging.configWriter",
    "roles/logging.logWriter",
    "roles/monitoring.editor",
    "roles/pubsub.admin",
    "roles/run.admin",
    "roles/serviceusage.serviceUsageAdmin",
  ])
  granted_roles = sort(distinct(concat(keys(local.image_roles), tolist(local.operator_roles), [local.trace_role])))
  # who deploys a function or a push subscription has to be allowed to act as its account
  deploys_as = merge(
    { for name, function in module.function : name => function.account },
    { for name, function in module.function : "${name} push" => function.push_account },
    { for name, account in google_service_account.called : name => account.name },
    { for name, account in google_service_account.copy : name => account.name },
    { status = google_service_account.status.name, poll = google_service_account.poll.name, images = google_service_account.images.name },
  )
}

resource "google_project_iam_member" "deploy" {
  for_each = local.deploy_roles

  project = var.project_id
  role    = each.value
  member  = google_service_account.deploy.member
}

# Of the project's rights it may give and take those of the images' account, of operators and of traces only;
# those of the builders themselves a person applies.
resource "google_project_iam_member" "deploy_grants" {
  project = var.project_id
  role    = "roles/resourcemanager.projectIamAdmin"
  member  = google_service_account.deploy.member
  condition {
    title      = "images and operators"
    expression = "api.getAttribute(\"iam.googleapis.com/modifiedGrantsByRole\", []).hasOnly([${join(", ", [for role in local.granted_roles : "\"${role}\""])}])"
  }
}

resource "google_service_account_iam_member" "deploy" {
  for_each = local.deploys_as

  service_account_id = each.value
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.deploy.member
}

resource "google_storage_bucket_iam_member" "deploy" {
  for_each = merge(
    { data = google_storage_bucket.data.name, sources = google_storage_bucket.sources.name },
    { for key, bucket in google_storage_bucket.copy : key => bucket.name },
  )

  bucket = each.value
  role   = "roles/storage.admin"
  member = google_service_account.deploy.member
}

# The account with which Cloud Build plans branches before review: it reads the configuration of
# resources, and no database. (A viewer of the project would read those too: buckets let them in.)
resource "google_service_account" "plan" {
  project      = var.project_id
  account_id   = "${var.name}-plan"
  display_name = "Almanac: plans deployments"
}

locals {
  plan_roles = toset([
    "roles/artifactregistry.reader",
    "roles/cloudfunctions.viewer",
    "roles/cloudscheduler.viewer",
    "roles/iam.roleViewer",
    "roles/iam.securityReviewer",
    "roles/iam.serviceAccountViewer",
    "roles/logging.logWriter",
    "roles/logging.viewer",
    "roles/monitoring.viewer",
    "roles/pubsub.viewer",
    "roles/run.viewer",
    "roles/serviceusage.serviceUsageViewer",
  ])
}

resource "google_project_iam_member" "plan" {
  for_each = local.plan_roles

  project = var.project_id
  role    = each.value
  member  = google_service_account.plan.member
}

# Google's roles that read managed folders read objects as well.
resource "google_project_iam_custom_role" "plan" {
  project     = var.project_id
  role_id     = "${var.name}PlanBuckets"
  title       = "Almanac: reads the configuration of buckets"
  description = "Buckets, managed folders and rights on them; no object"
  permissions = [
    "storage.buckets.get",
    "storage.buckets.getIamPolicy",
    "storage.managedFolders.get",
    "storage.managedFolders.getIamPolicy",
    "storage.objects.list",
  ]
}

resource "google_storage_bucket_iam_member" "plan" {
  for_each = merge(
    { data = google_storage_bucket.data.name, sources = google_storage_bucket.sources.name },
    { for key, bucket in google_storage_bucket.copy : key => bucket.name },
  )

  bucket = each.value
  role   = google_project_iam_custom_role.plan.name
  member = google_service_account.plan.member
}

resource "google_storage_bucket_iam_member" "plan_sources" {
  bucket = google_storage_bucket.sources.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.plan.member
}

# --- Terraform's state ----------------------------------------------------------------------------

# objectUser reads and writes the state; what is granted here is read and set by legacyBucketOwner.
resource "google_storage_bucket_iam_member" "state" {
  for_each = var.state_bucket == null ? {} : {
    deploy        = { role = "roles/storage.objectUser", member = google_service_account.deploy.member }
    deploy_rights = { role = "roles/storage.legacyBucketOwner", member = google_service_account.deploy.member }
    plan          = { role = "roles/storage.objectViewer", member = google_service_account.plan.member }
  }

  bucket = var.state_bucket
  role   = each.value.role
  member = each.value.member
}
