# As production, smaller.
project_id  = "smartlink-staging"
environment = "staging"
region      = "southamerica-east1"

retention = {
  history = 60
}
