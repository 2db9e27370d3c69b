# Least privilege: the rights are exactly these. What is not listed here is not granted; a resource
# that grants and is not known here is found by tests/infra/test_terraform.py.

mock_provider "google" {
  override_during = plan

  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }
  mock_resource "google_service_account" {
    defaults = {
      email  = "someone@almanac-test.iam.gserviceaccount.com"
      name   = "projects/almanac-test/serviceAccounts/someone@almanac-test.iam.gserviceaccount.com"
      member = "serviceAccount:someone@almanac-test.iam.gserviceaccount.com"
    }
  }
  # accounts that can be told apart
  override_resource {
    target = module.function["orchestrator"].google_service_account.runtime
    values = { member = "serviceAccount:orchestrator", name = "accounts/orchestrator" }
  }
  override_resource {
    target = module.function["shard"].google_service_account.runtime
    values = { member = "serviceAccount:shard", name = "accounts/shard" }
  }
  override_resource {
    target = module.function["merge"].google_service_account.runtime
    values = { member = "serviceAccount:merge", name = "accounts/merge" }
  }
  override_resource {
    target = module.function["campaign_change"].google_service_account.runtime
    values = { member = "serviceAccount:campaign_change", name = "accounts/campaign_change" }
  }
  override_resource {
    target = module.function["orchestrator"].google_service_account.push
    values = { member = "serviceAccount:orchestrator-push", name = "accounts/orchestrator-push" }
  }
  override_resource {
    target = module.function["shard"].google_service_account.push
    values = { member = "serviceAccount:shard-push", name = "accounts/shard-push" }
  }
  override_resource {
    target = module.function["merge"].google_service_account.push
    values = { member = "serviceAccount:merge-push", name = "accounts/merge-push" }
  }
  override_resource {
    target = module.function["campaign_change"].google_service_account.push
    values = { member = "serviceAccount:campaign_change-push", name = "accounts/campaign_change-push" }
  }
  override_resource {
    target = module.function["intake_events"].google_service_account.runtime
    values = { member = "serviceAccount:intake_events", name = "accounts/intake_events" }
  }
  override_resource {
    target = module.function["intake_events"].google_service_account.push
    values = { member = "serviceAccount:intake_events-push", name = "accounts/intake_events-push" }
  }
  override_resource {
    target = google_service_account.called["intake"]
    values = { member = "serviceAccount:intake", name = "accounts/intake" }
  }
  override_resource {
    target = google_service_account.called["webhooks"]
    values = { member = "serviceAccount:webhooks", name = "accounts/webhooks" }
  }
  override_resource {
    target = google_service_account.status
    values = { member = "serviceAccount:status", name = "accounts/status" }
  }
  override_resource {
    target = google_service_account.poll
    values = { member = "serviceAccount:poll", name = "accounts/poll", email = "poll@almanac-test.iam.gserviceaccount.com" }
  }
  override_resource {
    target = google_service_account.images
    values = { member = "serviceAccount:images", name = "accounts/images" }
  }
  override_resource {
    target = google_service_account.plan
    values = { member = "serviceAccount:plan", name = "accounts/plan" }
  }
  override_resource {
    target = google_service_account.deploy
    values = { member = "serviceAccount:deploy", name = "accounts/deploy" }
  }
  override_resource {
    target = google_project_iam_custom_role.plan
    values = { name = "projects/almanac-test/roles/almanacPlanBuckets" }
  }
  mock_resource "google_cloudfunctions2_function" {
    defaults = { service_config = { uri = "https://function-abc.a.run.app" } }
  }
}

variables {
  project_id     = "almanac-test"
  archive_folder = "tests/archives"
}

