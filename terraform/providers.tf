provider "google" {
  project = var.project_id
  region  = var.region

  default_labels = merge(var.labels, {
    app         = "smartlink"
    environment = var.environment
  })
}

# The project's number: conditions on secrets and the service agents' names hold it.
data "google_project" "this" {
  project_id = var.project_id
}
