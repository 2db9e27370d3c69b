output "name" {
  description = "The function's name, and that of its service."
  value       = google_cloudfunctions2_function.this.name
}

output "url" {
  description = "Where it answers."
  value       = google_cloudfunctions2_function.this.service_config[0].uri
}
