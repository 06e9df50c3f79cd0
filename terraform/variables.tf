variable "project_id" {
  description = "The project. One deployment a project: the topics' names stand in the catalogue."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id must be a project's id (6 to 30 lower-case letters, digits and hyphens), not its name or number."
  }
}

variable "environment" {
  description = "Which Smart Link and RAC hosts the functions talk to. Secrets of another environment are refused."
  type        = string
  nullable    = false

  validation {
    condition     = contains(["development", "staging", "production"], var.environment)
    error_message = "environment must be development, staging or production."
  }
}

variable "region" {
  description = "Where everything runs and every message is kept."
  type        = string
  default     = "southamerica-east1"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "region must be a region such as southamerica-east1, not a zone or a multi-region."
  }
}

variable "labels" {
  description = "Labels of everything that can carry some, beside app and environment."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition = alltrue([
      for key, value in var.labels :
      can(regex("^[a-z][a-z0-9_-]{0,62}$", key)) && can(regex("^[a-z0-9_-]{0,63}$", value)) && !contains(["app", "environment"], key)
    ])
    error_message = "labels must be lower-case letters, digits, _ and -, at most 63 long; app and environment are set already."
  }
}

variable "polling" {
  description = "False pauses the scheduler: nothing is received, sent or retried until it is true again."
  type        = bool
  default     = true
  nullable    = false
}

variable "instances" {
  description = "How many instances each kind of function may have, and how many are kept warm. `poll` has one: see functions.tf."
  type = object({
    poll_shard = optional(object({ min = optional(number, 0), max = optional(number, 3) }), {})
    consume    = optional(object({ min = optional(number, 0), max = optional(number, 4) }), {})
    publish    = optional(object({ min = optional(number, 0), max = optional(number, 2) }), {})
    operate    = optional(object({ min = optional(number, 0), max = optional(number, 1) }), {})
  })
  default  = {}
  nullable = false

  validation {
    condition = alltrue([
      for count in values(var.instances) :
      count.min >= 0 && count.max >= 1 && count.min <= count.max && count.max <= 1000 && floor(count.min) == count.min && floor(count.max) == count.max
    ])
    error_message = "instances must be whole numbers with 0 <= min <= max and 1 <= max <= 1000."
  }
}

variable "cpus" {
  description = "Cloud Run's CPUs that the project may use in the region: the quota CpuAllocPerProjectRegion, 20 in a small project. Google refuses functions whose maxima exceed it."
  type        = number
  default     = 20
  nullable    = false

  validation {
    condition     = var.cpus >= 1 && floor(var.cpus) == var.cpus
    error_message = "cpus must be a whole number, at least 1: the quota in CPUs, not in thousandths."
  }
}

variable "operators" {
  description = "Who operates the deployment with `smartlink`: they work on the messages, and record and read what operators do, without changing it."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for member in var.operators : can(regex("^(group|user|serviceAccount):[^@ ]+@[^@ ]+$", member))])
    error_message = "operators must be group:…, user:… or serviceAccount:… members; nobody anonymous."
  }
}

variable "console" {
  description = "The operators' web pages: whether they are deployed; whether they may also change tenants' secrets and the configuration (for those who are `admin` in `roles`); the zone of the times that they show. Who reaches them decides IAP: README.md has the commands."
  type = object({
    deployed = optional(bool, false)
    changes  = optional(bool, false)
    zone     = optional(string, "America/Sao_Paulo")
  })
  default  = {}
  nullable = false

  validation {
    condition     = can(regex("^[A-Za-z_]+(/[A-Za-z_+0-9-]+)*$", var.console.zone))
    error_message = "console.zone must be the name of a time zone, such as America/Sao_Paulo."
  }
}

variable "roles" {
  description = "Who may do what, and for which tenants (\"*\": all): what `operate` and the console ask at each step. By account, as user@example.com. An operator who is a user: and is not named here has `operator` for all tenants, for that is what they may do in the database anyhow; the members of a group are not known here, so name them."
  type = map(object({
    viewer   = optional(set(string), [])
    operator = optional(set(string), [])
    admin    = optional(set(string), [])
    contents = optional(set(string), [])
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for account in keys(var.roles) : can(regex("^[^@ :]+@[^@ :]+$", account)) && account == lower(account)])
    error_message = "roles must be by account, as user@example.com in lower case, without user: or group:."
  }

  validation {
    condition = alltrue(flatten([
      for role in values(var.roles) : [
        for tenants in values(role) : [for tenant in tenants : tenant == "*" || can(regex("^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$", tenant))]
      ]
    ]))
    error_message = "roles must name tenants, or \"*\" for all of them."
  }
}

