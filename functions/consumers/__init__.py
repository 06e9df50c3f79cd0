"""What each command does: one module a command, named in the catalogue.

What several commands share is a package beside them (`sgdp`).
"""
