locals {
  soft_delete_days    = 7 # what was deleted or replaced by mistake can be had back for a week
  soft_delete_seconds = local.soft_delete_days * 86400
}

# totvsAppConfig_v2.json: Terraform puts it there once, the operator owns it from then on.
resource "google_storage_bucket" "config" {
  #checkov:skip=CKV_GCP_62:Cloud Audit Logs tell who changed the file; access logs would need one more bucket.
  name     = "${var.project_id}-smartlink-config"
  location = var.region

  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  versioning {
    enabled = true
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      num_newer_versions = 20
      with_state         = "ARCHIVED"
    }
  }

  soft_delete_policy {
    retention_duration_seconds = local.soft_delete_seconds
  }

  dynamic "encryption" {
    for_each = local.kms_key == null ? [] : [local.kms_key]
    content {
      default_kms_key_name = encryption.value
    }
  }

  lifecycle {
    prevent_destroy = true
  }

  depends_on = [google_project_service.api, google_kms_crypto_key_iam_member.agent]
}

resource "google_storage_bucket_object" "config" {
  name         = "totvsAppConfig_v2.json"
  bucket       = google_storage_bucket.config.name
  content      = file("${path.module}/files/totvsAppConfig_v2.json")
  content_type = "application/json"

  lifecycle {
    ignore_changes = all # the operator's later versions stay
  }
}

# Contents over 256 KB. An object lives as long as its message: the relay sets its custom time
# when the message has ended (or deletes it, if the command is personal), and once a day that of what
# no message refers to. Never by age: a dead message may wait for its operator for months.
resource "google_storage_bucket" "contents" {
  #checkov:skip=CKV_GCP_62:Cloud Audit Logs can be turned on for data access; access logs would repeat them.
  #checkov:skip=CKV_GCP_78:An object's name holds the hash of its content, so it is never changed; versions would only outlive an erasure.
  name     = "${var.project_id}-smartlink-contents"
  location = var.region

  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      days_since_custom_time = var.retention.history
    }
  }

  soft_delete_policy {
    retention_duration_seconds = local.soft_delete_seconds
  }

  dynamic "encryption" {
    for_each = local.kms_key == null ? [] : [local.kms_key]
    content {
      default_kms_key_name = encryption.value
    }
  }

  lifecycle {
    prevent_destroy = true
  }

  depends_on = [google_project_service.api, google_kms_crypto_key_iam_member.agent]
}

# The functions' source. Every version is in git too; a function that serves needs none of it.
resource "google_storage_bucket" "source" {
  #checkov:skip=CKV_GCP_62:Only Terraform and Cloud Build come here.
  #checkov:skip=CKV_GCP_78:An object's name holds the hash of its content, so it is never changed.
  name          = "${var.project_id}-smartlink-source"
  location      = var.region
  force_destroy = true

  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  dynamic "encryption" {
    for_each = local.kms_key == null ? [] : [local.kms_key]
    content {
      default_kms_key_name = encryption.value
    }
  }

  depends_on = [google_project_service.api, google_kms_crypto_key_iam_member.agent]
}

resource "google_storage_bucket_iam_member" "config" {
  for_each = setintersection(["poll", "poll_shard", "operate"], keys(local.functions))

  bucket = google_storage_bucket.config.name
  role   = "roles/storage.objectViewer" # with list: a missing file is then 404, not 403
  member = google_service_account.function[each.key].member
}

# Everybody stores, reads and ends contents, and poll lists them. Even publish, which only stores,
# must look at an object that is there already and replace one that is about to expire.
resource "google_storage_bucket_iam_member" "contents" {
  for_each = local.functions

  bucket = google_storage_bucket.contents.name
  role   = "roles/storage.objectUser"
  member = google_service_account.function[each.key].member
}
