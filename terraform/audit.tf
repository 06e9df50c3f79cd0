# What operators do is on record. Firestore's IAM cannot guard one collection, so the records lie in
# a database of their own, where operators may create, get and list, and nothing else: nobody whom
# this configuration lets in may change or delete one.

locals {
  # Whoever makes jobs and records acts: operators, the console, and what does the jobs' steps.
  operating = merge(
    { for member in var.operators : member => member },
    { for key in setintersection(["operate", "console"], keys(local.functions)) : key => google_service_account.function[key].member },
  )
}

resource "google_firestore_database" "audit" {
  name        = "smartlink-audit"
  location_id = google_firestore_database.messages.location_id
  type        = "FIRESTORE_NATIVE"

  delete_protection_state           = google_firestore_database.messages.delete_protection_state
  point_in_time_recovery_enablement = google_firestore_database.messages.point_in_time_recovery_enablement
  deletion_policy                   = "ABANDON"

  dynamic "cmek_config" {
    for_each = local.kms_key == null ? [] : [local.kms_key]
    content {
      kms_key_name = cmek_config.value
    }
  }

  lifecycle {
    prevent_destroy = true
  }

  depends_on = [google_project_service.api, google_kms_crypto_key_iam_member.agent]
}

resource "google_firestore_backup_schedule" "audit" {
  database  = google_firestore_database.audit.name
  retention = "${var.firestore.backup_days * 86400}s"

  daily_recurrence {}
}

resource "google_project_iam_custom_role" "audit" {
  role_id     = "smartlinkAuditor"
  title       = "Smart Link: records and reads what operators do"
  description = "Creates, gets and lists documents, and lists indexes; changes and deletes none."
  permissions = [
    "datastore.databases.get",
    "datastore.entities.create",
    "datastore.entities.get",
    "datastore.entities.list",
    "datastore.indexes.list",
  ]

  depends_on = [google_project_service.api]
}

resource "google_project_iam_member" "audit" {
  for_each = local.operating

  project = var.project_id
  role    = google_project_iam_custom_role.audit.id
  member  = each.value

  condition {
    title      = "only-the-audit"
    expression = "resource.name == \"projects/${var.project_id}/databases/${google_firestore_database.audit.name}\""
  }
}

# The messages, and not the audit: that is why an operator has no Datastore role on the project.
resource "google_project_iam_member" "operator" {
  for_each = var.operators

  project = var.project_id
  role    = "roles/datastore.user"
  member  = each.key

  condition {
    title      = "only-this-database"
    expression = "resource.name == \"projects/${var.project_id}/databases/${google_firestore_database.messages.name}\""
  }
}