run "the_poll_calls_the_status_function_as_one_who_may" {
  command = plan

  assert {
    condition = (
      google_cloud_run_service_iam_member.poll.member == "serviceAccount:poll"
      && google_cloud_run_service_iam_member.poll.role == "roles/run.invoker"
      && google_cloud_run_service_iam_member.poll.service == google_cloudfunctions2_function.status.name
    )
    error_message = "The poll's account may not call the status function, or it may do more."
  }
  assert {
    condition = (
      google_cloud_scheduler_job.poll.http_target[0].uri == "https://function-abc.a.run.app/poll"
      && google_cloud_scheduler_job.poll.http_target[0].oidc_token[0].audience == "https://function-abc.a.run.app"
      && google_cloud_scheduler_job.poll.http_target[0].oidc_token[0].service_account_email == "poll@almanac-test.iam.gserviceaccount.com"
    )
    error_message = "The poll goes elsewhere, for another audience or as another account."
  }
  assert {
    condition = (
      google_cloud_scheduler_job.poll.schedule == "45 * * * *"
      && google_cloud_scheduler_job.poll.attempt_deadline == "315s"
      && google_cloud_scheduler_job.poll.retry_config[0].retry_count == 2
    )
    error_message = "The poll is not made each hour, or given up before the function ends."
  }
}

run "on_the_store" {
  command = plan

  assert {
    condition = toset([for key, grant in google_storage_bucket_iam_member.names : "${key} ${grant.role} ${grant.member}"]) == toset([
      for function in ["orchestrator", "shard", "merge", "campaign_change", "status", "intake_events", "intake", "webhooks"] : "${function} roles/storage.legacyBucketReader serviceAccount:${function}"
    ])
    error_message = "Others than the functions see the objects' names, or they see more."
  }
  assert {
    condition = toset([for key, grant in google_storage_managed_folder_iam_member.read : "${key} ${grant.role} ${grant.managed_folder} ${grant.member}"]) == toset([
      for function in ["orchestrator", "shard", "merge", "campaign_change"] : "${function} roles/storage.objectViewer orgs/ serviceAccount:${function}"
    ])
    error_message = "Others than the four functions read everything of organizations."
  }
  assert {
    condition = toset([for key, grant in google_storage_managed_folder_iam_member.reject : "${key} ${grant.role} ${grant.managed_folder} ${grant.member}"]) == toset([
      for function in ["orchestrator", "shard", "merge", "campaign_change", "intake_events"] : "${function} roles/storage.objectUser rejected/ serviceAccount:${function}"
    ])
    error_message = "Others than the five functions write down what they reject."
  }
  assert {
    condition = { for key, grant in google_storage_bucket_iam_member.write : key => "${grant.member} ${grant.role} ${grant.condition[0].expression}" } == {
      for key in ["orchestrator runs", "shard runs", "merge runs", "campaign_change runs", "merge inbox", "merge versions"] : key => join(" ", ["serviceAccount:${split(" ", key)[0]}", "roles/storage.objectUser", {
        runs     = "resource.name.extract(\"/objects/orgs/{org}/runs/\") != \"\" || resource.name.extract(\"/objects/orgs/{org}/changes/\") != \"\" || (resource.name.startsWith(\"projects/_/buckets/almanac-test-almanac-data/objects/orgs/\") && resource.name.endsWith(\"/lease.json\"))"
        inbox    = "resource.name.extract(\"/objects/orgs/{org}/inbox/\") != \"\""
        versions = "resource.name.extract(\"/objects/orgs/{org}/versions/\") != \"\" || (resource.name.startsWith(\"projects/_/buckets/almanac-test-almanac-data/objects/orgs/\") && (resource.name.endsWith(\"/current.json\") || resource.name.endsWith(\"/summary.json\")))"
      }[split(" ", key)[1]]])
    }
    error_message = "A function may write something else of organizations than it does."
  }
  assert {
    condition = { for key, grant in google_storage_bucket_iam_member.inlet_writes : key => "${grant.member} ${grant.role} ${grant.condition[0].expression}" } == {
      for function in ["intake_events", "intake", "webhooks"] : function => "serviceAccount:${function} roles/storage.objectCreator resource.name.extract(\"/objects/orgs/{org}/inbox/\") != \"\""
    }
    error_message = "What comes in is written elsewhere than into the inbox, or overwrites something."
  }
  assert {
    condition = { for key, grant in google_storage_bucket_iam_member.inlet_reads : key => "${grant.member} ${grant.role} ${grant.condition[0].expression}" } == {
      for function in ["intake_events", "intake", "webhooks"] : function => "serviceAccount:${function} roles/storage.objectViewer resource.name.startsWith(\"projects/_/buckets/almanac-test-almanac-data/objects/orgs/\") && (resource.name.endsWith(\"/current.json\") || resource.name.endsWith(\"/config.yaml\"))"
    }
    error_message = "A function that takes events reads more than whether there is an organization."
  }
  assert {
    condition = (
      google_storage_bucket_iam_member.status.role == "roles/storage.objectViewer"
      && google_storage_bucket_iam_member.status.member == "serviceAccount:status"
      && google_storage_bucket_iam_member.status.condition[0].expression
      == "resource.name.startsWith(\"projects/_/buckets/almanac-test-almanac-data/objects/orgs/\") && (resource.name.endsWith(\".json\") || resource.name.endsWith(\".html\") || resource.name.endsWith(\".csv\") || resource.name.endsWith(\"/config.yaml\"))"
    )
    error_message = "The status function may read something else than documents."
  }
  assert {
    condition     = google_storage_managed_folder.organizations.name == "orgs/" && google_storage_managed_folder.rejected.name == "rejected/"
    error_message = "The managed folders are not those of almanac.storage.layout."
  }
}

