"""`make plan`, `make deploy` and `make destroy`: check, run Terraform, and say what is next."""
