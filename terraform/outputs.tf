output "project" {
  description = "Where this is deployed."
  value       = { id = var.project_id, environment = var.environment, region = var.region }
}

output "functions" {
  description = "The functions and their URLs."
  value       = { for function in google_cloudfunctions2_function.function : function.name => function.service_config[0].uri }
}

output "acceptance" {
  description = "The simulator's URL while an acceptance is on."
  value       = var.acceptance ? google_cloudfunctions2_function.simulator[0].service_config[0].uri : ""
}

output "commands" {
  description = "The commands, each with its topic."
  value       = { for command, entry in local.catalog.commands : command => entry.topic }
}

output "buckets" {
  description = "The buckets."
  value = {
    config   = google_storage_bucket.config.name
    contents = google_storage_bucket.contents.name
    source   = google_storage_bucket.source.name
  }
}

output "links" {
  description = "Where to look in the console."
  value = {
    console       = local.console_url
    dashboard     = local.dashboard_url
    alerts        = "https://console.cloud.google.com/monitoring/alerting?project=${var.project_id}"
    logs          = local.log_console
    log_errors    = local.log_queries.errors
    log_message   = local.log_queries.message
    log_tenant    = local.log_queries.tenant
    messages      = "https://console.cloud.google.com/firestore/databases/${var.firestore.database == "(default)" ? "-default-" : var.firestore.database}/data/panel/tenants?project=${var.project_id}"
    configuration = "https://console.cloud.google.com/storage/browser/${google_storage_bucket.config.name}?project=${var.project_id}"
    scheduler     = "https://console.cloud.google.com/cloudscheduler?project=${var.project_id}"
  }
}
