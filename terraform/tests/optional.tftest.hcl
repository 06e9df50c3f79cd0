# Optional parts, off and on.

mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }
  mock_data "google_logging_project_cmek_settings" {
    defaults = { service_account_id = "cmek-p123456789012@gcp-sa-logging.iam.gserviceaccount.com" }
  }
  mock_data "google_storage_project_service_account" {
    defaults = { email_address = "service-123456789012@gs-project-accounts.iam.gserviceaccount.com" }
  }
}

# Each variable, so that no tfvars given to the run changes what is tested here.
variables {
  project_id  = "smartlink-test"
  environment = "development"
  region      = "southamerica-east1"
  labels      = {}
  polling     = true
  instances   = {}
  cpus        = 20
  operators   = []
  publish     = {}
  roles       = {}
  smart_link  = {}
  settings    = {}
  retention   = {}
  firestore   = {}
  network     = {}
  encryption  = {}
  alerts      = {}
  console     = {}

  acceptance        = false
  acceptance_digest = ""
}

run "all_off" {
  command = plan

  assert {
    condition     = length(google_vpc_access_connector.erp) == 0 && length(google_kms_crypto_key_iam_member.agent) == 0
    error_message = "No connector and no key unless asked for."
  }

  assert {
    condition     = length(google_cloud_run_v2_service_iam_member.publisher) == 0 && length(google_monitoring_notification_channel.email) == 0
    error_message = "Nobody calls publish and nobody is told unless asked for."
  }

  assert {
    condition     = alltrue([for function in google_cloudfunctions2_function.function : function.service_config[0].vpc_connector == null && function.service_config[0].ingress_settings == "ALLOW_INTERNAL_ONLY"])
    error_message = "Functions are internal, without a connector."
  }

  assert {
    condition     = length(google_storage_bucket.contents.encryption) == 0 && alltrue([for topic in google_pubsub_topic.push : topic.kms_key_name == null])
    error_message = "Google's keys encrypt."
  }

  assert {
    condition     = length(setintersection(keys(google_project_service.api), ["cloudkms.googleapis.com", "vpcaccess.googleapis.com"])) == 0
    error_message = "What is not used is not enabled."
  }

  assert {
    condition     = google_cloud_scheduler_job.poll.paused == false
    error_message = "It polls."
  }

  assert {
    condition = (
      length(google_cloudfunctions2_function.simulator) + length(google_cloud_run_v2_service_iam_member.simulator) +
      length(google_service_account.simulator) + length(google_storage_bucket_object.simulator) == 0 &&
      alltrue([for function in google_cloudfunctions2_function.function : !contains(keys(function.service_config[0].environment_variables), "SMARTLINK_ACCEPTANCE_URL")])
    )
    error_message = "No simulator, and nobody is led to one."
  }
}

run "acceptance" {
  command = plan

  variables {
    acceptance        = true
    acceptance_digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
  }

  assert {
    condition = (
      google_cloudfunctions2_function.simulator[0].service_config[0].max_instance_count == 1 &&
      google_cloudfunctions2_function.simulator[0].service_config[0].ingress_settings == "ALLOW_ALL" &&
      google_cloud_run_v2_service_iam_member.simulator[0].member == "allUsers"
    )
    error_message = "One instance of the simulator, for whoever has the key."
  }

  assert {
    condition     = google_cloudfunctions2_function.simulator[0].service_config[0].environment_variables == tomap({ SMARTLINK_ACCEPTANCE_DIGEST = var.acceptance_digest, THREADS = "40" })
    error_message = "It knows the key's digest, and nothing of the deployment."
  }

  assert {
    condition = alltrue([
      for key, function in google_cloudfunctions2_function.function :
      contains(keys(function.service_config[0].environment_variables), "SMARTLINK_ACCEPTANCE_URL") == contains(["poll", "poll_shard"], key)
    ])
    error_message = "Those that call Smart Link are led to it, and nobody else."
  }

  assert {
    condition = alltrue([
      for function in google_cloudfunctions2_function.function :
      length(setintersection(keys(function.service_config[0].environment_variables), ["SMARTLINK_BASE_URL", "SMARTLINK_RAC_TOKEN_URL"])) == 0
    ])
    error_message = "Every other tenant keeps the environment's hosts."
  }
}

