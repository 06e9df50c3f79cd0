# Laid over the configuration by `make destroy`, beside retirement.tf: lifts the protections that
# are left from what it deletes.

resource "google_firestore_database" "messages" {
  delete_protection_state = "DELETE_PROTECTION_DISABLED"
  deletion_policy         = "DELETE"

  lifecycle {
    prevent_destroy = false
  }
}

resource "google_firestore_database" "audit" {
  delete_protection_state = "DELETE_PROTECTION_DISABLED"
  deletion_policy         = "DELETE"

  lifecycle {
    prevent_destroy = false
  }
}

resource "google_storage_bucket" "config" {
  force_destroy = true

  lifecycle {
    prevent_destroy = false
  }
}

resource "google_storage_bucket" "contents" {
  force_destroy = true

  lifecycle {
    prevent_destroy = false
  }
}
