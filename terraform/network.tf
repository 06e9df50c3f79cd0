locals {
  connector_made = var.network.vpc != ""
  connector_used = local.connector_made || var.network.connector != ""
  connector      = local.connector_made ? google_vpc_access_connector.erp[0].id : var.network.connector != "" ? var.network.connector : null
}

resource "google_vpc_access_connector" "erp" {
  count = local.connector_made ? 1 : 0

  name          = "smartlink-erp"
  region        = var.region
  network       = var.network.vpc
  ip_cidr_range = var.network.cidr
  machine_type  = "e2-micro"
  min_instances = 2
  max_instances = 3

  depends_on = [google_project_service.api]
}