run "on_topics" {
  command = plan

  assert {
    condition = toset([for key, grant in google_pubsub_topic_iam_member.publish : "${grant.member} ${key}: ${grant.role} ${grant.topic}"]) == toset(concat(
      [for topic in ["run-requests", "shard-tasks", "shard-results", "campaign-changes"] : "serviceAccount:orchestrator orchestrator ${topic}: roles/pubsub.publisher almanac-${topic}"],
      [for topic in ["run-requests", "shard-tasks", "shard-results", "campaign-changes"] : "serviceAccount:merge merge ${topic}: roles/pubsub.publisher almanac-${topic}"],
      [for topic in ["run-requests", "shard-tasks", "shard-results", "campaign-changes"] : "serviceAccount:campaign_change campaign_change ${topic}: roles/pubsub.publisher almanac-${topic}"],
      [for function in ["intake", "intake_events"] : "serviceAccount:${function} ${function} run-requests: roles/pubsub.publisher almanac-run-requests"],
      [for topic in ["run-requests", "shard-results", "campaign-changes"] : "serviceAccount:shard shard ${topic}: roles/pubsub.publisher almanac-${topic}"],
    ))
    error_message = "A function may publish something else than it does."
  }
}

run "of_those_who_build_and_deploy" {
  command = plan

  assert {
    condition     = toset([for grant in google_project_iam_member.images : "${grant.member} ${grant.role}"]) == toset(["serviceAccount:images roles/logging.logWriter", "serviceAccount:images roles/storage.objectViewer"])
    error_message = "The account that builds images has other rights in the project."
  }
  assert {
    condition     = google_project_iam_member.images["roles/storage.objectViewer"].condition[0].expression == "resource.name.startsWith(\"projects/_/buckets/gcf-v2-sources-123456789012-us-central1/\")"
    error_message = "The account that builds images reads more than sources."
  }
  assert {
    condition = (
      google_artifact_registry_repository_iam_member.images.role == "roles/artifactregistry.writer"
      && google_storage_bucket_iam_member.images.role == "roles/storage.objectViewer"
      && google_artifact_registry_repository_iam_member.images.member == "serviceAccount:images"
      && google_storage_bucket_iam_member.images.member == "serviceAccount:images"
      && google_storage_bucket_iam_member.images.bucket == "almanac-test-almanac-sources"
    )
    error_message = "The account that builds images may do something else than build images."
  }
  assert {
    condition = toset([for grant in google_project_iam_member.deploy : grant.role if grant.member == "serviceAccount:deploy"]) == toset([
      "roles/artifactregistry.admin", "roles/cloudfunctions.admin", "roles/cloudscheduler.admin", "roles/iam.roleViewer", "roles/iam.serviceAccountAdmin",
      "roles/logging.configWriter", "roles/logging.logWriter", "roles/monitoring.editor", "roles/pubsub.admin", "roles/run.admin",
      "roles/serviceusage.serviceUsageAdmin",
    ])
    error_message = "The deploy account has other rights in the project."
  }
  assert {
    condition = (
      google_project_iam_member.deploy_grants.role == "roles/resourcemanager.projectIamAdmin"
      && google_project_iam_member.deploy_grants.condition[0].expression
      == "api.getAttribute(\"iam.googleapis.com/modifiedGrantsByRole\", []).hasOnly([\"roles/cloudscheduler.admin\", \"roles/logging.logWriter\", \"roles/logging.viewer\", \"roles/monitoring.viewer\", \"roles/storage.objectViewer\", \"roles/telemetry.tracesWriter\"])"
    )
    error_message = "The deploy account may grant other rights in the project than those of the images' account, of operators and of traces."
  }
  assert {
    condition = toset([for grant in google_service_account_iam_member.deploy : "${grant.member} ${grant.role} ${grant.service_account_id}"]) == toset([
      for account in ["orchestrator", "orchestrator-push", "shard", "shard-push", "merge", "merge-push", "campaign_change", "campaign_change-push", "intake_events", "intake_events-push", "intake", "webhooks", "status", "poll", "images"] : "serviceAccount:deploy roles/iam.serviceAccountUser accounts/${account}"
    ])
    error_message = "The deploy account acts for others than the functions and their images."
  }
  assert {
    condition     = toset([for grant in google_storage_bucket_iam_member.deploy : "${grant.role} ${grant.bucket}"]) == toset(["roles/storage.admin almanac-test-almanac-data", "roles/storage.admin almanac-test-almanac-sources"])
    error_message = "The deploy account has rights on other buckets than the installation's two."
  }
  assert {
    condition = toset([for grant in google_project_iam_member.plan : grant.role if grant.member == "serviceAccount:plan"]) == toset([
      "roles/artifactregistry.reader", "roles/cloudfunctions.viewer", "roles/cloudscheduler.viewer", "roles/iam.roleViewer", "roles/iam.securityReviewer",
      "roles/iam.serviceAccountViewer", "roles/logging.logWriter", "roles/logging.viewer", "roles/monitoring.viewer", "roles/pubsub.viewer",
      "roles/run.viewer", "roles/serviceusage.serviceUsageViewer",
    ])
    error_message = "The account that plans has other rights in the project."
  }
  assert {
    condition = toset([for grant in concat(values(google_storage_bucket_iam_member.plan), [google_storage_bucket_iam_member.plan_sources]) : "${grant.member} ${grant.role} ${grant.bucket}"]) == toset([
      "serviceAccount:plan projects/almanac-test/roles/almanacPlanBuckets almanac-test-almanac-data",
      "serviceAccount:plan projects/almanac-test/roles/almanacPlanBuckets almanac-test-almanac-sources",
      "serviceAccount:plan roles/storage.objectViewer almanac-test-almanac-sources",
    ])
    error_message = "The account that plans reads databases."
  }
  assert {
    condition = google_project_iam_custom_role.plan.permissions == toset([
      "storage.buckets.get", "storage.buckets.getIamPolicy", "storage.managedFolders.get", "storage.managedFolders.getIamPolicy", "storage.objects.list",
    ])
    error_message = "The account that plans may do something else to buckets than read their configuration."
  }
  assert {
    condition     = length(google_storage_bucket_iam_member.state) == 0
    error_message = "There is a right on a bucket that was not named."
  }
}

