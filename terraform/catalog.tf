# The catalogue says which functions and commands there are; Terraform adds what the cloud needs.

locals {
  catalog = jsondecode(trimprefix(file("${path.module}/../infra/catalog.json"), "\ufeff"))

  # Names of Cloud Run services have at most 49 characters, account ids at most 30: longer ones
  # are cut and told apart by a hash.
  consumers = {
    for command, entry in local.catalog.commands : command => {
      name    = "smartlink-consume-${trimsuffix(trimprefix(entry.topic, "smartlink-"), "-command")}"
      invoker = "smartlink-push-${trimsuffix(trimprefix(entry.topic, "smartlink-"), "-command")}"
      hash    = substr(sha1(command), 0, 6)
    }
  }

  relay = {
    for key in ["poll", "poll_shard", "publish", "operate", "console"] : key => {
      target      = key
      command     = ""
      name        = "smartlink-${replace(key, "_", "-")}"
      account     = "smartlink-${replace(key, "_", "-")}"
      invoker     = "smartlink-${key == "poll" ? "schedule" : "push"}-${replace(key, "_", "-")}"
      topic       = try(local.catalog.functions[key].topic, "")
      timeout     = local.catalog.functions[key].timeoutSeconds
      memory      = try(local.catalog.functions[key].memoryMiB, 512)
      concurrency = try(local.catalog.functions[key].concurrency, 1)
      erp         = false
      secrets     = []
      ingress     = key == "publish" ? var.publish.ingress : key == "console" ? "ALLOW_ALL" : "ALLOW_INTERNAL_ONLY"

      # One instance of `poll`: Scheduler never runs two at once, its work is spread by
      # `poll_shard`, and what it remembers (the list of tenants, their tokens) stays in one
      # place. A second call, which at-least-once delivery allows, waits or gets 429 and is tried
      # again; correctness does not depend on it.
      instances = contains(["poll", "console"], key) ? { min = 0, max = 1 } : var.instances[key]
    }
    if contains(keys(local.catalog.functions), key) && (key != "console" || var.console.deployed)
  }

  functions = merge(local.relay, {
    for command, entry in local.catalog.commands : "consume-${command}" => {
      target      = "consume"
      command     = command
      name        = length(local.consumers[command].name) <= 49 ? local.consumers[command].name : "${substr(local.consumers[command].name, 0, 42)}-${local.consumers[command].hash}"
      account     = length(local.consumers[command].name) <= 30 ? local.consumers[command].name : "${substr(local.consumers[command].name, 0, 23)}-${local.consumers[command].hash}"
      invoker     = length(local.consumers[command].invoker) <= 30 ? local.consumers[command].invoker : "${substr(local.consumers[command].invoker, 0, 23)}-${local.consumers[command].hash}"
      topic       = entry.topic
      timeout     = local.catalog.functions.consume.timeoutSeconds
      memory      = try(entry.memoryMiB, 512)
      concurrency = try(entry.concurrency, 1)
      erp         = try(entry.erp, false)
      secrets     = try(entry.secrets, [])
      ingress     = "ALLOW_INTERNAL_ONLY"
      instances = {
        min = min(var.instances.consume.min, try(entry.maxInstances, var.instances.consume.min))
        max = try(entry.maxInstances, var.instances.consume.max)
      }
    }
  })

  # A whole CPU even for little memory: concurrency and the threads of a poll need it. More memory
  # needs more of them, by Cloud Run's own table.
  cpu = {
    for key, function in local.functions :
    key => function.memory > 16384 ? 8 : function.memory > 8192 ? 4 : function.memory > 4096 ? 2 : 1
  }

  # The simulator of an acceptance has one.
  cpus_at_most = sum([for key, function in local.functions : function.instances.max * local.cpu[key]]) + (var.acceptance ? 1 : 0)

  # Functions that Pub/Sub pushes to.
  pushed = { for key, function in local.functions : key => function if function.topic != "" }

  # Functions that somebody else's account calls: Scheduler's for poll, a pusher's for the others.
  called = { for key, function in local.functions : key => function if key == "poll" || function.topic != "" }

  # As settings.py has it: a claim outlives the call that made it.
  lease_seconds = local.catalog.functions.consume.timeoutSeconds + 30
}
