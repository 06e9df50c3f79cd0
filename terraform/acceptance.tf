# The simulator of Smart Link and RAC, for one run of `make accept` (infra/README.md): it is there
# while `acceptance` is true, and for the tenant smartlink-acceptance alone. It holds no right, and
# answers 404 to whoever lacks the run's key, of which only the SHA-256 is known here.

locals {
  simulator = jsondecode(file("${path.module}/../infra/simulator_bundle.json"))
}

data "archive_file" "simulator" {
  count = var.acceptance ? 1 : 0

  type             = "zip"
  output_path      = "${path.module}/.build/simulator.zip"
  output_file_mode = "0644"

  dynamic "source" {
    for_each = local.simulator.files
    content {
      filename = source.key
      content  = file("${path.module}/../${source.value}")
    }
  }
}

resource "google_storage_bucket_object" "simulator" {
  count = var.acceptance ? 1 : 0

  name   = "simulator-${data.archive_file.simulator[0].output_sha256}.zip"
  bucket = google_storage_bucket.source.name
  source = data.archive_file.simulator[0].output_path
}

resource "google_service_account" "simulator" {
  count = var.acceptance ? 1 : 0

  account_id   = "smartlink-simulator"
  display_name = "Smart Link: runs smartlink-simulator, and has no rights"

  depends_on = [google_project_service.api]
}

resource "google_cloudfunctions2_function" "simulator" {
  #checkov:skip=CKV_GCP_124:Anybody may call it, for its callers' Authorization is not Google's; whoever lacks the run's key gets 404, and it is there for one run.
  count = var.acceptance ? 1 : 0

  name         = "smartlink-simulator"
  location     = var.region
  description  = "Smart Link: simulates Smart Link and RAC for one run of make accept"
  kms_key_name = local.kms_key

  build_config {
    runtime           = "python311"
    entry_point       = local.simulator.target
    docker_repository = google_artifact_registry_repository.functions.id
    service_account   = google_service_account.builder.id

    source {
      storage_source {
        bucket = google_storage_bucket.source.name
        object = google_storage_bucket_object.simulator[0].name
      }
    }
  }

  service_config {
    service_account_email = google_service_account.simulator[0].email
    timeout_seconds       = 60
    available_memory      = "512Mi"
    available_cpu         = "1"

    # Its state is the memory of its one instance.
    min_instance_count               = 0
    max_instance_count               = 1
    max_instance_request_concurrency = 40
    ingress_settings                 = "ALLOW_ALL"
    all_traffic_on_latest_revision   = true

    environment_variables = {
      SMARTLINK_ACCEPTANCE_DIGEST = var.acceptance_digest
      THREADS                     = "40"
    }
  }

  depends_on = [
    google_artifact_registry_repository_iam_member.builder,
    google_artifact_registry_repository_iam_member.functions_agent,
    google_project_iam_member.builder_handover,
    google_project_iam_member.builder_logs,
    google_storage_bucket_iam_member.builder_source,
  ]
}

resource "google_cloud_run_v2_service_iam_member" "simulator" {
  #checkov:skip=CKV_GCP_102:The run's key guards it: see the function.
  count = var.acceptance ? 1 : 0

  location = google_cloudfunctions2_function.simulator[0].location
  name     = google_cloudfunctions2_function.simulator[0].name
  role     = "roles/run.invoker"
  member   = "allUsers"
}
