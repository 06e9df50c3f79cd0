locals {
  # One for all: what each function needs of it, settings.py says.
  environment = merge(
    { for name, value in var.settings : "SMARTLINK_${upper(name)}" => value },
    {
      # Cloud Storage's client would ask for the bucket once more, for traces that nobody makes.
      DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA = "true"
      # pydantic has none here, and to look for them is to read every package's metadata.
      PYDANTIC_DISABLE_PLUGINS = "__all__"

      GOOGLE_CLOUD_PROJECT         = var.project_id
      SMARTLINK_ENVIRONMENT        = var.environment
      SMARTLINK_CATALOG            = jsonencode(local.catalog)
      SMARTLINK_CONFIG_URI         = "gs://${google_storage_bucket.config.name}/${google_storage_bucket_object.config.name}"
      SMARTLINK_CONTENTS_BUCKET    = google_storage_bucket.contents.name
      SMARTLINK_FIRESTORE_DATABASE = google_firestore_database.messages.name
      SMARTLINK_HISTORY_DAYS       = tostring(var.retention.history)
      SMARTLINK_REDRIVE_DAYS       = tostring(var.retention.redrive)

      # Until when copies live on: answers and reports tell it.
      SMARTLINK_BACKUP_DAYS      = tostring(var.firestore.backup_days)
      SMARTLINK_RECOVERY_DAYS    = tostring(var.firestore.point_in_time_recovery ? local.recovery_days : 0)
      SMARTLINK_SOFT_DELETE_DAYS = tostring(local.soft_delete_days)
      SMARTLINK_TOPIC_DAYS       = tostring(local.topic_days)
      SMARTLINK_DEAD_LETTER_DAYS = tostring(var.retention.dead_letter)
    },
    var.smart_link.base_url == "" ? {} : { SMARTLINK_BASE_URL = var.smart_link.base_url },
    var.smart_link.rac_token_url == "" ? {} : { SMARTLINK_RAC_TOKEN_URL = var.smart_link.rac_token_url },
    var.smart_link.unknown_command == "keep" ? {} : { SMARTLINK_UNKNOWN_COMMAND = var.smart_link.unknown_command },
    length(var.smart_link.paths) == 0 ? {} : { SMARTLINK_PATHS = jsonencode(var.smart_link.paths) },
  )
}

locals {
  # The one place that decides who may do what: operations/rights.py reads it.
  roles = merge(
    { for member in var.operators : lower(trimprefix(member, "user:")) => { operator = ["*"] } if startswith(member, "user:") },
    { for account, roles in var.roles : account => { for role, tenants in roles : role => tenants if length(tenants) > 0 } },
  )
}

resource "google_service_account" "function" {
  for_each = local.functions

  account_id   = each.value.account
  display_name = "Smart Link: runs ${each.value.name}"

  depends_on = [google_project_service.api]
}

