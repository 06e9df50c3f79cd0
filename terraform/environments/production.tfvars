project_id  = "smartlink-production"
environment = "production"
region      = "southamerica-east1"

firestore = {
  backup_days = 28
}

alerts = {
  emails = ["smartlink-operations@example.com"]
}

# No cold start for a segment's user who waits for publish.
instances = {
  publish = { min = 1 }
}
