# What the console's own account may do besides what every function may. Whoever looks at its pages has
# the rights of `roles`; this account only has what the pages need at most.

locals {
  console = contains(keys(local.functions), "console") ? toset(["console"]) : toset([])

  # Its own address; null: it is not deployed.
  console_url = one([for key in local.console : google_cloudfunctions2_function.function[key].service_config[0].uri])

  # By alert: the page that shows the cause. A test opens each.
  console_pages = {
    dead_messages    = "/errors?tenant=$${metric.label.tenant}"
    messages_overdue = "/messages?state=Pendente&tenant=$${metric.label.tenant}"
    tenant_paused    = "/tenants/$${metric.label.tenant}"
    tenant_refused   = "/tenants/$${metric.label.tenant}"
    unreadable       = "/messages?tenant=$${metric.label.tenant}"
    jobs_failed      = "/jobs/$${metric.label.job}"
    config_invalid   = "/configuration"
    no_poll          = "/health?run=yes"
    dead_letter      = "/health?run=yes"
    error_ratio      = "/errors"
  }

  # Pages that change tenants' secrets and the configuration are asked for apart.
  console_changes = var.console.changes ? local.console : toset([])
}

# Whether tenants' secrets are usable; secrets.tf lets it list them.
resource "google_project_iam_member" "console_secrets" {
  for_each = local.console

  project = var.project_id
  role    = "roles/secretmanager.secretAccessor"
  member  = google_service_account.function[each.key].member

  condition {
    title      = "tenants-and-keys-of-people"
    expression = "resource.name.startsWith(\"${local.secrets}/smartlink-tenant-\") || resource.name.startsWith(\"${local.secrets}/smartlink-titular-\")"
  }
}

# Health looks at indexes, topics, functions, alerts and the clock; it changes none.
resource "google_project_iam_member" "console_viewer" {
  for_each = length(local.console) == 0 ? toset([]) : toset([
    "roles/cloudfunctions.viewer",
    "roles/monitoring.viewer",
    "roles/pubsub.viewer",
    "roles/serviceusage.serviceUsageViewer",
  ])

  project = var.project_id
  role    = each.key
  member  = google_service_account.function["console"].member
}

resource "google_storage_bucket_iam_member" "console_config" {
  for_each = local.console

  bucket = google_storage_bucket.config.name
  role   = var.console.changes ? "roles/storage.objectUser" : "roles/storage.objectViewer"
  member = google_service_account.function[each.key].member
}

# To create a secret is a right on the project; to change one, on those of tenants alone.
resource "google_project_iam_custom_role" "tenant_maker" {
  for_each = local.console_changes

  role_id     = "smartlinkTenantMaker"
  title       = "Smart Link: makes tenants' secrets"
  description = "Creates secrets, and reads none."
  permissions = ["secretmanager.secrets.create"]

  depends_on = [google_project_service.api]
}

resource "google_project_iam_member" "console_tenant_maker" {
  for_each = local.console_changes

  project = var.project_id
  role    = google_project_iam_custom_role.tenant_maker[each.key].id
  member  = google_service_account.function[each.key].member
}

resource "google_project_iam_custom_role" "tenant_keeper" {
  for_each = local.console_changes

  role_id     = "smartlinkTenantKeeper"
  title       = "Smart Link: changes tenants' secrets"
  description = "Adds, disables and lists versions, changes the etag, deletes a secret whose activation failed."
  permissions = [
    "secretmanager.secrets.delete",
    "secretmanager.secrets.get",
    "secretmanager.secrets.update",
    "secretmanager.versions.add",
    "secretmanager.versions.disable",
    "secretmanager.versions.get",
    "secretmanager.versions.list",
  ]

  depends_on = [google_project_service.api]
}

resource "google_project_iam_member" "console_tenant_keeper" {
  for_each = local.console_changes

  project = var.project_id
  role    = google_project_iam_custom_role.tenant_keeper[each.key].id
  member  = google_service_account.function[each.key].member

  condition {
    title      = "only-tenants"
    expression = "resource.name.startsWith(\"${local.secrets}/smartlink-tenant-\")"
  }
}
