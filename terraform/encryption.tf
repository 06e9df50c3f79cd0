# With a key of the operator's own, each of Google's services that stores something for us must
# be allowed to use it; nobody else gets anything on the key.

locals {
  kms_key = var.encryption.kms_key == "" ? null : var.encryption.kms_key

  kms_agents = local.kms_key == null ? {} : {
    artifact_registry = "service-${data.google_project.this.number}@gcp-sa-artifactregistry.iam.gserviceaccount.com"
    cloud_functions   = "service-${data.google_project.this.number}@gcf-admin-robot.iam.gserviceaccount.com"
    cloud_run         = "service-${data.google_project.this.number}@serverless-robot-prod.iam.gserviceaccount.com"
    firestore         = "service-${data.google_project.this.number}@gcp-sa-firestore.iam.gserviceaccount.com"
    logging           = data.google_logging_project_cmek_settings.this[0].service_account_id
    pubsub            = "service-${data.google_project.this.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
    storage           = data.google_storage_project_service_account.this[0].email_address
  }
}

data "google_storage_project_service_account" "this" {
  count = local.kms_key == null ? 0 : 1
}

data "google_logging_project_cmek_settings" "this" {
  count = local.kms_key == null ? 0 : 1

  project = var.project_id
}

resource "google_kms_crypto_key_iam_member" "agent" {
  for_each = local.kms_agents

  crypto_key_id = local.kms_key
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = "serviceAccount:${each.value}"

  depends_on = [google_project_service.api]
}