variable "publish" {
  description = "Who may call the function `publish`, and from where."
  type = object({
    invokers = optional(set(string), [])
    ingress  = optional(string, "ALLOW_INTERNAL_ONLY")
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for member in var.publish.invokers : can(regex("^(group|serviceAccount):[^@ ]+@[^@ ]+$", member))])
    error_message = "publish.invokers must be group:… or serviceAccount:… members; nobody anonymous, and no single person."
  }

  validation {
    condition     = contains(["ALLOW_INTERNAL_ONLY", "ALLOW_INTERNAL_AND_GCLB", "ALLOW_ALL"], var.publish.ingress)
    error_message = "publish.ingress must be ALLOW_INTERNAL_ONLY, ALLOW_INTERNAL_AND_GCLB or ALLOW_ALL (IAM still guards it)."
  }
}

variable "smart_link" {
  description = "Overrides the environment's Smart Link and RAC hosts, and paths that differ (settings.py: Paths), and says what becomes of a message of a command that nobody knows."
  type = object({
    base_url      = optional(string, "")
    rac_token_url = optional(string, "")
    paths         = optional(map(string), {})

    unknown_command = optional(string, "keep")
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for url in [var.smart_link.base_url, var.smart_link.rac_token_url] : url == "" || can(regex("^https://[^/@?#[:space:]]+(/[^?#[:space:]]*)?$", url))])
    error_message = "smart_link.base_url and smart_link.rac_token_url must begin with https://, and hold no user, password, query or fragment: errors and logs name them."
  }

  validation {
    condition = alltrue([
      for name, path in var.smart_link.paths :
      endswith(name, "_body") ? contains(["setup_body", "ack_body", "nack_body", "send_body"], name) : contains(["setup", "get", "ack", "nack", "send", "send_audience"], name) && can(regex("^(GET|POST|PUT|DELETE|PATCH) /", path))
    ])
    error_message = "smart_link.paths may hold what smartlink broker discover finds: setup, get, ack, nack, send, send_audience, each such as \"POST /api/v1/link/ack\", and setup_body, ack_body, nack_body, send_body."
  }

  validation {
    condition     = contains(["keep", "nack"], var.smart_link.unknown_command) && (var.smart_link.unknown_command == "keep" || contains(keys(var.smart_link.paths), "nack"))
    error_message = "smart_link.unknown_command must be keep, or nack where smart_link.paths has the nack that `smartlink broker discover` proved."
  }
}

variable "acceptance" {
  description = "True while `make accept` runs: the simulator is there, for the acceptance's own tenant. Leave it to that command."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !var.acceptance || var.environment != "production"
    error_message = "acceptance must be false in production: no simulator may serve there."
  }
}

variable "acceptance_digest" {
  description = "The SHA-256 of the acceptance's key, which itself never comes here."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = !var.acceptance || can(regex("^[0-9a-f]{64}$", var.acceptance_digest))
    error_message = "acceptance_digest must be a SHA-256 in hexadecimal digits while acceptance is true: run `make accept`."
  }
}

variable "settings" {
  description = "Further settings of the functions, by their name in functions/smartlink/settings.py: { dispatch_batch = \"50\" }."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition = length(setsubtract(keys(var.settings), [
      "connect_seconds", "dispatch_batch", "dispatches", "due_by_bucket", "due_page", "grace_seconds", "idle_poll_seconds",
      "payload_refresh_seconds",
      "poll_seconds", "poll_threads", "read_seconds", "receive_batch", "receive_seconds", "receivers",
      "response_limit", "shard_tenants", "silence_seconds", "state_refresh_seconds", "tenants_refresh_seconds",
    ])) == 0
    error_message = "settings may hold only what settings.py lets be tuned; everything else has a variable of its own."
  }
}

variable "retention" {
  description = "Days that things are kept. History also covers how long a repeated id is known."
  type = object({
    history     = optional(number, 90)
    redrive     = optional(number, 30)
    dead_letter = optional(number, 7)
    logs        = optional(number, 30)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for days in values(var.retention) : floor(days) == days && days >= 1 && days <= 3650])
    error_message = "retention must be whole days, 1 to 3650."
  }

  validation {
    condition     = var.retention.dead_letter <= 7
    error_message = "retention.dead_letter must be at most 7 days: what lies there holds personal data, and the messages themselves are in Firestore."
  }

  validation {
    condition     = var.retention.redrive <= var.retention.history
    error_message = "retention.redrive must not exceed retention.history: a redriven message must still be known."
  }
}

