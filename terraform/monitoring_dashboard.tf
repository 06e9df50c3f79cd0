# From top to bottom: does it work, what passes through, how fast, what fails.

locals {
  dashboard_url = "https://console.cloud.google.com/monitoring/dashboards/builder/${reverse(split("/", google_monitoring_dashboard.smartlink.id))[0]}?project=${var.project_id}"

  # One number each: green until the threshold.
  scorecards = [
    { title = "Polls in 5 minutes", filter = "${local.metric}/polls\" ${local.on_run}", period = "300s", aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", bad = 4, below = true },
    { title = "Oldest due message (s)", filter = "${local.metric}/oldest_due\" ${local.on_run}", period = "300s", aligner = "ALIGN_PERCENTILE_99", reducer = "REDUCE_MAX", bad = local.overdue_seconds, below = false },
    { title = "Dead messages, last day", filter = "${local.metric}/dead\" ${local.on_run}", period = "86400s", aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", bad = 0.5, below = false },
    { title = "Pauses, last 35 minutes", filter = "${local.metric}/tenant_paused\" ${local.on_run}", period = "2100s", aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", bad = 0.5, below = false },
    { title = "In dead-letter topics", filter = "metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\" resource.type=\"pubsub_subscription\" resource.label.subscription_id=ends_with(\"-dead-letter\")", period = "60s", aligner = "ALIGN_MAX", reducer = "REDUCE_SUM", bad = 0.5, below = false },
    { title = "Invalid configuration, last 5 minutes", filter = "${local.metric}/config_invalid\" ${local.on_run}", period = "300s", aligner = "ALIGN_DELTA", reducer = "REDUCE_SUM", bad = 0.5, below = false },
  ]

  lines = {
    messages   = [for name in ["received", "done", "retried", "dead", "duplicates"] : { name = name, aligner = "ALIGN_DELTA", by = [] }]
    outbox     = [for name in ["published", "sent"] : { name = name, aligner = "ALIGN_DELTA", by = [] }]
    by_command = [{ name = "executions", aligner = "ALIGN_DELTA", by = ["metric.label.command", "metric.label.outcome"] }]
    duration   = [for percent in ["50", "95", "99"] : { name = "duration", aligner = "ALIGN_PERCENTILE_${percent}", by = ["metric.label.command"] }]
    calls      = [{ name = "call_duration", aligner = "ALIGN_PERCENTILE_95", by = ["metric.label.command"] }]
    polls      = [{ name = "poll_duration", aligner = "ALIGN_PERCENTILE_95", by = [] }, { name = "oldest_due", aligner = "ALIGN_PERCENTILE_99", by = [] }]
    troubles   = [{ name = "dead", aligner = "ALIGN_DELTA", by = ["metric.label.tenant"] }, { name = "tenant_paused", aligner = "ALIGN_DELTA", by = ["metric.label.tenant"] }, { name = "tenant_refused", aligner = "ALIGN_DELTA", by = ["metric.label.tenant"] }]
  }

  charts = [
    { title = "Messages a minute", lines = local.lines.messages },
    { title = "Outbox: accepted and sent a minute", lines = local.lines.outbox },
    { title = "Executions a minute, by command and outcome", lines = local.lines.by_command },
    { title = "Received to executed (s): half, 95 %, 99 %", lines = local.lines.duration },
    { title = "A consumer's call (s), 95 %", lines = local.lines.calls },
    { title = "A poll (s, 95 %), and how late the oldest message is", lines = local.lines.polls },
    { title = "Tenants in trouble: dead, paused, refused", lines = local.lines.troubles },
  ]

  # What Google itself measures.
  service_charts = [
    { title = "Calls that failed, by function", filter = "metric.type=\"run.googleapis.com/request_count\" ${local.on_run} resource.label.service_name=starts_with(\"smartlink-\") metric.label.response_code_class!=\"2xx\"", aligner = "ALIGN_DELTA", by = ["resource.label.service_name", "metric.label.response_code"] },
    { title = "Instances, by function", filter = "metric.type=\"run.googleapis.com/container/instance_count\" ${local.on_run} resource.label.service_name=starts_with(\"smartlink-\")", aligner = "ALIGN_MAX", by = ["resource.label.service_name"] },
    { title = "Waiting in Pub/Sub, by subscription", filter = "metric.type=\"pubsub.googleapis.com/subscription/num_undelivered_messages\" resource.type=\"pubsub_subscription\"", aligner = "ALIGN_MAX", by = ["resource.label.subscription_id"] },
  ]

  scorecard_widgets = [
    for card in local.scorecards : {
      title = card.title
      scorecard = {
        timeSeriesQuery = {
          timeSeriesFilter = {
            filter = card.filter
            aggregation = {
              alignmentPeriod    = card.period
              perSeriesAligner   = card.aligner
              crossSeriesReducer = card.reducer
            }
          }
        }
        thresholds = [{ value = card.bad, color = "RED", direction = card.below ? "BELOW" : "ABOVE" }]
      }
    }
  ]

  chart_widgets = concat(
    [
      for chart in local.charts : {
        title = chart.title
        xyChart = {
          dataSets = [
            for line in chart.lines : {
              plotType       = "LINE"
              legendTemplate = join(" ", concat([line.name], startswith(line.aligner, "ALIGN_PERCENTILE") ? [trimprefix(line.aligner, "ALIGN_PERCENTILE_")] : [], [for label in line.by : "$${metric.labels.${trimprefix(label, "metric.label.")}}"]))
              timeSeriesQuery = {
                timeSeriesFilter = {
                  filter = "${local.metric}/${line.name}\" ${local.on_run}"
                  aggregation = merge(
                    {
                      alignmentPeriod    = "60s"
                      perSeriesAligner   = line.aligner
                      crossSeriesReducer = startswith(line.aligner, "ALIGN_PERCENTILE") ? "REDUCE_MAX" : "REDUCE_SUM"
                    },
                    length(line.by) == 0 ? {} : { groupByFields = line.by },
                  )
                }
              }
            }
          ]
        }
      }
    ],
    [
      for chart in local.service_charts : {
        title = chart.title
        xyChart = {
          dataSets = [{
            plotType = "LINE"
            timeSeriesQuery = {
              timeSeriesFilter = {
                filter = chart.filter
                aggregation = {
                  alignmentPeriod    = "60s"
                  perSeriesAligner   = chart.aligner
                  crossSeriesReducer = "REDUCE_SUM"
                  groupByFields      = chart.by
                }
              }
            }
          }]
        }
      }
    ],
  )
}

locals {
  # Google leaves zeros, empty texts and empty lists out of what it answers: each one written here
  # would be a change in every plan.
  placed = { for x in [0, 8, 16, 24, 32, 40] : x => x == 0 ? {} : { xPos = x } }
}

resource "google_monitoring_dashboard" "smartlink" {
  dashboard_json = jsonencode({
    displayName = "Smart Link (${var.environment})"
    mosaicLayout = {
      columns = 48
      tiles = concat(
        [
          for index, widget in local.scorecard_widgets :
          merge(local.placed[index * 8], { width = 8, height = 8, widget = widget })
        ],
        [
          for index, widget in local.chart_widgets :
          merge(local.placed[(index % 2) * 24], { yPos = 8 + floor(index / 2) * 14, width = 24, height = 14, widget = widget })
        ],
        [{
          yPos   = 8 + ceil(length(local.chart_widgets) / 2) * 14
          width  = 48
          height = 16
          widget = {
            title = "Warnings and errors"
            logsPanel = {
              filter        = "severity>=WARNING"
              resourceNames = [local.log_view]
            }
          }
        }],
      )
    }
  })

  depends_on = [google_logging_metric.counter, google_logging_metric.distribution]
}
