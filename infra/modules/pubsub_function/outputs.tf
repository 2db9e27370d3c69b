output "name" {
  description = "The function's name, and that of its service and its subscription."
  value       = google_cloudfunctions2_function.this.name
}

output "member" {
  description = "The account that it runs as, as a member."
  value       = google_service_account.runtime.member
}

output "email" {
  description = "The account that it runs as."
  value       = google_service_account.runtime.email
}

output "account" {
  description = "The account that it runs as, as a resource."
  value       = google_service_account.runtime.name
}

output "push_account" {
  description = "The account that it is called as, as a resource."
  value       = google_service_account.push.name
}

output "metrics" {
  description = "Its metrics: deliveries by outcome, and how long they took."
  value = {
    deliveries = google_logging_metric.deliveries.name
    seconds    = google_logging_metric.seconds.name
  }
}

output "environment" {
  description = "The settings that it runs with."
  value       = var.environment
}