run "of_operators" {
  command = plan
  variables {
    operators       = ["group:operators@example.com"]
    status_invokers = ["serviceAccount:checks@example.iam.gserviceaccount.com"]
    state_bucket    = "almanac-state"
  }

  assert {
    condition = toset(concat(
      [for grant in google_storage_bucket_iam_member.operators : "${grant.member} ${grant.role}"],
      [for grant in google_storage_managed_folder_iam_member.operators : "${grant.member} ${grant.role} ${grant.managed_folder}"],
      [for grant in google_storage_managed_folder_iam_member.operators_rejected : "${grant.member} ${grant.role} ${grant.managed_folder}"],
      [for grant in google_pubsub_topic_iam_member.operators : "${grant.member} ${grant.role} ${grant.topic}"],
      [for grant in google_pubsub_subscription_iam_member.operators : "${grant.member} ${grant.role} ${grant.subscription}"],
      [for grant in google_cloud_run_service_iam_member.status : "${grant.member} ${grant.role} ${grant.service}"],
      [for grant in google_cloud_run_service_iam_member.status_viewers : "${grant.member} ${grant.role} ${grant.service}"],
      [for grant in google_project_iam_member.operators : "${grant.member} ${grant.role}"],
      )) == toset([
      "group:operators@example.com roles/cloudscheduler.admin",
      "group:operators@example.com roles/logging.viewer",
      "group:operators@example.com roles/monitoring.viewer",
      "group:operators@example.com roles/storage.legacyBucketReader",
      "group:operators@example.com roles/storage.objectUser orgs/",
      "group:operators@example.com roles/storage.objectViewer rejected/",
      "group:operators@example.com roles/pubsub.publisher almanac-run-requests",
      "group:operators@example.com roles/pubsub.publisher almanac-shard-tasks",
      "group:operators@example.com roles/pubsub.publisher almanac-shard-results",
      "group:operators@example.com roles/pubsub.publisher almanac-campaign-changes",
      "group:operators@example.com roles/pubsub.publisher almanac-intake",
      "group:operators@example.com roles/pubsub.subscriber almanac-dead-letters",
      "group:operators@example.com roles/run.invoker almanac-status",
      "serviceAccount:checks@example.iam.gserviceaccount.com roles/run.invoker almanac-status",
      "group:operators@example.com roles/run.viewer almanac-status",
      "serviceAccount:checks@example.iam.gserviceaccount.com roles/run.viewer almanac-status",
    ])
    error_message = "Operators may do something else than they have to."
  }
  assert {
    condition = toset([for grant in google_storage_bucket_iam_member.state : "${grant.member} ${grant.role} ${grant.bucket}"]) == toset([
      "serviceAccount:deploy roles/storage.objectUser almanac-state", "serviceAccount:deploy roles/storage.legacyBucketOwner almanac-state",
      "serviceAccount:plan roles/storage.objectViewer almanac-state",
    ])
    error_message = "Others than the deploy account write Terraform's state, or it cannot."
  }
}