run "all_on" {
  command = plan

  variables {
    network    = { vpc = "default", cidr = "10.8.0.0/28", egress = "ALL_TRAFFIC" }
    encryption = { kms_key = "projects/keys/locations/southamerica-east1/keyRings/smartlink/cryptoKeys/data" }
    publish    = { invokers = ["group:segments@example.com"], ingress = "ALLOW_ALL" }
    alerts     = { emails = ["operations@example.com"], channels = ["projects/other/notificationChannels/1"] }
    polling    = false
    firestore  = { database = "smartlink", location = "nam5", point_in_time_recovery = false, delete_protection = false, backup_days = 98 }
  }

  assert {
    condition     = google_vpc_access_connector.erp[0].ip_cidr_range == "10.8.0.0/28" && contains(keys(google_project_service.api), "vpcaccess.googleapis.com")
    error_message = "The connector is made, its API enabled."
  }

  assert {
    condition = alltrue([
      for key, function in google_cloudfunctions2_function.function :
      function.service_config[0].vpc_connector_egress_settings == (local.functions[key].erp ? "ALL_TRAFFIC" : null)
    ])
    error_message = "Consumers of an ERP go through it, and nobody else."
  }

  assert {
    condition     = length(google_kms_crypto_key_iam_member.agent) == 7 && contains(keys(google_project_service.api), "cloudkms.googleapis.com")
    error_message = "Each service that stores something may use the key."
  }

  assert {
    condition = alltrue(concat(
      [for function in google_cloudfunctions2_function.function : function.kms_key_name == var.encryption.kms_key],
      [for topic in concat(values(google_pubsub_topic.push), values(google_pubsub_topic.dead_letter)) : topic.kms_key_name == var.encryption.kms_key],
      [for bucket in [google_storage_bucket.config, google_storage_bucket.contents, google_storage_bucket.source] : bucket.encryption[0].default_kms_key_name == var.encryption.kms_key],
      [
        google_firestore_database.messages.cmek_config[0].kms_key_name == var.encryption.kms_key,
        google_artifact_registry_repository.functions.kms_key_name == var.encryption.kms_key,
        google_logging_project_bucket_config.smartlink.cmek_settings[0].kms_key_name == var.encryption.kms_key,
      ],
    ))
    error_message = "The key encrypts all that is stored."
  }

  assert {
    condition     = google_cloud_run_v2_service_iam_member.publisher["group:segments@example.com"].role == "roles/run.invoker" && google_cloudfunctions2_function.function["publish"].service_config[0].ingress_settings == "ALLOW_ALL"
    error_message = "The group may call publish, from anywhere."
  }

  assert {
    condition     = google_cloudfunctions2_function.function["poll"].service_config[0].ingress_settings == "ALLOW_INTERNAL_ONLY"
    error_message = "Only publish is opened."
  }

  assert {
    condition     = length(google_monitoring_notification_channel.email) == 1 && length(local.channels) == 2
    error_message = "Both are told."
  }

  assert {
    condition     = google_cloud_scheduler_job.poll.paused && google_monitoring_alert_policy.no_poll.enabled == false
    error_message = "Paused on purpose, nobody is woken."
  }

  assert {
    condition = (
      google_firestore_database.messages.name == "smartlink" && google_firestore_database.messages.location_id == "nam5" &&
      google_firestore_database.messages.point_in_time_recovery_enablement == "POINT_IN_TIME_RECOVERY_DISABLED" &&
      google_firestore_database.messages.delete_protection_state == "DELETE_PROTECTION_DISABLED" &&
      google_firestore_backup_schedule.daily.retention == "8467200s"
    )
    error_message = "The database is as asked for."
  }

  assert {
    condition     = endswith(google_project_iam_member.firestore["poll"].condition[0].expression, "/databases/smartlink\"")
    error_message = "The grant follows the database."
  }
}

