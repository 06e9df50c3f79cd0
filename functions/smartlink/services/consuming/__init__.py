"""Consume: claims, runs and settles the messages of one command."""
