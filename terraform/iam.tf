# Grants that belong to no single file; README.md has the table of all of them.

# Firestore has no policy of its own: the grant is the project's, the condition makes it this
# database's.
resource "google_project_iam_member" "firestore" {
  for_each = local.functions

  project = var.project_id
  role    = "roles/datastore.user"
  member  = google_service_account.function[each.key].member

  condition {
    title      = "only-this-database"
    expression = "resource.name == \"projects/${var.project_id}/databases/${google_firestore_database.messages.name}\""
  }
}
