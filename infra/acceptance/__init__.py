"""Asks Google's services whether what this project assumes about them holds.

Each assumption is a probe. `smartlink accept` runs the probes; `python -m infra.acceptance` prints
them as the list in terraform/README.md. Nothing of this is deployed.
"""
