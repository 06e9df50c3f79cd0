locals {
  firestore = jsondecode(file("${path.module}/../infra/firestore.json"))

  recovery_days = 7 # Firestore's own, where point-in-time recovery is on
}

resource "google_firestore_database" "messages" {
  name        = var.firestore.database
  location_id = var.firestore.location == "" ? var.region : var.firestore.location
  type        = "FIRESTORE_NATIVE"

  delete_protection_state           = var.firestore.delete_protection ? "DELETE_PROTECTION_ENABLED" : "DELETE_PROTECTION_DISABLED"
  point_in_time_recovery_enablement = var.firestore.point_in_time_recovery ? "POINT_IN_TIME_RECOVERY_ENABLED" : "POINT_IN_TIME_RECOVERY_DISABLED"
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

# Of both databases: in the audit, what was done to some tenants, for whoever may see these alone.
resource "google_firestore_index" "composite" {
  for_each = merge([
    for part in [
      { database = google_firestore_database.messages.name, indexes = local.firestore.indexes },
      { database = google_firestore_database.audit.name, indexes = local.firestore.audit.indexes },
      ] : {
      for index in part.indexes :
      join("/", concat([index.collectionGroup, index.queryScope], [for field in index.fields : field.fieldPath])) =>
      merge(index, { database = part.database })
    }
  ]...)

  database    = each.value.database
  collection  = each.value.collectionGroup
  query_scope = each.value.queryScope

  dynamic "fields" {
    for_each = each.value.fields
    content {
      field_path   = fields.value.fieldPath
      order        = try(fields.value.order, null)
      array_config = try(fields.value.arrayConfig, null)
    }
  }
}

# Before the audit's stood in infra/firestore.json.
moved {
  from = google_firestore_index.audit
  to   = google_firestore_index.composite["Auditoria/COLLECTION/Tenants/Data"]
}

# Exemptions (an empty list of indexes) and TTL policies.
resource "google_firestore_field" "override" {
  for_each = { for field in local.firestore.fieldOverrides : "${field.collectionGroup}/${field.fieldPath}" => field }

  database   = google_firestore_database.messages.name
  collection = each.value.collectionGroup
  field      = each.value.fieldPath

  index_config {
    dynamic "indexes" {
      for_each = each.value.indexes
      content {
        order        = try(indexes.value.order, null)
        array_config = try(indexes.value.arrayConfig, null)
        query_scope  = try(indexes.value.queryScope, null)
      }
    }
  }

  dynamic "ttl_config" {
    for_each = try(each.value.ttl, false) ? [true] : []
    content {}
  }
}

resource "google_firestore_backup_schedule" "daily" {
  database  = google_firestore_database.messages.name
  retention = "${var.firestore.backup_days * 86400}s"

  daily_recurrence {}
}
