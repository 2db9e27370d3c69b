output "environment" {
  description = "The settings with which the command line works on this installation."
  value       = { for key in ["ALMANAC_STORE", "ALMANAC_PROJECT", "ALMANAC_TOPIC_PREFIX"] : key => local.environment[key] }
}

output "data_bucket" {
  description = "The bucket of the databases."
  value       = google_storage_bucket.data.name
}

output "copy_bucket" {
  description = "The bucket of the copy; null: there is none."
  value       = one([for bucket in google_storage_bucket.copy : bucket.name])
}

output "source_bucket" {
  description = "The bucket of the source archives."
  value       = google_storage_bucket.sources.name
}

output "topics" {
  description = "The topics' names in the cloud."
  value       = { for topic, resource in google_pubsub_topic.this : topic => resource.name }
}

output "dead_letter_subscription" {
  description = "The subscription that keeps dead letters."
  value       = google_pubsub_subscription.dead_letters.name
}

output "functions" {
  description = "The functions' names in the cloud."
  value       = merge({ for name, function in module.function : name => function.name }, { for name, function in module.http : name => function.name }, { status = google_cloudfunctions2_function.status.name })
}

output "status_url" {
  description = "Where the status function answers those who may call it."
  value       = google_cloudfunctions2_function.status.service_config[0].uri
}

output "intake_url" {
  description = "Where the function intake takes events from those who may post them."
  value       = module.http["intake"].url
}

output "webhooks_url" {
  description = "Where providers call the function webhooks; null while it is closed."
  value       = var.webhooks == null ? null : local.called.webhooks.environment.ALMANAC_WEBHOOK_URL
}

output "deploy_account" {
  description = "The account that Cloud Build deploys as."
  value       = google_service_account.deploy.email
}

output "plan_account" {
  description = "The account that Cloud Build plans as."
  value       = google_service_account.plan.email
}

output "service_agents" {
  description = "Google's accounts that have to be allowed to use kms_key, where one is given."
  value       = local.agents
}
