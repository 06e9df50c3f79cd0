# A topic for each command and for the shards of a poll, each with a push subscription of our
# own: one that Eventarc makes keeps messages for a day at most and has no dead-letter topic.
#
# What travels here is a copy: the messages themselves are in Firestore, and the sweep dispatches
# again what got lost. So nothing here is kept for long.

locals {
  topic_days   = 1 # that a dispatch may wait
  pubsub_agent = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}

resource "google_pubsub_topic" "push" {
  for_each = local.pushed

  name         = each.value.topic
  kms_key_name = local.kms_key

  # Messages hold personal data: they stay in the region, wherever they were published.
  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }

  lifecycle {
    prevent_destroy = true
  }

  depends_on = [google_project_service.api, google_kms_crypto_key_iam_member.agent]
}

resource "google_pubsub_subscription" "push" {
  for_each = local.pushed

  name  = each.value.topic
  topic = google_pubsub_topic.push[each.key].id

  # Also how long Pub/Sub waits for the answer: never less than the function may take.
  ack_deadline_seconds = max(10, min(600, each.value.timeout + 30))

  # A shard is void after a minute (ten is the least there is); a dispatch is made again after an
  # hour at most. The day leaves time to repair a function before the dead-letter alert is moot.
  message_retention_duration = each.key == "poll_shard" ? "600s" : "${local.topic_days * 86400}s"

  push_config {
    push_endpoint = google_cloudfunctions2_function.function[each.key].service_config[0].uri

    oidc_token {
      service_account_email = google_service_account.invoker[each.key].email
      audience              = google_cloudfunctions2_function.function[each.key].service_config[0].uri
    }
  }

  # Up to 10 deliveries over some 40 minutes: an overload (429) passes, a broken function shows.
  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = each.key == "poll_shard" ? "60s" : "600s"
  }

  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.dead_letter[each.key].id
    max_delivery_attempts = each.key == "poll_shard" ? 5 : 10
  }

  expiration_policy {
    ttl = "" # or it would be deleted after 31 idle days
  }

  lifecycle {
    prevent_destroy = true
  }
}

resource "google_pubsub_topic" "dead_letter" {
  for_each = local.pushed

  name         = "${each.value.topic}-dead-letter"
  kms_key_name = local.kms_key

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }

  lifecycle {
    prevent_destroy = true
  }

  depends_on = [google_project_service.api, google_kms_crypto_key_iam_member.agent]
}

# Keeps what could not be delivered, for people to look at; nobody acks it but them.
resource "google_pubsub_subscription" "dead_letter" {
  for_each = local.pushed

  name                       = "${each.value.topic}-dead-letter"
  topic                      = google_pubsub_topic.dead_letter[each.key].id
  ack_deadline_seconds       = 60
  message_retention_duration = "${var.retention.dead_letter * 86400}s"

  expiration_policy {
    ttl = ""
  }

  lifecycle {
    prevent_destroy = true
  }
}

# Pub/Sub itself moves messages to the dead-letter topic, and signs in as the pusher.

resource "google_pubsub_topic_iam_member" "dead_letter" {
  for_each = local.pushed

  topic  = google_pubsub_topic.dead_letter[each.key].id
  role   = "roles/pubsub.publisher"
  member = local.pubsub_agent
}

resource "google_pubsub_subscription_iam_member" "dead_letter" {
  for_each = local.pushed

  subscription = google_pubsub_subscription.push[each.key].id
  role         = "roles/pubsub.subscriber"
  member       = local.pubsub_agent
}

resource "google_service_account_iam_member" "pusher" {
  for_each = local.pushed

  service_account_id = google_service_account.invoker[each.key].name
  role               = "roles/iam.serviceAccountOpenIdTokenCreator"
  member             = local.pubsub_agent
}

# A job's next step: `operate` asks for it, and so does whoever makes, stops or resumes a job.
resource "google_pubsub_topic_iam_member" "operate" {
  for_each = contains(keys(local.pushed), "operate") ? local.operating : {}

  topic  = google_pubsub_topic.push["operate"].id
  role   = "roles/pubsub.publisher"
  member = each.value
}

# Both polls dispatch: sweeps and arrivals to the commands, shards to poll_shard, and jobs that
# stand still to operate. A consumer dispatches to itself alone: the next step of a work that its
# author continues, and the next message of a key.
resource "google_pubsub_topic_iam_member" "dispatch" {
  for_each = {
    for pair in concat(
      setproduct(["poll", "poll_shard"], keys(local.pushed)),
      [for key, function in local.pushed : [key, key] if function.command != ""],
    ) :
    "${pair[0]}/${pair[1]}" => { function = pair[0], topic = pair[1] }
  }

  topic  = google_pubsub_topic.push[each.value.topic].id
  role   = "roles/pubsub.publisher"
  member = google_service_account.function[each.value.function].member
}