run "connector_given" {
  command = plan

  variables {
    network = { connector = "projects/host/locations/southamerica-east1/connectors/erp" }
  }

  assert {
    condition = length(google_vpc_access_connector.erp) == 0 && alltrue([
      for key, function in google_cloudfunctions2_function.function :
      function.service_config[0].vpc_connector == (local.functions[key].erp ? "projects/host/locations/southamerica-east1/connectors/erp" : null)
    ])
    error_message = "Consumers of an ERP use the connector that exists."
  }
}

run "the_console_is_there_if_it_is_wanted" {
  command = plan

  variables {
    console = { deployed = true }
    roles   = { "ana@example.com" = { operator = ["*"] } }
  }

  assert {
    condition     = google_cloudfunctions2_function.function["console"].service_config[0].environment_variables["SMARTLINK_IAP_AUDIENCE"] == "/projects/123456789012/locations/southamerica-east1/services/smartlink-console"
    error_message = "It believes the assertions that IAP makes for its own service alone."
  }

  assert {
    condition     = jsondecode(google_cloudfunctions2_function.function["console"].service_config[0].environment_variables["SMARTLINK_ROLES"])["ana@example.com"].operator == ["*"]
    error_message = "It asks the same roles as operate."
  }

  assert {
    condition     = !contains(keys(google_service_account.invoker), "console") && google_cloudfunctions2_function.function["console"].service_config[0].max_instance_count == 1
    error_message = "Nobody may call it before IAP stands before it."
  }

  assert {
    condition     = toset(keys(local.console_pages)) == setunion(keys(google_monitoring_alert_policy.counter), ["no_poll", "dead_letter", "error_ratio"])
    error_message = "Each alert has a page that shows its cause."
  }

  assert {
    condition = alltrue([
      for policy in concat(values(google_monitoring_alert_policy.counter), [google_monitoring_alert_policy.no_poll, google_monitoring_alert_policy.dead_letter, google_monitoring_alert_policy.error_ratio]) :
      policy.documentation[0].links[0].display_name == "Console" && length(policy.documentation[0].links) == 3
    ])
    error_message = "Each alert leads to it first. Google takes three links."
  }

  assert {
    condition     = length(jsondecode(google_cloudfunctions2_function.function["console"].service_config[0].environment_variables["SMARTLINK_INDEXES"]).audit.indexes) == 1
    error_message = "Its page Health knows the indexes of both databases."
  }

  assert {
    condition     = contains(keys(google_project_iam_member.console_viewer), "roles/monitoring.viewer")
    error_message = "Its page Health may ask which alerts fire."
  }

  assert {
    condition     = length(google_project_iam_member.console_tenant_keeper) == 0 && google_storage_bucket_iam_member.console_config["console"].role == "roles/storage.objectViewer"
    error_message = "It changes neither secrets nor the configuration unless asked for."
  }
}

run "the_console_may_change_tenants_if_asked_for" {
  command = plan

  variables {
    console = { deployed = true, changes = true }
  }

  assert {
    condition     = length(google_project_iam_custom_role.tenant_maker["console"].permissions) == 1 && strcontains(google_project_iam_member.console_tenant_keeper["console"].condition[0].expression, "/smartlink-tenant-")
    error_message = "It makes secrets, and changes those of tenants alone."
  }
}

run "roles" {
  command = plan

  variables {
    operators = ["user:Ana@example.com", "user:rui@example.com", "group:ops@example.com"]
    roles = {
      "rui@example.com" = { viewer = ["*"], operator = ["acme"], contents = ["acme"] }
      "eva@example.com" = { admin = ["*"] }
    }
  }

  assert {
    condition = jsondecode(google_cloudfunctions2_function.function["operate"].service_config[0].environment_variables["SMARTLINK_ROLES"]) == {
      "ana@example.com" = { operator = ["*"] }
      "rui@example.com" = { viewer = ["*"], operator = ["acme"], contents = ["acme"] }
      "eva@example.com" = { admin = ["*"] }
    }
    error_message = "An operator who is a user may act on every tenant, unless the roles say otherwise; a group is nobody here."
  }

  assert {
    condition     = length(google_pubsub_topic_iam_member.operate) == 4
    error_message = "Operators ask operate for a step, and so does operate itself."
  }
}