resource "google_cloudfunctions2_function" "function" {
  #checkov:skip=CKV_GCP_124:All functions are internal; publish too, unless the operator opens it to callers with an identity token (var.publish.ingress); the console, if it is deployed, is behind IAP.
  for_each = local.functions

  name         = each.value.name
  location     = var.region
  description  = each.value.command == "" ? "Smart Link: ${each.key}" : "Smart Link: consumes ${each.value.command}"
  kms_key_name = local.kms_key

  build_config {
    # The lowest version that the project supports, and the one that the gate tests. Every
    # dependency is locked for it.
    runtime           = "python311"
    entry_point       = each.value.target
    docker_repository = google_artifact_registry_repository.functions.id
    service_account   = google_service_account.builder.id

    source {
      storage_source {
        bucket = google_storage_bucket.source.name
        object = google_storage_bucket_object.functions.name
      }
    }
  }

  service_config {
    service_account_email = google_service_account.function[each.key].email
    timeout_seconds       = each.value.timeout
    available_memory      = "${each.value.memory}Mi"

    available_cpu                    = tostring(local.cpu[each.key])
    max_instance_request_concurrency = each.value.concurrency
    min_instance_count               = each.value.instances.min
    max_instance_count               = each.value.instances.max
    ingress_settings                 = each.value.ingress
    all_traffic_on_latest_revision   = true

    vpc_connector                 = each.value.erp ? local.connector : null
    vpc_connector_egress_settings = each.value.erp && local.connector_used ? var.network.egress : null

    environment_variables = merge(
      local.environment,
      # functions-framework serves a call by a thread: one for each call that may come at once.
      { THREADS = tostring(max(4, each.value.concurrency)) },
      each.value.command == "" ? {} : { SMARTLINK_COMMAND = each.value.command },
      contains(["operate", "console"], each.key) ? { SMARTLINK_ROLES = jsonencode(local.roles) } : {},
      each.key == "console" ? {
        SMARTLINK_IAP_AUDIENCE  = "/projects/${data.google_project.this.number}/locations/${var.region}/services/${each.value.name}"
        SMARTLINK_CONSOLE_HOSTS = "${var.region}-${var.project_id}.cloudfunctions.net"
        SMARTLINK_CONSOLE_ZONE  = var.console.zone
        # The exemptions are many, and no query needs them.
        SMARTLINK_INDEXES = jsonencode(merge(local.firestore, {
          fieldOverrides = [for field in local.firestore.fieldOverrides : field if length(field.indexes) > 0]
        }))
      } : {},
      # Those that call Smart Link learn where the acceptance's own tenant has it, and nothing else.
      !var.acceptance || !contains(["poll", "poll_shard"], each.key) ? {} : {
        SMARTLINK_ACCEPTANCE_URL = google_cloudfunctions2_function.simulator[0].service_config[0].uri
      },
    )
  }

  lifecycle {
    precondition {
      condition     = length(distinct([for function in local.functions : function.name])) == length(local.functions)
      error_message = "Two topics of the catalogue differ only by smartlink- in front or -command behind: rename one."
    }

    precondition {
      condition     = length(jsonencode(local.catalog)) <= 30000
      error_message = "The catalogue is too long for an environment variable (30,000 characters): split the deployment."
    }

    precondition {
      condition     = local.cpus_at_most <= var.cpus
      error_message = "All maxima of instances together need more CPUs than `cpus` allows (${local.cpus_at_most} of ${var.cpus}): lower `instances` or the catalogue's `maxInstances`, or raise the region's quota and then `cpus`."
    }

    precondition {
      condition     = each.value.timeout <= 600
      error_message = "A function's time-out must not exceed 600 s, the longest ack deadline of a push."
    }
  }

  # Without these a build or a first call would fail; the other grants take effect meanwhile.
  depends_on = [
    google_artifact_registry_repository_iam_member.builder,
    google_artifact_registry_repository_iam_member.functions_agent,
    google_firestore_field.override,
    google_firestore_index.composite,
    google_project_iam_member.builder_handover,
    google_project_iam_member.builder_logs,
    google_storage_bucket_iam_member.builder_source,
  ]
}

# Scheduler's account for poll; one pusher for each function that Pub/Sub calls, so that none of
# them can call another's function.
resource "google_service_account" "invoker" {
  for_each = local.called

  account_id   = each.value.invoker
  display_name = "Smart Link: calls ${each.value.name}"

  depends_on = [google_project_service.api]
}

resource "google_cloud_run_v2_service_iam_member" "invoker" {
  for_each = local.called

  location = google_cloudfunctions2_function.function[each.key].location
  name     = google_cloudfunctions2_function.function[each.key].name
  role     = "roles/run.invoker"
  member   = google_service_account.invoker[each.key].member
}

resource "google_cloud_run_v2_service_iam_member" "publisher" {
  for_each = var.publish.invokers

  location = google_cloudfunctions2_function.function["publish"].location
  name     = google_cloudfunctions2_function.function["publish"].name
  role     = "roles/run.invoker"
  member   = each.key
}
