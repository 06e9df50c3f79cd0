# Tenants, their ERPs and the keys of their people (`Titular`) are secrets that operators make; none of them passes through Terraform.
# Conditions know names, not labels, and hold the project's number.

locals {
  secrets = "projects/${data.google_project.this.number}/secrets"
}

# Listing is a right on the project. This role has that right alone; a poll's shards come with
# their tenants, so poll_shard has no need of it.
resource "google_project_iam_custom_role" "tenant_lister" {
  role_id     = "smartlinkTenantLister"
  title       = "Smart Link: lists tenants"
  description = "Lists secrets, reads none."
  permissions = ["secretmanager.secrets.list"]

  depends_on = [google_project_service.api]
}

resource "google_project_iam_member" "tenant_lister" {
  for_each = setunion(["poll", "publish"], local.console)

  project = var.project_id
  role    = google_project_iam_custom_role.tenant_lister.id
  member  = google_service_account.function[each.key].member
}

# The same grant under its former name: destroyed after the new one is made, it would be gone.
moved {
  from = google_project_iam_member.console_tenant_lister["console"]
  to   = google_project_iam_member.tenant_lister["console"]
}

resource "google_project_iam_member" "tenant_secrets" {
  for_each = toset(["poll", "poll_shard"])

  project = var.project_id
  role    = "roles/secretmanager.secretAccessor"
  member  = google_service_account.function[each.key].member

  condition {
    title      = "only-tenants"
    expression = "resource.name.startsWith(\"${local.secrets}/smartlink-tenant-\")"
  }
}

resource "google_project_iam_member" "erp_secrets" {
  for_each = { for key, function in local.functions : key => function if function.erp }

  project = var.project_id
  role    = "roles/secretmanager.secretAccessor"
  member  = google_service_account.function[each.key].member

  condition {
    title      = "only-erps"
    expression = "resource.name.startsWith(\"${local.secrets}/smartlink-erp-\") || resource.name.startsWith(\"${local.secrets}/smartlink-titular-\")"
  }
}

# What a command declares is read by its own function alone. A name has no hyphen (the catalogue's
# parser says so), so `smartlink-<name>-` begins no other secret's name.
resource "google_project_iam_member" "own_secrets" {
  for_each = { for key, function in local.functions : key => function if length(function.secrets) > 0 }

  project = var.project_id
  role    = "roles/secretmanager.secretAccessor"
  member  = google_service_account.function[each.key].member

  condition {
    title      = "only-its-own"
    expression = join(" || ", [for name in each.value.secrets : "resource.name.startsWith(\"${local.secrets}/smartlink-${name}-\")"])
  }

  lifecycle {
    precondition {
      condition     = alltrue([for name in each.value.secrets : can(regex("^[a-z][a-z0-9]{0,30}$", name)) && !contains(["tenant", "erp", "titular"], name)])
      error_message = "A command's secrets have names of small letters and digits, at most 31, and none is tenant, erp or titular."
    }
  }
}
