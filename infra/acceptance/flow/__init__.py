"""Sends a hundred messages through a deployment, from a simulated broker and back to it."""
