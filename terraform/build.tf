# How a function's source becomes a container: an account and a registry of our own, as the
# project's default build account has either far too many rights or none.

locals {
  functions_agent = "serviceAccount:service-${data.google_project.this.number}@gcf-admin-robot.iam.gserviceaccount.com"
}

data "archive_file" "functions" {
  type             = "zip"
  source_dir       = "${path.module}/../functions"
  output_path      = "${path.module}/.build/functions.zip"
  output_file_mode = "0644" # or the archive would depend on the umask of who checked it out
  excludes         = jsondecode(file("${path.module}/../infra/bundle.json")).excluded
}

# Named by its content: the same source is the same object, another source another one.
resource "google_storage_bucket_object" "functions" {
  name   = "functions-${data.archive_file.functions.output_sha256}.zip"
  bucket = google_storage_bucket.source.name
  source = data.archive_file.functions.output_path

  lifecycle {
    create_before_destroy = true # the functions' present source goes when the new one serves
  }
}

resource "google_artifact_registry_repository" "functions" {
  repository_id = "smartlink-functions"
  description   = "Images of the Smart Link functions, made by Cloud Build"
  location      = var.region
  format        = "DOCKER"
  kms_key_name  = local.kms_key

  cleanup_policies {
    id     = "keep-recent"
    action = "KEEP"
    most_recent_versions {
      keep_count = 5
    }
  }

  cleanup_policies {
    id     = "delete-old"
    action = "DELETE"
    condition {
      older_than = "30d"
    }
  }

  depends_on = [google_project_service.api, google_kms_crypto_key_iam_member.agent]
}

resource "google_service_account" "builder" {
  account_id   = "smartlink-build"
  display_name = "Smart Link: builds the functions"

  depends_on = [google_project_service.api]
}

resource "google_storage_bucket_iam_member" "builder_source" {
  bucket = google_storage_bucket.source.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.builder.member
}

# Cloud Functions hands the source over in a bucket that it makes itself at the first deployment:
# only a condition can name it beforehand.
resource "google_project_iam_member" "builder_handover" {
  project = var.project_id
  role    = "roles/storage.objectViewer"
  member  = google_service_account.builder.member

  condition {
    title      = "only-the-functions-source"
    expression = "resource.name.startsWith(\"projects/_/buckets/gcf-v2-sources-${data.google_project.this.number}-${var.region}\")"
  }
}

resource "google_artifact_registry_repository_iam_member" "builder" {
  location   = google_artifact_registry_repository.functions.location
  repository = google_artifact_registry_repository.functions.name
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.builder.member
}

# Cloud Functions looks at the repository before it builds; when several functions are made at once
# in a project that never had one, its own grants come too late.
resource "google_artifact_registry_repository_iam_member" "functions_agent" {
  location   = google_artifact_registry_repository.functions.location
  repository = google_artifact_registry_repository.functions.name
  role       = "roles/artifactregistry.reader"
  member     = local.functions_agent

  depends_on = [google_project_service.api]
}

# Entries are written to the project: there is no narrower resource to grant this on.
resource "google_project_iam_member" "builder_logs" {
  project = var.project_id
  role    = "roles/logging.logWriter"
  member  = google_service_account.builder.member
}
