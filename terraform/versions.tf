terraform {
  required_version = ">= 1.9" # validations that look at other variables

  required_providers {
    archive = {
      source  = "hashicorp/archive"
      version = "~> 2.7"
    }
    google = {
      source  = "hashicorp/google"
      version = "~> 6.50"
    }
  }

  # Each environment keeps its state in a bucket of its own project, which `init` names:
  # -backend-config=bucket=PROJECT-smartlink-state (see README.md).
  backend "gcs" {
    prefix = "smartlink"
  }
}