variable "firestore" {
  description = "The database of messages, history and logs. A location of \"\" is the region."
  type = object({
    database               = optional(string, "(default)")
    location               = optional(string, "")
    backup_days            = optional(number, 7)
    delete_protection      = optional(bool, true)
    point_in_time_recovery = optional(bool, true)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.firestore.database == "(default)" || can(regex("^[a-z][a-z0-9-]{2,61}[a-z0-9]$", var.firestore.database))
    error_message = "firestore.database must be (default), or 4 to 63 lower-case letters, digits and hyphens."
  }

  validation {
    condition     = var.firestore.location == "" || can(regex("^([a-z]+-[a-z]+[0-9]+|nam5|eur3)$", var.firestore.location))
    error_message = "firestore.location must be a region, nam5, eur3, or \"\" for the deployment's region."
  }

  validation {
    condition     = floor(var.firestore.backup_days) == var.firestore.backup_days && var.firestore.backup_days >= 1 && var.firestore.backup_days <= 98
    error_message = "firestore.backup_days must be a whole number from 1 to 98 (14 weeks, Firestore's limit)."
  }
}

variable "network" {
  description = "How consumers marked `erp` reach an ERP's private network: an existing connector, or a VPC network and a free /28 to make one in. Neither: over the internet."
  type = object({
    connector = optional(string, "")
    vpc       = optional(string, "")
    cidr      = optional(string, "")
    egress    = optional(string, "PRIVATE_RANGES_ONLY")
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.network.connector == "" || var.network.vpc == ""
    error_message = "network takes a connector or a vpc to make one in, not both."
  }

  validation {
    condition     = var.network.connector == "" || can(regex("^projects/[^/]+/locations/[^/]+/connectors/[^/]+$", var.network.connector))
    error_message = "network.connector must be projects/PROJECT/locations/REGION/connectors/NAME."
  }

  validation {
    condition     = (var.network.vpc == "") == (var.network.cidr == "")
    error_message = "network.vpc and network.cidr belong together."
  }

  validation {
    condition     = var.network.cidr == "" || (can(cidrhost(var.network.cidr, 0)) && endswith(var.network.cidr, "/28"))
    error_message = "network.cidr must be a free range with 16 addresses, such as 10.8.0.0/28."
  }

  validation {
    condition     = contains(["PRIVATE_RANGES_ONLY", "ALL_TRAFFIC"], var.network.egress)
    error_message = "network.egress must be PRIVATE_RANGES_ONLY, or ALL_TRAFFIC (for a fixed address through Cloud NAT)."
  }
}

variable "encryption" {
  description = "A Cloud KMS key in the deployment's region that encrypts everything at rest. \"\" leaves that to Google's keys."
  type = object({
    kms_key = optional(string, "")
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.encryption.kms_key == "" || can(regex("^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$", var.encryption.kms_key))
    error_message = "encryption.kms_key must be projects/PROJECT/locations/REGION/keyRings/RING/cryptoKeys/KEY, without a version."
  }

  validation {
    condition     = var.encryption.kms_key == "" || try(split("/", var.encryption.kms_key)[3], "") == var.region
    error_message = "encryption.kms_key must lie in the deployment's region: buckets and functions take no other."
  }
}

variable "alerts" {
  description = "Who is told (e-mail addresses, and notification channels that exist), and from when on."
  type = object({
    emails               = optional(set(string), [])
    channels             = optional(set(string), [])
    call_error_ratio     = optional(number, 0.05)
    execution_fail_ratio = optional(number, 0.25)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for email in var.alerts.emails : can(regex("^[^@ ]+@[^@ ]+\\.[^@ ]+$", email))])
    error_message = "alerts.emails must be e-mail addresses."
  }

  validation {
    condition     = alltrue([for channel in var.alerts.channels : can(regex("^projects/[^/]+/notificationChannels/[0-9]+$", channel))])
    error_message = "alerts.channels must be projects/PROJECT/notificationChannels/NUMBER."
  }

  validation {
    condition     = alltrue([for ratio in [var.alerts.call_error_ratio, var.alerts.execution_fail_ratio] : ratio > 0 && ratio < 1])
    error_message = "alerts.call_error_ratio and alerts.execution_fail_ratio must lie between 0 and 1."
  }

  validation {
    condition     = var.environment != "production" || length(var.alerts.emails) + length(var.alerts.channels) > 0
    error_message = "production needs somebody who is told: set alerts.emails or alerts.channels."
  }
}
