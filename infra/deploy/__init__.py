"""`make plan`, `make deploy`, `make destroy`: checks, then Terraform, then what is next."""
