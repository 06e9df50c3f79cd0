# Every variable's validation refuses what it is there for. A run breaks one rule of each of
# several variables, and every one of them must be refused. (A rule that looks at another variable
# is not tried while that one is wrong: region stands apart from encryption, environment from alerts.)

mock_provider "google" {}

# Each variable, so that no tfvars given to the run changes what is tested here.
variables {
  project_id  = "smartlink-test"
  environment = "development"
  region      = "southamerica-east1"
  labels      = {}
  polling     = true
  instances   = {}
  cpus        = 20
  operators   = []
  publish     = {}
  roles       = {}
  smart_link  = {}
  settings    = {}
  retention   = {}
  firestore   = {}
  network     = {}
  encryption  = {}
  alerts      = {}
  console     = {}

  acceptance        = false
  acceptance_digest = ""
}

run "refusals_1" {
  command = plan

  variables {
    project_id = "123456789012"                                                                                      # project number
    labels     = { Team = "x" }                                                                                      # label upper case
    instances  = { consume = { min = 2, max = 1 } }                                                                  # instances more at least than at most
    publish    = { invokers = ["allUsers"] }                                                                         # publish for everybody
    smart_link = { base_url = "http://link.example.com" }                                                            # smart link without tls
    settings   = { dispatch_bach = "50" }                                                                            # setting unknown
    retention  = { logs = 0 }                                                                                        # retention none
    firestore  = { database = "Messages" }                                                                           # database name
    network    = { connector = "projects/p/locations/r/connectors/c", vpc = "default", cidr = "10.8.0.0/28" }        # network both
    encryption = { kms_key = "projects/p/locations/southamerica-east1/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1" } # key version
    alerts     = { emails = ["operations"] }                                                                         # alert address
    console    = { zone = "São Paulo" }                                                                              # console zone
    cpus       = 0.5                                                                                                 # half a CPU
    acceptance = true                                                                                                # acceptance without a key's digest
    operators  = ["allAuthenticatedUsers"]                                                                           # operators everybody
    roles      = { "group:ops@example.com" = { viewer = ["*"] } }                                                    # roles of a group
  }

  expect_failures = [var.project_id, var.labels, var.instances, var.operators, var.roles, var.publish, var.smart_link, var.settings, var.retention, var.firestore, var.network, var.encryption, var.alerts, var.cpus, var.acceptance_digest, var.console]
}

run "refusals_2" {
  command = plan

  variables {
    labels     = { app = "x" }                                                       # label that is set already
    instances  = { publish = { max = 0 } }                                           # instances none at all
    publish    = { invokers = ["allAuthenticatedUsers"] }                            # publish for everybody signed in
    smart_link = { rac_token_url = "http://rac.example.com" }                        # rac without tls
    settings   = { history_days = "50" }                                             # setting that has a variable
    retention  = { history = 10.5, redrive = 1 }                                     # retention half a day
    firestore  = { location = "brazil" }                                             # database location
    network    = { connector = "my-connector" }                                      # network connector name
    encryption = { kms_key = "projects/p/locations/global/keyRings/r/cryptoKeys/k" } # key elsewhere
    alerts     = { channels = ["operations"] }                                       # alert channel
    roles      = { "ana@example.com" = { operator = ["NOPE!"] } }                    # roles for no tenant's name
  }

  expect_failures = [var.labels, var.instances, var.publish, var.smart_link, var.settings, var.retention, var.firestore, var.network, var.encryption, var.alerts, var.roles]
}

run "refusals_3" {
  command = plan

  variables {
    region     = "us"                                         # region is a multi region
    instances  = { poll_shard = { max = 1.5 } }               # instances half a one
    publish    = { invokers = ["user:somebody@example.com"] } # publish for a person
    smart_link = { paths = { tack = "POST /tack" } }          # smart link path unknown
    retention  = { dead_letter = 8 }                          # dead letters for too long
    firestore  = { backup_days = 99 }                         # backups for too long
    network    = { vpc = "default" }                          # network without a range
    alerts     = { call_error_ratio = 5 }                     # alert ratio
  }

  expect_failures = [var.region, var.instances, var.publish, var.smart_link, var.retention, var.firestore, var.network, var.alerts]
}

run "refusals_4" {
  command = plan

  variables {
    publish     = { ingress = "internal" }                  # publish ingress unknown
    smart_link  = { paths = { ack = "/api/v1/link/ack" } }  # smart link path without verb
    retention   = { history = 10, redrive = 11 }            # redrive beyond the history
    network     = { vpc = "default", cidr = "10.8.0.0/24" } # network range too large
    environment = "production"                              # production without anybody who is told
    acceptance  = true                                      # a simulator in production

    acceptance_digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
  }

  expect_failures = [var.acceptance, var.publish, var.smart_link, var.retention, var.network, var.alerts]
}

run "refusals_5" {
  command = plan

  variables {
    environment = "test"                                                # environment unknown
    region      = "southamerica-east1-a"                                # region is a zone
    network     = { egress = "ALL" }                                    # network egress unknown
    smart_link  = { base_url = "https://gw:invented@link.example.com" } # smart link with a password
  }

  expect_failures = [var.environment, var.region, var.network, var.smart_link]
}

run "refusals_6" {
  command = plan

  variables {
    smart_link = { unknown_command = "nack" } # a nack that nobody has proven
  }

  expect_failures = [var.smart_link]
}