run "who_read_a_database_is_logged" {
  command = plan
  variables {
    data_access_logs = true
  }

  assert {
    condition = (
      toset([for log in google_project_iam_audit_config.storage["storage.googleapis.com"].audit_log_config : log.log_type]) == toset(["DATA_READ", "DATA_WRITE"])
      && alltrue([for log in google_project_iam_audit_config.storage["storage.googleapis.com"].audit_log_config : log.exempted_members == toset([for function in ["orchestrator", "shard", "merge", "campaign_change", "intake_events", "intake", "webhooks", "status"] : "serviceAccount:${function}"])])
    )
    error_message = "Who reads and writes databases is not logged, or others than the functions are left out."
  }
}

run "nothing_is_logged_without_being_asked" {
  command = plan
  assert {
    condition     = length(google_project_iam_audit_config.storage) == 0
    error_message = "The project's audit logs are replaced unasked."
  }
}

run "images_are_built_from_the_sources_of_a_key" {
  command = plan
  variables {
    kms_key = "projects/keys/locations/us-central1/keyRings/almanac/cryptoKeys/almanac"
  }
  assert {
    condition     = google_project_iam_member.images["roles/storage.objectViewer"].condition[0].expression == "resource.name.startsWith(\"projects/_/buckets/gcf-v2-sources-123456789012-us-central1-\")"
    error_message = "With a key the name of Cloud Functions' bucket ends in the key's hash, and the build cannot read it."
  }
}
