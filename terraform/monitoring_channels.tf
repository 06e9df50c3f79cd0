resource "google_monitoring_notification_channel" "email" {
  for_each = var.alerts.emails

  display_name = "Smart Link: ${each.key}"
  type         = "email"

  labels = {
    email_address = each.key
  }

  depends_on = [google_project_service.api]
}

locals {
  channels = concat([for channel in google_monitoring_notification_channel.email : channel.id], tolist(var.alerts.channels))
}
