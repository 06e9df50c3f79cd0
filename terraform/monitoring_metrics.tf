# Metrics counted from the functions' logs, by the stable key `action` of each line.
#
# Only what is rare carries the tenant as a label: a label with a thousand values on a metric that
# grows every minute would cost more than the relay itself.

locals {
  log_source = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=~\"^smartlink-\""

  by_command = { command = "EXTRACT(jsonPayload.command)" }
  by_tenant  = { tenant = "EXTRACT(jsonPayload.tenant)" }

  # Two leases: a message that is due for longer has been passed over again and again.
  overdue_seconds = 2 * local.lease_seconds

  # Rising and different, as Google wants them, whatever the lease is. `sort` compares texts.
  oldest_due_bounds = [
    for bound in sort([for bound in distinct([15, 60, 120, 300, local.lease_seconds, local.overdue_seconds, 3600, 14400, 86400]) : format("%06d", bound)]) :
    tonumber(bound)
  ]

  counters = {
    received       = { actions = ["message_received"], labels = local.by_command, description = "Messages stored, new" }
    done           = { actions = ["message_done"], labels = local.by_command, description = "Messages executed" }
    retried        = { actions = ["message_retried"], labels = local.by_command, description = "Executions that failed and will be tried again" }
    dead           = { actions = ["message_dead"], labels = merge(local.by_tenant, local.by_command, { reason = "EXTRACT(jsonPayload.reason)" }), description = "Messages that wait for an operator" }
    duplicates     = { actions = ["message_duplicate"], labels = local.by_command, description = "Repeats that were recognised" }
    overdue_runs   = { actions = ["message_overdue"], labels = merge(local.by_tenant, local.by_command), description = "Executions that ran past their time-out" }
    sent           = { actions = ["message_sent"], labels = local.by_command, description = "Replies and published messages that the broker took" }
    published      = { actions = ["message_published"], labels = {}, description = "Messages that publish accepted" }
    tenant_paused  = { actions = ["tenant_paused"], labels = local.by_tenant, description = "Pauses: the tenant's broker or RAC failed three ticks or more" }
    tenant_refused = { actions = ["tenant_refused", "tenant_orphaned", "tenant_halted"], labels = local.by_tenant, description = "Tenants whose secret cannot be used, is gone while they have messages, or is another customer's" }
    unreadable     = { actions = ["document_unreadable"], labels = local.by_tenant, description = "Ticks that passed over documents of Firestore that this release cannot read" }
    config_invalid = { actions = ["config_invalid", "config_not_recalled"], labels = {}, description = "Polls that could not use totvsAppConfig_v2.json" }
  }

  # What a counter takes beyond its actions.
  counter_filters = {
    executions = {
      actions     = ["message_done", "message_retried", "message_dead"]
      filter      = " AND resource.labels.service_name=~\"^smartlink-consume-\""
      labels      = merge(local.by_command, { outcome = "EXTRACT(jsonPayload.action)" })
      description = "Executions, by how they ended"
    }
    polls = {
      actions     = ["poll_done"]
      filter      = " AND resource.labels.service_name=\"${local.functions["poll"].name}\" AND jsonPayload.shardsLost=0"
      labels      = {}
      description = "Polls that answered and lost no shard"
    }
    jobs_failed = {
      actions     = ["job_ended", "job_unreadable"]
      filter      = " AND severity=ERROR"
      labels      = { job = "EXTRACT(jsonPayload.job)" }
      description = "Operators' jobs that failed, or cannot be read"
    }
    tenants_overdue = {
      actions     = ["messages_due"]
      filter      = " AND jsonPayload.oldestSeconds>${local.overdue_seconds}"
      labels      = local.by_tenant
      description = "Ticks in which a tenant's oldest due message was over two leases late"
    }
  }

  distributions = {
    oldest_due = {
      action      = "messages_due"
      field       = "oldestSeconds"
      bounds      = local.oldest_due_bounds
      labels      = {}
      description = "How late a tenant's oldest due message is"
    }
    duration = {
      action      = "message_done"
      field       = "seconds"
      bounds      = [1, 2, 5, 10, 30, 60, 120, 300, 900, 3600, 14400, 86400]
      labels      = local.by_command
      description = "From received to executed"
    }
    call_duration = {
      action      = "consume_done"
      field       = "seconds"
      bounds      = [0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600]
      labels      = local.by_command
      description = "A call of a consumer's function"
    }
    poll_duration = {
      action      = "poll_done"
      field       = "seconds"
      bounds      = [0.5, 1, 2, 5, 10, 20, 30, 40, 45, 50, 60]
      labels      = {}
      description = "A poll of one shard; from 45 s on its work does not fit into a tick"
    }
  }
}

resource "google_logging_metric" "counter" {
  for_each = merge({ for name, metric in local.counters : name => merge(metric, { filter = "" }) }, local.counter_filters)

  name        = "smartlink/${each.key}"
  description = each.value.description
  filter = join("", [
    local.log_source,
    " AND jsonPayload.action=(${join(" OR ", [for action in each.value.actions : "\"${action}\""])})",
    each.value.filter,
  ])

  label_extractors = each.value.labels

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"

    dynamic "labels" {
      for_each = keys(each.value.labels)
      content {
        key        = labels.value
        value_type = "STRING"
      }
    }
  }

  depends_on = [google_project_service.api]
}

resource "google_logging_metric" "distribution" {
  for_each = local.distributions

  name             = "smartlink/${each.key}"
  description      = each.value.description
  filter           = "${local.log_source} AND jsonPayload.action=(\"${each.value.action}\")"
  value_extractor  = "EXTRACT(jsonPayload.${each.value.field})"
  label_extractors = each.value.labels

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "DISTRIBUTION"
    unit        = "s"

    dynamic "labels" {
      for_each = keys(each.value.labels)
      content {
        key        = labels.value
        value_type = "STRING"
      }
    }
  }

  bucket_options {
    explicit_buckets {
      bounds = each.value.bounds
    }
  }

  depends_on = [google_project_service.api]
}

# Scheduler tells only its log that it could not reach poll at all.
resource "google_logging_metric" "scheduler_errors" {
  name        = "smartlink/scheduler_errors"
  description = "Ticks that Cloud Scheduler could not deliver"
  filter      = "resource.type=\"cloud_scheduler_job\" AND resource.labels.job_id=\"smartlink-poll\" AND severity>=ERROR"

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"
  }

  depends_on = [google_project_service.api]
}
