# Laid over the configuration by `make deploy … RETIRE=yes`, so that the topics and subscriptions
# of commands that left the catalogue may go; and by `make destroy`.

resource "google_pubsub_topic" "push" {
  lifecycle {
    prevent_destroy = false
  }
}

resource "google_pubsub_subscription" "push" {
  lifecycle {
    prevent_destroy = false
  }
}

resource "google_pubsub_topic" "dead_letter" {
  lifecycle {
    prevent_destroy = false
  }
}

resource "google_pubsub_subscription" "dead_letter" {
  lifecycle {
    prevent_destroy = false
  }
}
