# A project to try things in: reachable from a laptop, protected little, kept briefly.
project_id  = "smartlink-development"
environment = "development"
region      = "southamerica-east1"

publish = {
  ingress = "ALLOW_ALL"
}

retention = {
  history     = 30
  redrive     = 7
  dead_letter = 3
  logs        = 7
}

firestore = {
  backup_days       = 1
  delete_protection = false
}

instances = {
  poll_shard = { max = 3 }
  consume    = { max = 3 }
  publish    = { max = 3 }
}
