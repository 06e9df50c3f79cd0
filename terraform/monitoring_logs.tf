# Logs of the functions go into a bucket of their own: with its retention, and out of _Default,
# where they would be stored, and paid, a second time. No line holds a secret or a content.

locals {
  relay_logs = "(${local.log_source}) OR (resource.type=\"cloud_scheduler_job\" AND resource.labels.job_id=\"smartlink-poll\")"
  log_view   = "projects/${var.project_id}/locations/${var.region}/buckets/${google_logging_project_bucket_config.smartlink.bucket_id}/views/_AllLogs"

  # Logs Explorer, on this bucket; `replace` as it takes a + for a plus.
  log_explorer = "https://console.cloud.google.com/logs/query;storageScope=storage,${urlencode(local.log_view)}"
  log_console  = "${local.log_explorer}?project=${var.project_id}"
  log_queries = {
    for name, query in {
      errors  = "severity>=ERROR"
      message = "jsonPayload.messageId=\"MESSAGE_ID\" OR jsonPayload.document=(\"D-MESSAGE_ID\" OR \"U-MESSAGE_ID\")"
      tenant  = "jsonPayload.tenant=\"TENANT\""
    } : name => "${local.log_explorer};query=${replace(urlencode(query), "+", "%20")}?project=${var.project_id}"
  }
}

resource "google_logging_project_bucket_config" "smartlink" {
  project        = var.project_id
  location       = var.region
  bucket_id      = "smartlink"
  description    = "Logs of the Smart Link functions"
  retention_days = var.retention.logs

  # What people look a message up by.
  index_configs {
    field_path = "jsonPayload.messageId"
    type       = "INDEX_TYPE_STRING"
  }

  index_configs {
    field_path = "jsonPayload.tenant"
    type       = "INDEX_TYPE_STRING"
  }

  dynamic "cmek_settings" {
    for_each = local.kms_key == null ? [] : [local.kms_key]
    content {
      kms_key_name = cmek_settings.value
    }
  }

  depends_on = [google_project_service.api, google_kms_crypto_key_iam_member.agent]
}

resource "google_logging_project_sink" "smartlink" {
  name        = "smartlink"
  description = "Logs of the Smart Link functions, without Cloud Run's line for each call that went well"
  destination = "logging.googleapis.com/${google_logging_project_bucket_config.smartlink.id}"
  filter      = local.relay_logs

  # A bucket of the same project needs no writer's grant; the account is unused.
  unique_writer_identity = true

  exclusions {
    name        = "calls-that-went-well"
    description = "The functions' own lines say more, and Cloud Run's metrics count every call"
    filter      = "log_id(\"run.googleapis.com/requests\") AND httpRequest.status<400"
  }
}

# Metrics are counted from what is excluded here, too.
resource "google_logging_project_exclusion" "default_bucket" {
  name        = "smartlink-has-its-own-bucket"
  description = "The sink smartlink keeps these"
  filter      = local.relay_logs

  depends_on = [google_logging_project_sink.smartlink]
}
