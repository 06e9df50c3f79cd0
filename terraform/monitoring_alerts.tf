# Each alert says what it means and what to do: by command, as the link to the console's page that
# shows the cause is there only where the console is deployed. The commands `smartlink` take
# `--project` and `--environment` in front; those of gcloud take the project from its configuration.

locals {
  metric = "metric.type=\"logging.googleapis.com/user/smartlink"
  on_run = "resource.type=\"cloud_run_revision\""

  # Alerts on a counter that should stand still: any count within the period opens an incident.
  counter_alerts = {
    dead_messages = {
      title    = "Dead messages"
      metric   = "dead"
      severity = "ERROR"
      period   = "300s"
      group_by = ["tenant", "command", "reason"]
      subject  = "Smart Link: dead messages of a tenant"
      text     = <<-EOT
        Messages of tenant **$${metric.label.tenant}** (command $${metric.label.command}) are dead: $${metric.label.reason}.
        Nothing is lost: each stays in Firestore, `tenants/$${metric.label.tenant}/GTotvsLinkMessage`, with `Situacao = Morta`, until somebody redrives or discards it.

        1. `smartlink messages list --tenant $${metric.label.tenant} --state Morta` says why of each; `smartlink stats --tenant $${metric.label.tenant}` groups them by cause, each with a code. Once you know: `smartlink messages redrive --tenant $${metric.label.tenant} --print CODE`, or `discard` (a dry run first; then with `--yes --reason …`).
        2. `attempts-exhausted`: the consumer failed every time. Fix its cause (the ERP's database, the network, a bug), then redrive.
        3. `outcome-unknown`: nobody knows whether it was done. Find out where its effect would show; redrive with `--outcome-unknown` if it was not done, discard if it was. A redrive of many leaves these out without that flag.
        4. `outcome-unwritten`: it was done, or sent, but that could not be stored; `UltimoErro` says what was in the way. Discard; a redrive does it a second time.
        5. `rejected`, `malformed`, `unknown-command`: another attempt changes nothing. Fix the sender or add the command, then redrive or discard.
        6. `id-reused`: the sender used an id twice. Discard, and tell the sender.
        7. `steps-exhausted`: a work goes on after as many steps as its command may have (`maxSteps`). All steps before are done. Look for a loop without an end in the consumer; redrive for one more step, or discard.

        Log query: `jsonPayload.action="message_dead" AND jsonPayload.tenant="$${metric.label.tenant}"`
      EOT
    }
    messages_overdue = {
      title    = "Messages are overdue"
      metric   = "tenants_overdue"
      severity = "ERROR"
      period   = "300s"
      group_by = ["tenant"]
      subject  = "Smart Link: a tenant's messages wait too long"
      text     = <<-EOT
        The oldest due message of tenant **$${metric.label.tenant}** is late by more than two leases (${local.overdue_seconds} s).

        1. Is the tenant paused (`smartlink tenants show $${metric.label.tenant}`)? Then its replies wait for the broker; they are sent when it works again.
        2. What waits: `smartlink messages list --tenant $${metric.label.tenant} --state Pendente`. Is the dead-letter topic not empty, or are calls failing (`smartlink doctor`)? Then the command's function is broken: read its log.
        3. Are the functions at their limit of instances (dashboard)? Raise `instances.consume.max` or `instances.poll_shard.max` in the environment's tfvars and deploy.
        4. `back_pressure` in the log: the tenant receives nothing new until its backlog shrinks. That is intended; the backlog is safe in the broker.

        Log query: `jsonPayload.action=("messages_due" OR "back_pressure") AND jsonPayload.tenant="$${metric.label.tenant}"`
      EOT
    }
    tenant_paused = {
      title    = "A tenant is paused"
      metric   = "tenant_paused"
      severity = "WARNING"
      period   = "2100s" # the longest pause is 30 minutes: the incident stays while pauses follow each other
      group_by = ["tenant"]
      subject  = "Smart Link: a tenant is paused"
      text     = <<-EOT
        The broker or RAC failed three ticks or more for tenant **$${metric.label.tenant}**. It is asked less and less often, every 30 minutes at last. What it has received already is still executed, and no attempt is consumed.

        1. All tenants at once: Smart Link Server or RAC is down. Wait; nothing needs to be done.
        2. This one alone: `smartlink tenants check $${metric.label.tenant}` says what fails. With a refusal its credentials are wrong: `smartlink tenants rotate $${metric.label.tenant}`. They are read again at the next try; at once with `smartlink tenants enable $${metric.label.tenant}`.
        3. It should not be served any more: `smartlink tenants disable $${metric.label.tenant}`.

        Log query: `jsonPayload.action=("tenant_failed" OR "tenant_paused") AND jsonPayload.tenant="$${metric.label.tenant}"`
      EOT
    }
    tenant_refused = {
      title    = "A tenant's secret cannot be used"
      metric   = "tenant_refused"
      severity = "ERROR"
      period   = "3900s" # orphans are looked for once an hour
      group_by = ["tenant"]
      subject  = "Smart Link: a tenant's secret cannot be used"
      text     = <<-EOT
        The secret of tenant **$${metric.label.tenant}** is not valid, belongs to another environment than ${var.environment}, was deleted while the tenant has live messages, or holds another customer's credentials than those messages came with (`tenant_halted`).

        1. `smartlink tenants check $${metric.label.tenant}`, and the log line, say which, and what is wrong with it. No secret's value is ever logged.
        2. Not valid, or of another environment: `smartlink tenants rotate $${metric.label.tenant}` stores right credentials.
        3. Deleted by mistake: `smartlink tenants activate $${metric.label.tenant}` creates it again, and the tenant's messages go on.
        4. Halted: nothing is sent, received or executed for the name. Give the new customer a name of its own, or end the old one's messages; if it is the same customer after all: `smartlink tenants adopt $${metric.label.tenant} --reason "…"`.

        Log query: `jsonPayload.action=("tenant_refused" OR "tenant_orphaned" OR "tenant_halted") AND jsonPayload.tenant="$${metric.label.tenant}"`
      EOT
    }
    unreadable = {
      title    = "Documents cannot be read"
      metric   = "unreadable"
      severity = "ERROR"
      period   = "300s"
      group_by = ["tenant"]
      subject  = "Smart Link: documents of Firestore cannot be read"
      text     = <<-EOT
        Documents of tenant **$${metric.label.tenant}** are not what this release stores: another release wrote them, or somebody edited them. They are passed over and nothing is lost; whatever can be read goes on.

        1. During a deployment, or after a rollback: the other release wrote them. They are read once it is deployed again.
        2. Else look at them: `smartlink messages list --tenant $${metric.label.tenant}` names each with the reason, `smartlink messages show DOCUMENT` shows its fields. Fix the field in Firestore's console.
        3. Cannot be fixed: `smartlink messages discard DOCUMENT --yes --reason …` moves it to the history with its fields kept.
        4. The document is the tenant's own (`tenants/$${metric.label.tenant}`), or no tenant is named: the log line says which and which field.

        Log query: `jsonPayload.action="document_unreadable" AND jsonPayload.tenant="$${metric.label.tenant}"`
      EOT
    }
    jobs_failed = {
      title    = "An operator's job failed"
      metric   = "jobs_failed"
      severity = "ERROR"
      period   = "300s"
      group_by = ["job"]
      subject  = "Smart Link: an operator's job failed"
      text     = <<-EOT
        The job **$${metric.label.job}**, a redrive or discard of many messages, stands still: its steps ended five times without coming forward, or its document (`Tarefa`) cannot be read. What it did stays done; the rest was not touched.

        1. `smartlink jobs show $${metric.label.job}` says who made it, why, and how far it came.
        2. Read why its steps ended: the log query below.
        3. Once the cause is gone: `smartlink jobs resume $${metric.label.job} --reason …` goes on where it was.

        Log query: `jsonPayload.job="$${metric.label.job}" AND severity>=WARNING`
      EOT
    }
    config_invalid = {
      title    = "totvsAppConfig_v2.json cannot be used"
      metric   = "config_invalid"
      severity = "ERROR"
      period   = "300s"
      group_by = []
      subject  = "Smart Link: totvsAppConfig_v2.json cannot be used"
      text     = <<-EOT
        The configuration file is missing, unreadable or invalid. The last good generation stays in force, so nothing stands still.

        1. `smartlink config show`, and the log line, name the field and the fix, and what is in force.
        2. The generation before was right: `smartlink config rollback --yes --reason …` makes it the current one again.
        3. Or put a right one: `smartlink config check FILE`, then `smartlink config push FILE --yes --reason …`. The next poll reads it.

        Log query: `jsonPayload.action=("config_invalid" OR "config_not_recalled")`
      EOT
    }
  }
}

resource "google_monitoring_alert_policy" "counter" {
  for_each = local.counter_alerts

  display_name          = "Smart Link: ${each.value.title}"
  combiner              = "OR"
  severity              = each.value.severity
  notification_channels = local.channels

  conditions {
    display_name = each.value.title

    condition_threshold {
      filter          = "metric.type=\"logging.googleapis.com/user/${google_logging_metric.counter[each.value.metric].name}\" AND ${local.on_run}"
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"

      aggregations {
        alignment_period     = each.value.period
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = [for label in each.value.group_by : "metric.label.${label}"]
      }
    }
  }

  documentation {
    subject = each.value.subject
    content = each.value.text

    dynamic "links" {
      for_each = local.console
      content {
        display_name = "Console"
        url          = "${local.console_url}${local.console_pages[each.key]}"
      }
    }

    links {
      display_name = "Dashboard"
      url          = local.dashboard_url
    }

    links {
      display_name = "Logs"
      url          = local.log_console
    }
  }

  alert_strategy {
    auto_close = "3600s"
  }

  # A new metric takes some seconds until an alert may name it: the functions take longer.
  depends_on = [google_cloudfunctions2_function.function]
}

resource "google_monitoring_alert_policy" "no_poll" {
  display_name          = "Smart Link: no successful poll for 5 minutes"
  combiner              = "OR"
  severity              = "CRITICAL"
  enabled               = var.polling # who paused the scheduler knows
  notification_channels = local.channels

  conditions {
    display_name = "Polls stopped"

    condition_absent {
      filter   = "${local.metric}/polls\" AND ${local.on_run}"
      duration = "300s"

      aggregations {
        alignment_period     = "60s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  # The metric may report zeros where there is nothing to count.
  conditions {
    display_name = "Polls fail"

    condition_threshold {
      filter                  = "${local.metric}/polls\" AND ${local.on_run}"
      comparison              = "COMPARISON_LT"
      threshold_value         = 1
      duration                = "60s"
      evaluation_missing_data = "EVALUATION_MISSING_DATA_ACTIVE"

      aggregations {
        alignment_period     = "240s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  # Absence is noticed only where there was something once: this one works from the first tick on.
  conditions {
    display_name = "Scheduler cannot reach poll"

    condition_threshold {
      filter          = "${local.metric}/scheduler_errors\" AND resource.type=\"cloud_scheduler_job\""
      comparison      = "COMPARISON_GT"
      threshold_value = 2
      duration        = "0s"

      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  documentation {
    subject = "Smart Link: no successful poll for 5 minutes"
    content = <<-EOT
      Nothing is received, sent or retried. Nothing is lost either: messages wait in the broker and in Firestore.

      1. `smartlink doctor` says what does not hold. Is the job on? `gcloud scheduler jobs describe smartlink-poll --location=${var.region}` must say ENABLED; `polling = false` in the tfvars pauses it.
      2. What does poll answer? Read the log of smartlink-poll: `settings_invalid` (a variable is wrong: deploy the last good version), `call_failed` (Firestore or Secret Manager fails, or a grant is missing), `shard_publish_failed`.
      3. Calls with 401 or 403: somebody took run.invoker from the account smartlink-schedule-poll. `make deploy` restores it.
      4. 504: the poll does not answer within ${local.catalog.functions.poll.timeoutSeconds} s; see poll_duration on the dashboard.

      Log query: `resource.labels.service_name="smartlink-poll" AND severity>=WARNING`
    EOT

    dynamic "links" {
      for_each = local.console
      content {
        display_name = "Console"
        url          = "${local.console_url}${local.console_pages.no_poll}"
      }
    }

    links {
      display_name = "Dashboard"
      url          = local.dashboard_url
    }

    links {
      display_name = "Logs"
      url          = local.log_console
    }
  }

  alert_strategy {
    auto_close = "3600s"
  }

  depends_on = [google_cloudfunctions2_function.function, google_logging_metric.counter, google_logging_metric.scheduler_errors]
}

resource "google_monitoring_alert_policy" "dead_letter" {
  display_name          = "Smart Link: dead-letter topic is not empty"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = local.channels

  conditions {
    display_name = "Messages in a dead-letter subscription"

    condition_threshold {
      filter          = "metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\" AND resource.type=\"pubsub_subscription\" AND resource.labels.subscription_id = ends_with(\"-dead-letter\")"
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "60s"

      aggregations {
        alignment_period     = "60s"
        per_series_aligner   = "ALIGN_MAX"
        cross_series_reducer = "REDUCE_MAX"
        group_by_fields      = ["resource.label.subscription_id"]
      }
    }
  }

  documentation {
    subject = "Smart Link: dispatches could not be delivered"
    content = <<-EOT
      Pub/Sub gave up on deliveries to a function: they lie in **$${resource.label.subscription_id}** for ${var.retention.dead_letter} days. The messages in them are safe in Firestore and are dispatched again by themselves; what is here only shows that the function failed again and again.

      1. `smartlink doctor` says whether each function is there and active. Read the function's log: `delivery_invalid`, `settings_invalid` or `call_failed`, or no line at all if it does not start (the deployment's log tells).
      2. Fix it and deploy. The sweep dispatches what is due within an hour.
      3. Look at what lies there, without its content: `gcloud pubsub subscriptions pull $${resource.label.subscription_id} --limit=5 --format='value(message.messageId,message.attributes)'`
      4. Then empty it, which closes this incident: `gcloud pubsub subscriptions seek $${resource.label.subscription_id} --time=$(date -u +%Y-%m-%dT%H:%M:%SZ)`

      Do not publish it again: the claim of an old dispatch fails anyhow, and its message may have ended.
    EOT

    dynamic "links" {
      for_each = local.console
      content {
        display_name = "Console"
        url          = "${local.console_url}${local.console_pages.dead_letter}"
      }
    }

    links {
      display_name = "Dashboard"
      url          = local.dashboard_url
    }

    links {
      display_name = "Logs"
      url          = local.log_console
    }
  }

  alert_strategy {
    auto_close = "3600s"
  }

  depends_on = [google_pubsub_subscription.dead_letter]
}

resource "google_monitoring_alert_policy" "error_ratio" {
  display_name          = "Smart Link: too many errors"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = local.channels

  conditions {
    display_name = "Calls of a function fail"

    condition_threshold {
      filter             = "metric.type=\"run.googleapis.com/request_count\" AND ${local.on_run} AND resource.labels.service_name = starts_with(\"smartlink-\") AND metric.labels.response_code_class = \"5xx\""
      denominator_filter = "metric.type=\"run.googleapis.com/request_count\" AND ${local.on_run} AND resource.labels.service_name = starts_with(\"smartlink-\")"
      comparison         = "COMPARISON_GT"
      threshold_value    = var.alerts.call_error_ratio
      duration           = "300s"

      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["resource.label.service_name"]
      }

      denominator_aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["resource.label.service_name"]
      }
    }
  }

  conditions {
    display_name = "Executions of a command fail"

    condition_threshold {
      filter             = "${local.metric}/executions\" AND ${local.on_run} AND metric.labels.outcome != \"message_done\""
      denominator_filter = "${local.metric}/executions\" AND ${local.on_run}"
      comparison         = "COMPARISON_GT"
      threshold_value    = var.alerts.execution_fail_ratio
      duration           = "300s"

      aggregations {
        alignment_period     = "900s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["metric.label.command"]
      }

      denominator_aggregations {
        alignment_period     = "900s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
        group_by_fields      = ["metric.label.command"]
      }
    }
  }

  documentation {
    subject = "Smart Link: too many errors"
    content = <<-EOT
      A function answers more than ${var.alerts.call_error_ratio * 100} % of its calls with 5xx, or more than ${var.alerts.execution_fail_ratio * 100} % of a command's executions fail. Failed executions are tried again by themselves, at the times of RM's formula.

      1. Since a deployment? Roll back: check out the last good commit, `make deploy`.
      2. Calls: `jsonPayload.action=("call_failed" OR "delivery_invalid" OR "settings_invalid")` says why.
      3. Executions: `smartlink stats --period 1d` groups the failures by cause and command, as `jsonPayload.action=("consumer_failed" OR "message_retried")` does; an ERP's database that is down is the usual cause.
      4. Executions that run past their time-out (`message_overdue`) end their process: raise the command's `timeoutSeconds` in the catalogue, or make it quicker.
    EOT

    dynamic "links" {
      for_each = local.console
      content {
        display_name = "Console"
        url          = "${local.console_url}${local.console_pages.error_ratio}"
      }
    }

    links {
      display_name = "Dashboard"
      url          = local.dashboard_url
    }

    links {
      display_name = "Logs"
      url          = local.log_console
    }
  }

  alert_strategy {
    auto_close = "3600s"
  }

  depends_on = [google_cloudfunctions2_function.function, google_logging_metric.counter]
}
