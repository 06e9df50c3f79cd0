# What holds in each environment; run for each file in environments/, from Terraform's root:
# terraform test -test-directory=tests/environments -var-file=environments/staging.tfvars

mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }
}

run "environment" {
  command = plan

  assert {
    condition     = length(google_cloudfunctions2_function.function) == 4 + length(local.catalog.commands)
    error_message = "poll, poll_shard, publish and operate, and one consumer for each command."
  }

  assert {
    condition = alltrue([
      for function in google_cloudfunctions2_function.function :
      function.service_config[0].environment_variables["SMARTLINK_ENVIRONMENT"] == var.environment
    ])
    error_message = "Every function knows its environment."
  }

  assert {
    condition = alltrue([
      for key, subscription in google_pubsub_subscription.push :
      subscription.ack_deadline_seconds >= google_cloudfunctions2_function.function[key].service_config[0].timeout_seconds &&
      subscription.ack_deadline_seconds <= 600
    ])
    error_message = "Pub/Sub waits at least as long as the function may run."
  }

  assert {
    condition     = alltrue([for subscription in concat(values(google_pubsub_subscription.push), values(google_pubsub_subscription.dead_letter)) : subscription.expiration_policy[0].ttl == ""])
    error_message = "No subscription expires."
  }

  assert {
    condition     = alltrue([for subscription in google_pubsub_subscription.dead_letter : tonumber(trimsuffix(subscription.message_retention_duration, "s")) <= 604800])
    error_message = "Dead letters hold personal data: a week at most."
  }

  assert {
    condition     = google_cloudfunctions2_function.function["poll"].service_config[0].max_instance_count == 1
    error_message = "One poll at a time."
  }

  assert {
    condition     = tonumber(trimsuffix(google_cloud_scheduler_job.poll.attempt_deadline, "s")) > google_cloudfunctions2_function.function["poll"].service_config[0].timeout_seconds
    error_message = "Scheduler waits until poll has ended."
  }

  assert {
    condition     = var.environment == "development" || google_firestore_database.messages.delete_protection_state == "DELETE_PROTECTION_ENABLED"
    error_message = "The database is protected wherever somebody would miss it."
  }

  assert {
    condition     = google_firestore_database.messages.point_in_time_recovery_enablement == "POINT_IN_TIME_RECOVERY_ENABLED"
    error_message = "Every environment can go back in time."
  }

  assert {
    condition     = var.environment != "production" || length(local.channels) > 0
    error_message = "In production somebody is told."
  }

  assert {
    condition     = var.environment == "development" || google_cloudfunctions2_function.function["publish"].service_config[0].ingress_settings == "ALLOW_INTERNAL_ONLY"
    error_message = "publish is internal where it matters."
  }

  assert {
    condition     = sum([for key, function in local.functions : function.instances.max * local.cpu[key]]) <= 20
    error_message = "All maxima together fit the CPUs of a small project."
  }
}
