resource "google_cloud_scheduler_job" "poll" {
  name        = "smartlink-poll"
  description = "Smart Link: polls every tenant"
  region      = var.region
  schedule    = local.catalog.functions.poll.schedule
  time_zone   = "Etc/UTC"
  paused      = !var.polling

  # The function ends first: a call that Scheduler gave up while it runs would soon have company.
  attempt_deadline = "${local.catalog.functions.poll.timeoutSeconds + 30}s"

  retry_config {
    retry_count          = 1 # the next tick is the real retry
    min_backoff_duration = "5s"
    max_backoff_duration = "10s"
    max_doublings        = 1
  }

  http_target {
    http_method = "POST"
    uri         = google_cloudfunctions2_function.function["poll"].service_config[0].uri

    oidc_token {
      service_account_email = google_service_account.invoker["poll"].email
      audience              = google_cloudfunctions2_function.function["poll"].service_config[0].uri
    }
  }

  depends_on = [google_cloud_run_v2_service_iam_member.invoker]
}
