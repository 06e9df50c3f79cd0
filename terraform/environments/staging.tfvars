# As production, smaller.
project_id  = "smartlink-staging"
environment = "staging"
region      = "southamerica-east1"

retention = {
  history = 60
}

instances = {
  poll_shard = { max = 5 }
  consume    = { max = 5 }
  publish    = { max = 5 }
}
