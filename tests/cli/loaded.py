"""Loads what the commands need, for the process from which `forked` takes its forks."""

from infra.cli.app import built

built([])  # with every command, and so with what each imports
